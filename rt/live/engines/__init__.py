"""Another engine while the music plays: loaded in a process of its own, warmed up, faded in."""

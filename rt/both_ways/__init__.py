"""Files that end, heard from both ends: when that can be (`choice`), and the passes over the audio
(`separator`)."""

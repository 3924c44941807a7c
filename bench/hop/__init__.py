"""How fast a hop is here: backends, presets, many streams, the least time it can take."""

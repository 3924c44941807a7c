"""rtsep inside other programs: a C library and an LV2 plugin around an engine process."""

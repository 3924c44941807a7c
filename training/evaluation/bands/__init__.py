"""`rtsep eval --stems`: songs as stems, systems on them through the streaming path, leaks between stems."""

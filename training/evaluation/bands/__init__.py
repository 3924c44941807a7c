"""`rtsep eval --stems`: songs of bands as stems, systems on them through the engine, leaks between stems."""

"""`rtsep latency`."""

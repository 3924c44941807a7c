"""`rtsep eval` without its screen: which systems, on which stems, through the streaming path."""

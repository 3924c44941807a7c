"""Audio devices: what there is, a stream on two of them, calls that may hang."""

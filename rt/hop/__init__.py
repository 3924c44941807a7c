"""One hop in, one hop of every stem out; what `--latency 11` means; is a saved state one of this engine's;
how many channels.
"""

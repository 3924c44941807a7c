"""One hop in, one hop of every stem out; what `--latency 11` means; is a saved state one of this pipeline's;
how many channels.
"""

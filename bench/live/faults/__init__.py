"""Faults done to a live session on a real JACK server, measured where the audience sits."""

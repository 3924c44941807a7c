"""Rendered choirs: scores, singers, performance, voices, rooms; from a seed to one item."""

"""What the C++ does, in NumPy: one file per kernel, for tests and bench only."""

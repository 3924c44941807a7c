"""`make demo`: two clips that the project made itself, a choir and a band, and their separation."""

"""Stems of bands rendered from notes: soundfonts, and real drums, basses and guitars note by note."""

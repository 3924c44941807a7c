"""Voices that keep their identity where they cross: who sings which of the pitches that were found."""

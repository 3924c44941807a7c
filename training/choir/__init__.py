"""Choirs to learn from; the front end of the stage in torch (`frontend`)."""

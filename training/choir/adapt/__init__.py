"""A model for one choir from a rehearsal, and when it is refused."""

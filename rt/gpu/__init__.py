"""A stream, or many, on a GPU: checked at the start, replaced when it is lost."""

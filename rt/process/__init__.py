"""Processes of a live session and the memory that they share."""

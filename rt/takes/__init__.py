"""What a live session leaves on disk."""

"""Sound in files and pipes."""

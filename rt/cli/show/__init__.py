"""A show as a file: what the command line can say, parameters and scenes; checked, and read again."""

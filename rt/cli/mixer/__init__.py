"""The mixer in a terminal, a program of its own beside the session that it steers."""

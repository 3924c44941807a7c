"""Recorded and rendered stems as databases: folders that say which stems they know."""

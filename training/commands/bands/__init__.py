"""Subcommands about bands: databases, training, more stems, ways to train against each other."""

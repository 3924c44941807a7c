"""Subcommands of `rtsep-train`, one file each."""

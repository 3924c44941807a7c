"""`rtsep-train` and the subcommands that need training: one file each."""

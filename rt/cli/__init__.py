"""The `rtsep` command: options, which of them go together, screens, exit codes."""

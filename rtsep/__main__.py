"""`python -m rtsep` is the `rtsep` command."""

from rtsep.rt.cli.main import main

main()

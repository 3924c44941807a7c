"""`python -m rtsep` is the `rtsep` command."""

from rtsep.rt.cli import main

main()

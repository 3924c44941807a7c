"""`python -m rtsep` is the `rtsep` command."""

from rtsep.rt.python_process import leave_current_folder

leave_current_folder()

from rtsep.rt.cli.main import main  # noqa: E402 - nothing from the current folder

main()

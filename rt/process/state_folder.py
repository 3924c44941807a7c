"""Where rtsep keeps what it remembers from one run to the next."""

import os
from pathlib import Path


def state_folder() -> Path:
    """A folder that may not be there yet (XDG base directories)."""
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path("~/.local/state").expanduser()) / "rtsep"

"""Where rtsep keeps what takes long to compute and can be computed again."""

import os
from pathlib import Path


def cache_folder(name: str) -> Path:
    """A folder for one kind of data, not yet made: under `XDG_CACHE_HOME`, else `~/.cache`.

    Args:
        name: of the kind, as "plans".
    """
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rtsep" / name

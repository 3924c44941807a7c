"""Where the library, the plugin and the header are that came with this rtsep."""

from pathlib import Path

from rtsep.kernels import _core
from rtsep.kernels.errors import RtsepError

HEADER = "rtsep.h"
LIBRARY = "librtsep.so"
PLUGIN = "rtsep_lv2.so"


def built_file(name: str) -> Path:
    """A compiled file: beside the extension module, which in an editable install is not beside the sources.

    Raises:
        RtsepError: this rtsep was built without it.
    """
    file = Path(_core.__file__).parents[1] / "rt" / "embed" / name
    if file.exists():
        return file
    if name == PLUGIN:
        raise RtsepError(
            "this rtsep was built without its LV2 plugin",
            "run apt install lv2-dev and pip install rtsep again",
        )
    raise RtsepError(
        f"this rtsep was built without {name}", "it is built on Linux: install rtsep again there"
    )


def header() -> Path:
    """rtsep.h."""
    return Path(__file__).with_name(HEADER)

"""Hot loops in C++ (`_core`), each with a plain NumPy twin in `rtsep.kernels.reference`."""

import sys
from importlib import import_module
from pathlib import Path

from rtsep.kernels.errors import RtsepError


class CoreMissingError(RtsepError, ImportError):
    """The compiled part cannot be loaded, although the Python files beside it can."""


def __getattr__(name: str) -> object:
    """Loads `_core` on first use: `from rtsep.kernels import _core` asks here before it looks for a file."""
    if name != "_core":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return import_module(f"{__name__}._core")
    except ImportError as error:
        raise _missing(error) from error


def _missing(error: ImportError) -> CoreMissingError:
    here = Path(__file__).resolve().parent
    version = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    if not isinstance(error, ModuleNotFoundError):  # the file is there, and does not load
        reason = " ".join(str(error).split())
        return CoreMissingError(
            f"rtsep's compiled part in {here} cannot be loaded ({reason})",
            f"install rtsep again with this {version}",
        )
    if (here / "src").is_dir():  # the wheel has no C++ sources: this is the checkout
        return CoreMissingError(
            f"rtsep was imported from its source folder {here.parent}, which has no compiled part for this "
            f"{version} and hides an installed rtsep",
            "start Python in another folder, or run pip install -e . there",
        )
    return CoreMissingError(
        f"rtsep in {here.parent} has no compiled part for this {version}",
        f"install rtsep again with this {version}",
    )

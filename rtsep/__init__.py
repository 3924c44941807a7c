"""Separation of music while it is being played.

Public names load on first use, so that `import rtsep` and `rtsep --version` cost nothing.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING

# ONNX Runtime reads it while it loads; otherwise every run would look up its maker's server, write to the
# user's cache and start threads (models/runtimes/telemetry.py). Whoever sets it to 0 keeps that.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from rtsep.kernels.errors import RtsepError as RtsepError
    from rtsep.rt.batch_separator import BatchSeparator as BatchSeparator
    from rtsep.rt.control.commands import Control as Control
    from rtsep.rt.control.parameters import Parameter as Parameter
    from rtsep.rt.separator import Separator as Separator
    from rtsep.rt.session import Session as Session

    __version__: str

__all__ = ["BatchSeparator", "Control", "Parameter", "RtsepError", "Separator", "Session", "__version__"]

_HOMES = {
    "BatchSeparator": "rtsep.rt.batch_separator",
    "Control": "rtsep.rt.control.commands",
    "Parameter": "rtsep.rt.control.parameters",
    "RtsepError": "rtsep.kernels.errors",
    "Separator": "rtsep.rt.separator",
    "Session": "rtsep.rt.session",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("rtsep")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

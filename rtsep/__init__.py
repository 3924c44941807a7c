"""Separation of music while it is being played.

Public names load on first use, so that `import rtsep` and `rtsep --version` cost nothing.

.. include:: ../docs/glossary.md
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING

# ONNX Runtime reads it while it loads; otherwise every run would look up its maker's server, write to the
# user's cache and start threads (models/runtimes/telemetry.py). Whoever sets it to 0 keeps that.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from rtsep.kernels.errors import DeviceRefused as DeviceRefused
    from rtsep.kernels.errors import GpuMissing as GpuMissing
    from rtsep.kernels.errors import InputRefused as InputRefused
    from rtsep.kernels.errors import ModelRefused as ModelRefused
    from rtsep.kernels.errors import RtsepError as RtsepError
    from rtsep.models.choir.given_pitches import F0Track as F0Track
    from rtsep.models.choir.parts.parts import Parts as Parts
    from rtsep.models.choir.score.score import Score as Score
    from rtsep.models.voice_report import VoiceReport as VoiceReport
    from rtsep.rt.audio.score_file import load_score as load_score
    from rtsep.rt.batch_separator import BatchSeparator as BatchSeparator
    from rtsep.rt.control.commands import Control as Control
    from rtsep.rt.control.parameters import Parameter as Parameter
    from rtsep.rt.drivers.jack_options import JackOptions as JackOptions
    from rtsep.rt.hop.presets import Preset as Preset
    from rtsep.rt.live.status import Status as Status
    from rtsep.rt.one_call import separate as separate
    from rtsep.rt.separator import Separator as Separator
    from rtsep.rt.session import Session as Session

    __version__: str

__all__ = [
    "BatchSeparator",
    "Control",
    "DeviceRefused",
    "F0Track",
    "GpuMissing",
    "InputRefused",
    "JackOptions",
    "ModelRefused",
    "Parameter",
    "Parts",
    "Preset",
    "RtsepError",
    "Score",
    "Separator",
    "Session",
    "Status",
    "VoiceReport",
    "__version__",
    "load_score",
    "separate",
]

_HOMES = {
    "BatchSeparator": "rtsep.rt.batch_separator",
    "Control": "rtsep.rt.control.commands",
    "DeviceRefused": "rtsep.kernels.errors",
    "F0Track": "rtsep.models.choir.given_pitches",
    "GpuMissing": "rtsep.kernels.errors",
    "InputRefused": "rtsep.kernels.errors",
    "JackOptions": "rtsep.rt.drivers.jack_options",
    "ModelRefused": "rtsep.kernels.errors",
    "Parameter": "rtsep.rt.control.parameters",
    "Preset": "rtsep.rt.hop.presets",
    "RtsepError": "rtsep.kernels.errors",
    "Parts": "rtsep.models.choir.parts.parts",
    "Score": "rtsep.models.choir.score.score",
    "Separator": "rtsep.rt.separator",
    "Session": "rtsep.rt.session",
    "Status": "rtsep.rt.live.status",
    "VoiceReport": "rtsep.models.voice_report",
    "load_score": "rtsep.rt.audio.score_file",
    "separate": "rtsep.rt.one_call",
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

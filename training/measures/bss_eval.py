"""BSS eval v4 as `museval` computes it: the measures of MUSDB18 and of most papers on bands.

A filter of 512 taps from the stems is allowed for before anything counts as an error, so these numbers are
higher than SI-SDR and the two never belong into one column (Vincent et al. 2006; Stöter et al. 2018).
"""

import importlib.util
import warnings
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels.errors import RtsepError
from rtsep.training.measures.protocol import Audio

# The field's numbers are those of 512 taps. Time grows with their square: fewer are for a quick look.
PUBLISHED_TAPS = 512
NAMES = ("SDR", "ISR", "SIR", "SAR")


class BssScore(NamedTuple):
    """Medians over the frames of one stem in dB, None where no frame has a number."""

    sdr_db: float | None
    isr_db: float | None
    sir_db: float | None
    sar_db: float | None


def bss_eval(stems: Audio, estimates: Audio, samplerate: int, taps: int = PUBLISHED_TAPS) -> list[BssScore]:
    """Frames of 1 s beside each other, medians over them, stem by stem.

    Frames in which a stem or an estimate is all zero have no number.

    Shape:
        stems, estimates: float32 [stems, samples], all that sounds in the mixture.

    Raises:
        RtsepError: museval is not installed.
    """
    metrics = _museval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, on frames without a number
        found = metrics.bss_eval(
            stems[:, :, None].astype(np.float64),
            estimates[:, :, None].astype(np.float64),
            window=samplerate,
            hop=samplerate,
            filters_len=taps,
        )
    columns = [[_median(row) for row in measure] for measure in found[:4]]
    return [BssScore(*values) for values in zip(*columns, strict=True)]


def require_museval() -> None:
    """Before work begins.

    Raises:
        RtsepError: museval is not installed.
    """
    _museval()


@cache
def _museval() -> ModuleType:
    """The file `museval/metrics.py` alone: the package around it imports what reads MUSDB18, which asks for
    ffmpeg; a measure of arrays needs neither."""
    package = importlib.util.find_spec("museval")
    if package is not None and package.origin is not None:
        file = Path(package.origin).with_name("metrics.py")
        spec = importlib.util.spec_from_file_location("rtsep_museval_metrics", file)
        if spec is not None and spec.loader is not None and file.exists():
            metrics = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(metrics)
            return metrics
    raise RtsepError("--bss needs museval, which is not installed", "run pip install 'rtsep[bss]'")


def _median(values: NDArray[np.float64]) -> float | None:
    numbers = values[np.isfinite(values)]
    return float(np.median(numbers)) if numbers.size else None

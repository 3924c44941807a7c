"""Amplitudes in decibels relative to full scale (dBFS)."""

import numpy as np
from numpy.typing import NDArray

FLOOR_DB = -120.0  # below the noise of any converter: what silence is shown as
FLOOR = 10 ** (FLOOR_DB / 20)


def to_db(amplitude: NDArray[np.floating] | float) -> NDArray[np.floating]:
    """Amplitude (full scale = 1) to dBFS, not below -120."""
    return np.asarray(20 * np.log10(np.maximum(amplitude, FLOOR)))


def dbfs(amplitude: float) -> float:
    """One amplitude in dBFS as screens and reports show it: two decimals, -120 at least."""
    return round(float(to_db(amplitude)), 2)

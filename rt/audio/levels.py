"""Amplitudes in decibels relative to full scale (dBFS)."""

import numpy as np
from numpy.typing import NDArray

FLOOR_DB = -120.0  # below the noise of any converter: what silence is shown as
# Measured on a choir: pitches are tracked as well as ever down to a peak of -63 dBFS (-75 dBFS RMS), hardly
# any 5 dB below, none 15 dB below. The networks' features end at -100 dBFS a band.
QUIET_PEAK_DBFS = -63.0
FLOOR = 10 ** (FLOOR_DB / 20)


def to_db(amplitude: NDArray[np.floating] | float) -> NDArray[np.floating]:
    """Amplitude (full scale = 1) to dBFS, not below -120."""
    return np.asarray(20 * np.log10(np.maximum(amplitude, FLOOR)))


def dbfs(amplitude: float) -> float:
    """One amplitude in dBFS as screens and reports show it: two decimals, -120 at least."""
    return round(float(to_db(amplitude)), 2)

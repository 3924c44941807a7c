"""Main lobe of an analysis window, tabulated for the source-filter renderer."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]


class Lobe(NamedTuple):
    """What `SourceFilterRenderer` must know of a window: pass as lobe, lobe_left, noise_level."""

    table: F32
    """float32 [phases + 1, columns]: entry [p, i] is the magnitude at (i - left) - p / phases bins from a sinusoid of
    amplitude 1."""
    left: int
    """Columns below the bin under the sinusoid."""
    noise_level: float
    """RMS magnitude of a bin when the input is white noise, uniform on [-1, 1)."""


def window_lobe(window: F32, *, phases: int = 64) -> Lobe:
    """Tabulates |W|/2, the magnitude a real sinusoid of amplitude 1 leaves around its frequency, from the peak to the
    first minimum on either side.

    Args:
        window: float32 [N], the analysis window; the FFT has the same length.
        phases: table entries per bin. 64 with linear interpolation errs by less than 1e-4 of the peak.
    """
    if window.ndim != 1 or window.size < 8:
        raise ValueError(f"window has shape {window.shape}, expected [N] with N >= 8")
    magnitude = 0.5 * np.abs(np.fft.rfft(window.astype(np.float64), window.size * phases))
    rising = np.flatnonzero(np.diff(magnitude) > 0)
    extent = int(rising[0]) if rising.size else magnitude.size - 1
    magnitude[extent + 1 :] = 0.0
    left = -(-extent // phases)
    # One column beyond the reach to the right: a sinusoid just below the next bin still touches it.
    distance = np.abs((np.arange(2 * left + 2) - left)[None, :] * phases - np.arange(phases + 1)[:, None])
    padded = np.concatenate((magnitude, np.zeros(max(0, int(distance.max()) + 1 - magnitude.size))))
    noise_level = float(np.sqrt(np.sum(window.astype(np.float64) ** 2) / 3.0))
    return Lobe(padded[distance].astype(np.float32), left, noise_level)

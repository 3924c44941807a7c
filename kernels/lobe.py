"""Spectral lobe of an analysis window, tabulated for the source-filter renderer."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]


class Lobe(NamedTuple):
    """What `SourceFilterRenderer` must know of a window: pass as lobe, lobe_left, noise_level."""

    table: F32
    """float32 [phases + 1, columns]: entry [p, i] is the magnitude at (i - left) - p / phases bins from a
    sinusoid of amplitude 1."""
    left: int
    """Columns below the bin under the sinusoid."""
    noise_level: float
    """RMS magnitude of a bin when the input is white noise, uniform on [-1, 1)."""


def window_response(window: F32, *, reach_bins: int, phases: int) -> F32:
    """Magnitude response of a window at 0, 1/phases, 2/phases, ... bins from its centre, 1 at the centre.

    Args:
        window: float32 [N], the analysis window; the FFT has the same length.
        reach_bins: how far the table goes.
        phases: table entries per bin.

    Shape:
        returns float32 [reach_bins * phases + 1].
    """
    if window.ndim != 1 or window.size < 16:
        raise ValueError(f"window has shape {window.shape}, expected [N] with N >= 16")
    if not 1 <= reach_bins <= window.size // 2:
        raise ValueError(f"reach_bins is {reach_bins}, expected 1 to {window.size // 2}")
    magnitude = np.abs(np.fft.rfft(window.astype(np.float64), window.size * phases))
    response: F32 = (magnitude[: reach_bins * phases + 1] / magnitude[0]).astype(np.float32)
    return response


def window_leakage(window: F32, *, reach_bins: int, phases: int) -> F32:
    """Amplitude that a sinusoid may leak at 0, 1/phases, ... bins: `window_response`, made non-increasing."""
    response = window_response(window, reach_bins=reach_bins, phases=phases)
    return np.maximum.accumulate(response[::-1])[::-1].copy()


def window_lobe(window: F32, *, reach_bins: int = 7, phases: int = 64) -> Lobe:
    """Tabulates |W|/2, the magnitude a real sinusoid of amplitude 1 leaves around its frequency.

    Args:
        window: float32 [N], the analysis window; the FFT has the same length.
        reach_bins: how far to either side the table goes. The main lobe ends at 1.5 to 2 bins, but side lobes
            of an asymmetric window hold a third of its summed magnitude; 7 bins catch all but a few percent
            of it and fill the 16 columns that the kernel works on at once.
        phases: table entries per bin. 64 with linear interpolation errs by less than 1e-4 of the peak.
    """
    if window.ndim != 1 or window.size < 16:
        raise ValueError(f"window has shape {window.shape}, expected [N] with N >= 16")
    if not 1 <= reach_bins <= window.size // 2:
        raise ValueError(f"reach_bins is {reach_bins}, expected 1 to {window.size // 2}")
    magnitude = 0.5 * np.abs(np.fft.rfft(window.astype(np.float64), window.size * phases))
    magnitude[reach_bins * phases + 1 :] = 0.0
    left = reach_bins
    # One column beyond the reach to the right: a sinusoid just below the next bin still touches it.
    distance = np.abs((np.arange(2 * left + 2) - left)[None, :] * phases - np.arange(phases + 1)[:, None])
    padded = np.concatenate((magnitude, np.zeros(max(0, int(distance.max()) + 1 - magnitude.size))))
    noise_level = float(np.sqrt(np.sum(window.astype(np.float64) ** 2) / 3.0))
    return Lobe(padded[distance].astype(np.float32), left, noise_level)

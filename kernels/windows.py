"""Asymmetric analysis and synthesis windows whose product is a Hann window at the end of the frame.

A long analysis window resolves neighbouring partials; a short synthesis window keeps latency low. Mauler
and Martin, "A low delay, variable resolution, perfect reconstruction spectral analysis-synthesis system"
(EUSIPCO 2007), give the construction for square-root Hann slopes.
"""

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]


def _check(window_samples: int, half_overlap: int) -> None:
    if half_overlap < 1 or window_samples < 2 * half_overlap:
        raise ValueError(
            f"window of {window_samples} samples with half overlap {half_overlap}: "
            "needs half_overlap >= 1 and window >= 2 * half_overlap"
        )


def _hann(length: int) -> NDArray[np.float64]:
    """Periodic Hann window: its halves at distance length/2 sum to exactly one."""
    return 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / length)


def analysis_window(window_samples: int, half_overlap: int) -> F32:
    """Rises as sqrt-Hann over the first N - M samples, falls as sqrt-Hann over the last M.

    Args:
        window_samples: N, frame length.
        half_overlap: M, half the synthesis window.

    Shape:
        returns float32 [N].
    """
    _check(window_samples, half_overlap)
    rise = window_samples - half_overlap
    window = np.empty(window_samples)
    window[:rise] = np.sqrt(_hann(2 * rise)[:rise])
    window[rise:] = np.sqrt(_hann(2 * half_overlap)[half_overlap:])
    return window.astype(np.float32)


def synthesis_window(window_samples: int, half_overlap: int) -> F32:
    """Last 2M samples of the synthesis window: Hann(2M) divided by the analysis window there.

    Shape:
        returns float32 [2M]; the first N - 2M samples of the full window are zero and left out.
    """
    _check(window_samples, half_overlap)
    rise = window_samples - half_overlap
    window = np.empty(2 * half_overlap)
    slope = np.sqrt(_hann(2 * rise)[rise - half_overlap : rise])
    # The first point is 0/0 when N = 2M: sqrt-Hann there, which is 0 as well.
    window[:half_overlap] = _hann(2 * half_overlap)[:half_overlap] / np.maximum(slope, 1e-12)
    window[half_overlap:] = np.sqrt(_hann(2 * half_overlap)[half_overlap:])
    return window.astype(np.float32)


def amplitude_scale(window: F32) -> float:
    """Brings a spectrum to amplitudes: a full-scale sine peaks at half the window's sum."""
    return float(2.0 / window.sum(dtype=np.float64))


def energy_centre_samples(window_samples: int, half_overlap: int) -> float:
    """How long before the end of a frame the centre of gravity of the squared analysis window lies."""
    energy = analysis_window(window_samples, half_overlap).astype(np.float64) ** 2
    age = window_samples - np.arange(window_samples)
    return float((age * energy).sum() / energy.sum())

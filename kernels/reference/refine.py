"""NumPy reference of kernels/src/refine.cpp: the pitch between the candidates that the beam has chosen."""

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]
f32 = np.float32

SILENT = -1
REFINED_PARTIALS = 10
REFINE_SIGMA_BINS, REFINE_SIGMA = 0.25, 0.006
"""Scatter of a peak around its partial: quarter of a bin, and 10 cents of the partial."""
REFINE_REACH = 1.0175
"""30 cents: beyond lies another candidate."""
REFINE_WITHIN = 2.5
"""Standard deviations."""
SHARED = 1e-4
"""Of a peak that other voices explain: decides where there is nothing else."""


def refine_f0(
    peak_hz: F32,
    weight: F32,
    peaks: int,
    covered: F32,
    pitch: I32,
    candidates_hz: F32,
    bin_hz: float,
    f0_hz: F32,
) -> None:
    """Writes f0_hz [V] (0 = silent): the pitch between the candidates.

    It is the mean of peak / partial number over a voice's peaks, weighted by how much each peak is its own
    and by the partial number (a high partial tells the pitch more finely); twice, from the candidate.

    Args:
        peak_hz, weight: [P], of which the first `peaks` count.
        covered: [G, P].
        pitch: [V], candidate of each voice or -1.
        candidates_hz: [G].
        bin_hz: distance of bins.
    """
    hz, w = peak_hz[:peaks], weight[:peaks]
    for v, chosen in enumerate(pitch):
        f0_hz[v] = 0
        if chosen == SILENT:
            continue
        own = np.ones(peaks, f32)
        for u, other in enumerate(pitch):
            if u != v and other != SILENT:
                own *= f32(1) - covered[other, :peaks]
        start = f0 = candidates_hz[chosen]
        for _ in range(2):
            k = np.floor(hz / f0 + f32(0.5))  # the nearest partial
            sigma = np.hypot(f32(REFINE_SIGMA_BINS) * f32(bin_hz), f32(REFINE_SIGMA) * k * f0)
            d = (hz - k * f0) / sigma
            counts = (k >= 1) & (k <= REFINED_PARTIALS) & (np.abs(d) < REFINE_WITHIN)
            g = (w * np.exp(f32(-0.5) * d * d) * (own * own + f32(SHARED)) * k)[counts]
            if g.sum() > 0:
                f0 = f32(np.sum(g * hz[counts] / k[counts]) / np.sum(g))
        f0_hz[v] = min(max(f0, start / f32(REFINE_REACH)), start * f32(REFINE_REACH))

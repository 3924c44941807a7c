"""NumPy reference of kernels/src/coverage.cpp."""

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

MAX_PARTIALS = 24
PEAK_SIGMA_BINS = 0.25
"""Scatter of an interpolated peak."""
PITCH_SIGMA = 0.015
"""26 cents of the partial: half a grid step, vibrato inside the window."""
PARTIAL_FADE = 0.35
"""A peak is better explained as a low partial: weight k^-0.35."""
COUNTED_PARTIALS = 6
"""Partials whose absence speaks against a pitch."""
PRESENT = 0.25
"""Weight from which a partial counts as fully there."""
SMOOTHNESS = 0.9
"""A partial far above its neighbours is mostly somebody else's."""
REACH = 3.3
"""A peak farther than this many sigmas from a partial is not its."""


class Coverage:
    """How well each candidate pitch explains each peak, and how much of the pitch is missing.

    Args:
        candidates_hz: [G], positive.
        bin_hz: distance of bins: how finely a peak's place is known.
        top_hz: of the peaks; partials above are not asked for.
        max_peaks: P.
    """

    def __init__(self, candidates_hz: F32, bin_hz: float, top_hz: float, max_peaks: int) -> None:
        self.candidates_hz, self.bin_hz = candidates_hz, np.float32(bin_hz)
        self.top_hz, self.max_peaks = np.float32(top_hz), max_peaks

    def compute(self, peak_hz: F32, weight: F32, peaks: int, covered: F32, missing: F32) -> None:
        """Writes covered [G, P] and missing [G], both in 0..1.

        Each partial takes the peak near it with the largest closeness times weight; closeness is a Gaussian
        of the distance that ends at REACH, (1 - (d / REACH)^2)^4. `covered` is closeness, less for high
        partials and for peaks that stick out of their neighbours (Klapuri's smoothness principle, IEEE TSAP
        11(6), 2003). `missing` is the share of the first six partials, weighted k^-1/2, that have no peak.

        Args:
            peak_hz, weight: [P], of which the first `peaks` count, where finite.
        """
        usable = np.flatnonzero(np.isfinite(peak_hz[:peaks]) & np.isfinite(weight[:peaks]))
        usable = usable[np.argsort(peak_hz[usable], kind="stable")]
        covered[...] = 0
        for g, f0 in enumerate(self.candidates_hz):
            missing[g] = self._row(f0, peak_hz, weight, usable, covered[g])

    def _row(self, f0: np.float32, hz: F32, w: F32, usable: NDArray[np.intp], covered: F32) -> float:
        partials = min(MAX_PARTIALS, int(self.top_hz / f0))
        peak = np.full(partials + 1, -1)
        closeness, strength = np.zeros((2, partials + 2))
        for k in range(1, partials + 1):
            partial_hz = np.float32(k) * f0
            sigma = np.hypot(np.float32(PEAK_SIGMA_BINS) * self.bin_hz, np.float32(PITCH_SIGMA) * partial_hz)
            x = (hz[usable] - partial_hz) / (np.float32(REACH) * sigma)
            near = np.where(np.abs(x) < 1, (1 - x * x) ** 4, 0)
            if near.size and (near * w[usable]).max() > 0:
                best = int(np.argmax(near * w[usable]))
                peak[k], closeness[k] = usable[best], near[best]
                strength[k] = near[best] * w[usable[best]]
        # the first and the last partial are their own neighbours
        strength[0], strength[-1] = strength[1], strength[-2]
        for k in range(1, partials + 1):
            if peak[k] < 0:
                continue
            around = 0.25 * (strength[k - 1] + 2 * strength[k] + strength[k + 1])
            smooth = min(1.0, around / max(strength[k], 1e-6))
            value = k**-PARTIAL_FADE * closeness[k] * (1 - SMOOTHNESS + SMOOTHNESS * smooth)
            covered[peak[k]] = max(covered[peak[k]], value)
        counted = np.arange(1, min(COUNTED_PARTIALS, partials) + 1)
        if counted.size == 0:
            return 1.0
        absent = 1.0 - np.minimum(1.0, strength[counted] / PRESENT)
        return float(np.sum(absent * counted**-0.5) / np.sum(counted**-0.5))

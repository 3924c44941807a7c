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
        k = np.arange(1, MAX_PARTIALS + 1)
        partials_hz = self.candidates_hz[:, None] * k.astype(np.float32)
        count = np.minimum(MAX_PARTIALS, (self.top_hz / self.candidates_hz).astype(int))[:, None]
        strength, closeness, nearest = self._match(peak_hz[usable], weight[usable], partials_hz, k <= count)
        # the first and the last partial are their own neighbours
        below = np.concatenate((strength[:, :1], strength[:, :-1]), axis=1)
        above = np.where(k == count, strength, np.roll(strength, -1, axis=1))
        smooth = np.minimum(1, (below + 2 * strength + above) / 4 / np.maximum(strength, 1e-6))
        value = k**-PARTIAL_FADE * closeness * (1 - SMOOTHNESS + SMOOTHNESS * smooth)
        covered[...] = 0
        g, k_found = np.nonzero(strength > 0)
        np.maximum.at(covered, (g, usable[nearest[g, k_found]]), value[g, k_found])
        counts = np.where((k <= count) & (k <= COUNTED_PARTIALS), k**-0.5, 0)
        absent = counts * (1 - np.minimum(1, strength / PRESENT))
        missing[:] = np.where(count[:, 0] > 0, absent.sum(axis=1) / np.maximum(counts.sum(axis=1), 1e-9), 1)

    def _match(
        self, hz: F32, weight: F32, partials_hz: F32, sounding: NDArray[np.bool_]
    ) -> tuple[F32, F32, NDArray[np.intp]]:
        """For every candidate and partial [G, K]: closeness times weight of its peak (0 where there is none),
        closeness, and which peak."""
        if hz.size == 0:
            return (
                np.zeros_like(partials_hz),
                np.zeros_like(partials_hz),
                np.zeros(partials_hz.shape, np.intp),
            )
        sigma = np.hypot(np.float32(PEAK_SIGMA_BINS) * self.bin_hz, np.float32(PITCH_SIGMA) * partials_hz)
        x = (hz - partials_hz[..., None]) / (np.float32(REACH) * sigma)[..., None]
        close = np.where((np.abs(x) < 1) & sounding[..., None], (1 - x * x) ** 4, np.float32(0))
        nearest = np.argmax(close * weight, axis=-1)
        closeness = np.take_along_axis(close, nearest[..., None], axis=-1)[..., 0]
        return closeness * weight[nearest], closeness, nearest

"""NumPy reference of kernels/src/peaks.cpp."""

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

MAX_MAXIMA = 512
"""Local maxima looked at, from the lowest up."""
GATE_DB = -75.0
"""Re full-scale sine: below lies the noise of microphones and preamplifiers."""
RANGE_DB = 45.0
"""Peaks this far under the strongest count nothing."""
TILT_DB_PER_OCTAVE, TILT_FROM_HZ = 1.0, 100.0
"""Lifts high partials a little against the fall of voiced spectra."""
LEAK_MARGIN = 1.4
"""3 dB: a maximum within this of a louder one's leakage is leakage."""
FAINTEST, LOUDEST = 1e-7, 1e30
"""Amplitudes outside make no peak."""
LOG_OFFSET = 1e-12
"""Keeps the logarithm of an empty bin finite."""


class PeakPicker:
    """Spectral peaks of one frame, loudest first, with a weight each: how much it counts in a pitch decision.

    Args:
        bin_hz: distance of bins.
        top_hz: peaks above are not looked for.
        leakage: [L], amplitude of the analysis window's response at 0, 1/oversampling, 2/oversampling, ...
            bins from its centre, non-increasing.
        oversampling: table entries per bin.
    """

    def __init__(self, bin_hz: float, top_hz: float, leakage: F32, oversampling: int) -> None:
        self.bin_hz, self.top_hz = np.float32(bin_hz), np.float32(top_hz)
        self.leakage, self.oversampling = leakage, np.float32(oversampling)

    def find(self, amplitude: F32, peak_hz: F32, weight: F32) -> int:
        """Writes peak_hz [P] and weight [P] in 0..1 (zeros beyond the peaks found); returns how many.

        The weight falls linearly with level, from 1 for the strongest peak to 0 at 45 dB below. Peaks under
        the gate, and those that the leakage of a louder one explains, are left out.

        Args:
            amplitude: [bins], a full-scale sine peaks at 1. A bin that is not a number from 0 to 1e30 makes
                no peak, and neither do its neighbours.
        """
        place, height = self._maxima(amplitude)
        peak_hz[:], weight[:] = 0, 0
        level_db = np.float32(20) * np.log10(height)
        low_hz = np.float32(TILT_FROM_HZ)
        octaves = np.log2(np.maximum(place * self.bin_hz, low_hz) / low_hz)
        lifted_db = level_db + np.float32(TILT_DB_PER_OCTAVE) * octaves
        kept = 0
        for i in range(place.size):
            share = (lifted_db[i] - lifted_db.max() + np.float32(RANGE_DB)) / np.float32(RANGE_DB)
            if kept == weight.size or share <= 0 or level_db[i] < GATE_DB:
                continue
            if self._is_leakage(place[i], height[i], place[:i], height[:i]):
                continue
            peak_hz[kept] = place[i] * self.bin_hz
            weight[kept] = min(share, np.float32(1))
            kept += 1
        return kept

    def _maxima(self, amplitude: F32) -> tuple[F32, F32]:
        """Places in bins and heights, loudest first: tops of parabolas through the logarithms of three
        bins."""
        last = min(amplitude.size - 2, int(self.top_hz / self.bin_hz))
        bins = np.arange(2, max(last, 2))
        left, mid, right = amplitude[bins - 1], amplitude[bins], amplitude[bins + 1]
        top = (mid > left) & (mid >= right) & (mid > FAINTEST)
        usable = (mid <= LOUDEST) & (left >= 0) & (right >= 0)
        bins = bins[top & usable][:MAX_MAXIMA]
        left, mid, right = (np.log(amplitude[bins + i] + np.float32(LOG_OFFSET)) for i in (-1, 0, 1))
        bend = left - np.float32(2) * mid + right
        curved = bend < -1e-9
        shift = np.where(curved, np.float32(0.5) * (left - right) / np.where(curved, bend, 1), np.float32(0))
        place = bins.astype(np.float32) + shift
        height = np.exp(mid - np.float32(0.25) * (left - right) * shift)
        order = np.lexsort((place, -height))
        return place[order], height[order]

    def _is_leakage(self, place: np.float32, height: np.float32, louder_at: F32, louder: F32) -> bool:
        entry = (np.abs(place - louder_at) * self.oversampling).astype(int)
        near = entry < self.leakage.size
        return bool(np.any(height < louder[near] * self.leakage[entry[near]] * np.float32(LEAK_MARGIN)))

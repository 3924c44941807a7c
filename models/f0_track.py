"""Pitches given from outside."""

import numpy as np
from numpy.typing import NDArray


class F0Track:
    """F0 of every voice over time.

    Args:
        times_s: [points], ascending.
        f0_hz: [points, voices], 0 where unvoiced.
    """

    def __init__(self, times_s: NDArray[np.floating], f0_hz: NDArray[np.floating]) -> None:
        self.times_s, self.f0_hz = np.asarray(times_s, float), np.asarray(f0_hz, np.float32)

    def at(self, time_s: float, out: NDArray[np.float32]) -> None:
        """Writes F0 [voices] at `time_s`: the nearest point."""
        i = int(np.clip(np.searchsorted(self.times_s, time_s), 0, len(self.times_s) - 1))
        out[...] = self.f0_hz[i]

"""F0 over time, as tracked, given or true."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Contours:
    """F0 over time: times_s float64 [points], f0_hz float64 [points, voices], 0 where unvoiced."""

    times_s: NDArray[np.float64]
    f0_hz: NDArray[np.float64]

    def at(self, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Nearest points, [len(times_s), voices]."""
        middles = 0.5 * (self.times_s[1:] + self.times_s[:-1])
        return self.f0_hz[np.searchsorted(middles, times_s)]

    def shifted(self, by_s: float) -> "Contours":
        """The same contours, later by `by_s`."""
        return Contours(self.times_s + by_s, self.f0_hz)

    def between(self, start_s: float, stop_s: float) -> "Contours":
        """The points with start_s <= time < stop_s."""
        inside = (self.times_s >= start_s) & (self.times_s < stop_s)
        return Contours(self.times_s[inside], self.f0_hz[inside])

    @staticmethod
    def joined(parts: "list[Contours]") -> "Contours":
        """One after another, as they are."""
        return Contours(np.concatenate([p.times_s for p in parts]), np.concatenate([p.f0_hz for p in parts]))

"""Where a value stands on a fader's way, and which value stands there: as the mixer page draws it."""

import math
from dataclasses import dataclass

import numpy as np

from rtsep.rt.control.parameters import HIGHEST_DB, LOWEST_DB, Parameter

# Level in dB and share of the way: near 0 dB a decibel is long, far below it is short, as on a mixing desk.
DESK_DB = (LOWEST_DB, -40.0, -30.0, -20.0, -10.0, 0.0, HIGHEST_DB)
DESK_WAY = (0.06, 0.18, 0.28, 0.42, 0.6, 0.78, 1.0)
OFF_WAY = DESK_WAY[0]  # of the way, where there is an "off" at its end: the outer half of it is off


@dataclass(frozen=True)
class FaderLaw:
    """From the way of a fader, 0..1, to the values of a parameter and back.

    Args:
        parameter: what the fader moves.
        low, high: values at its ends; None for the ends of the parameter's range, "off" included.
        linear: no mixing desk's scale, also where the parameter is a fader's level.
    """

    parameter: Parameter
    low: float | None = None
    high: float | None = None
    linear: bool = False

    def value(self, way: float) -> float:
        """What stands at a share 0..1 of the way."""
        start, end = self._ends()
        return self._value(start + way * (end - start))

    def way(self, value: float) -> float:
        """Where a value stands; the nearer end for one that does not."""
        start, end = self._ends()
        return min(1.0, max(0.0, (self._way(value) - start) / (end - start)))

    def _ends(self) -> tuple[float, float]:
        start = 0.0 if self.low is None else self._way(self.low)
        end = 1.0 if self.high is None else self._way(self.high)
        return start, end

    @property
    def _is_desk(self) -> bool:
        p = self.parameter
        return not self.linear and p.unit == "dB" and (p.minimum, p.maximum) == (LOWEST_DB, HIGHEST_DB)

    def _inside(self) -> tuple[float, float]:
        off = self.parameter.off
        return (OFF_WAY if off == -math.inf else 0.0), (1 - OFF_WAY if off == math.inf else 1.0)

    def _value(self, at: float) -> float:
        p = self.parameter
        low, high = self._inside()
        if p.off is not None and (at < low / 2 or at > (1 + high) / 2):
            return p.off
        if self._is_desk:
            return float(np.interp(at, DESK_WAY, DESK_DB))
        share = (at - low) / (high - low)
        return min(p.maximum, max(p.minimum, p.minimum + share * (p.maximum - p.minimum)))

    def _way(self, value: float) -> float:
        p = self.parameter
        low, high = self._inside()
        if math.isinf(value):
            return 0.0 if value < 0 else 1.0
        if self._is_desk:
            return float(np.interp(value, DESK_DB, DESK_WAY))
        return low + (high - low) * (value - p.minimum) / (p.maximum - p.minimum)

"""NumPy reference of kernels/src/gain_ramps.hpp: the same ramps, for one thread."""

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]


class GainRamps:
    """Gains that move to their targets in straight lines.

    A gain at value g that is given the target t is g + (t - g) k / ramp in the k-th frame from then on, and
    exactly t from the last one on. A new target starts from wherever the gain is; other ramps go on.

    Args:
        start: float32 [gains], before the first `set`.
        ramp: frames of a ramp, at least 1.
    """

    def __init__(self, start: F32, ramp: int) -> None:
        self._ramp = np.float32(ramp)
        self._targets, self._from, self._to, self._values = (start.copy() for _ in range(4))
        self._step = np.full(len(start), ramp, np.float32)

    def set(self, targets: F32) -> None:
        """Names the targets, float32 [gains]; `look` takes them."""
        self._targets = targets.copy()

    def look(self, *, at_once: bool) -> None:
        """Starts the ramps of gains whose target is another one now, or takes the targets `at_once`."""
        if at_once:
            self._values, self._to = self._targets.copy(), self._targets.copy()
        changed = self._targets != self._to
        self._from[changed] = self._values[changed]
        self._to[changed] = self._targets[changed]
        self._step[changed] = 0

    def next(self) -> F32:
        """One frame on; returns the gains of this frame."""
        moving = self._step < self._ramp
        self._step[moving] += 1
        share = self._step / self._ramp
        line = self._from + (self._to - self._from) * share
        self._values = np.where(moving, np.where(self._step == self._ramp, self._to, line), self._values)
        return self._values

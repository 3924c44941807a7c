"""NumPy reference of kernels/src/value_snapshot.cpp: what is read when, for one thread, over memory of its
own.
"""

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


class ValueSnapshot:
    """Numbers that are always seen as one whole. One writer at a time; every reader has an object of its own.

    Args:
        count: of the numbers.
        memory: a snapshot to share with; memory of its own where left out.
    """

    def __init__(self, count: int, memory: "ValueSnapshot | None" = None) -> None:
        self.count = count
        self._shared: list[F64] = [] if memory is None else memory._shared
        self._seen = 0

    def write(self, values: F64) -> None:
        """Publishes all of them, float64 [count]."""
        self._shared.append(values.copy())

    def poll(self, values: F64) -> bool:
        """Copies the newest snapshot into `values`; False, and nothing copied, where there is none newer than
        the last one seen by this object.
        """
        if self._seen == len(self._shared):
            return False
        self._seen = len(self._shared)
        values[...] = self._shared[-1]
        return True

    def read_back(self, values: F64) -> int:
        """Copies what stands there into `values`; 0 before anything was written, else an even number."""
        if self._shared:
            values[...] = self._shared[-1]
        return 2 * len(self._shared)

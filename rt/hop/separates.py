"""What separates a file or a pipe: a `Separator`, or what stands in its place."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Separates(Protocol):
    """A `Separator`, or what stands in its place."""

    @property
    def samplerate(self) -> int:
        """See `Separator.samplerate`."""
        ...

    @property
    def channels(self) -> int:
        """See `Separator.channels`."""
        ...

    @property
    def stems(self) -> tuple[str, ...]:
        """See `Separator.stems`."""
        ...

    @property
    def latency_samples(self) -> int:
        """See `Separator.latency_samples`."""
        ...

    @property
    def nonfinite_samples(self) -> int:
        """See `Separator.nonfinite_samples`."""
        ...

    def process(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Separator.process`."""
        ...

    def flush(self) -> NDArray[np.float32]:
        """See `Separator.flush`."""
        ...

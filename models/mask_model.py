"""What the engine asks of a model: a mask per stem and hop."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtsep.models.voice_report import VoiceReport

State = dict[str, NDArray[np.generic]]


class MaskModel(Protocol):
    """Turns one spectrum frame into one mask per stem; keeps its own state between hops.

    `step` is called on the real-time path: it writes into `masks` and allocates nothing that grows.
    """

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of the stems, the residual left out."""
        ...

    @property
    def report(self) -> VoiceReport:
        """What the last step found; updated in place."""
        ...

    def step(self, spectrum: NDArray[np.complex64], masks: NDArray[np.float32]) -> None:
        """Writes masks [stems, bins], columns summing to at most 1, for spectrum [channels, bins]."""
        ...

    def skip(self) -> None:
        """One hop passes unseen: time moves on by a hop, everything else stays."""
        ...

    def reset(self) -> None:
        """Back to the state before the first hop."""
        ...

    def state_dict(self) -> State:
        """Copies of all arrays that later output depends on."""
        ...

    def load_state_dict(self, state: State) -> None:
        """Continues from `state_dict()` of a model of the same kind and sizes, sample-exactly."""
        ...

"""What the engine asks of a model: a mask per stem and hop."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtsep.models.voice_report import VoiceReport

RESIDUAL = "residual"  # the output after all stems: what they leave of the input
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
        """What the last step found of the stems that have a pitch, if any have; updated in place."""
        ...

    def step(self, spectrum: NDArray[np.complex64], masks: NDArray[np.float32]) -> None:
        """Writes masks [stems, bins], each in 0..1, for spectrum [channels, bins]; the residual's mask is
        1 - their sum."""
        ...

    def listen_to(self, heard: NDArray[np.bool_]) -> None:
        """Which outputs anybody listens to from the next hop on, until told otherwise: all at the start.

        A model may save what the others cost. Outputs that are heard stay as they are, sample for sample, and
        the sum of all outputs stays the input. Choosing is cheap: it may be done every hop.

        Args:
            heard: bool [stems + 1], the residual last.
        """
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

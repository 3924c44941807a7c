"""What runs the whole hop of many streams away from this processor: a GPU, behind one call per hop."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from rtsep.models.mask_model import State

F32 = NDArray[np.float32]

# Largest difference of a sample from the processor's, of full scale: by the same sums in another order, and
# by products in half precision (50 dB under full scale).
WHOLE_BOUND, HALF_BOUND = 1e-4, 3e-3


class HopResult(NamedTuple):
    """What a hop of S streams gives; the same arrays are written every time.

    Attributes:
        stems: float32 [S, V + 1, H, C], the residual last.
        f0_hz, level_db: float32 [S, V].
        merged: bool [S, V].
        nonfinite: int64 [S].
        history: float32 [S, C, N], the input that the next frame still holds.
        tail: float32 [S, V, C, 2M], what the frames so far add to the hops to come.
    """

    stems: F32
    f0_hz: F32
    level_db: F32
    merged: NDArray[np.bool_]
    nonfinite: NDArray[np.int64]
    history: F32
    tail: F32


class HopRunner(Protocol):
    """A hop program with its state. Anything that fails in it raises RuntimeError, as torch does.

    Attributes:
        backend: what it is called by on the command line.
        bound: largest difference from the processor that its arithmetic explains, of full scale.
    """

    backend: str
    bound: float

    def step(self, hop: F32, reset: NDArray[np.bool_], given_hz: F32) -> HopResult:
        """One hop of all streams, see `HopProgram.forward`."""
        ...

    def restore(self, history: F32, tail: F32) -> None:
        """Audio memories as of a `HopResult`, where a hop was made without the program."""
        ...

    def reset(self) -> None:
        """All streams back to before their first hop."""
        ...

    def state_dict(self) -> State:
        """Copies of everything later output depends on."""
        ...

    def load_state_dict(self, state: State) -> None:
        """Goes on from `state_dict()`."""
        ...


def one_line(error: Exception) -> str:
    """What a GPU's error says: they are paragraphs."""
    return " ".join(str(error).split())[:200] or "no reason given"

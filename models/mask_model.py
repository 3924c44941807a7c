"""What the hop pipeline asks of a model: a mask per stem and hop."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtsep.models.voice_report import VoiceReport

RESIDUAL = "residual"  # the output after all stems: what they leave of the input
State = dict[str, NDArray[np.generic]]
# The last word of states that hold log scores: a hypothesis that does not exist has -inf.
SCORES = "score"
# Before the memories of a program on a GPU, scores among them: they have numbers for names.
PROGRAM_PREFIX = "program."


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


class Stateful(Protocol):
    """Anything whose memory can be taken out and put back."""

    def state_dict(self) -> State:
        """Copies of all arrays that later output depends on."""
        ...

    def load_state_dict(self, state: State) -> None:
        """Continues from `state_dict()`, or raises and leaves everything as it was."""
        ...


def load_all(parts: Sequence[tuple[Stateful, State]]) -> None:
    """Loads a state into each part, or into none: one that refuses leaves all as they were.

    Raises:
        ValueError: what the refusing part says.
    """
    before = [part.state_dict() for part, _ in parts]
    try:
        for part, state in parts:
            part.load_state_dict(state)
    except BaseException:
        for (part, _), state in zip(parts, before, strict=True):
            part.load_state_dict(state)
        raise


def joined_state(parts: Mapping[str, Stateful]) -> State:
    """The states of parts as one, each name behind the prefix of its part."""
    return {prefix + name: v for prefix, part in parts.items() for name, v in part.state_dict().items()}


def load_joined(parts: Mapping[str, Stateful], state: State) -> None:
    """Continues from `joined_state`, every part or none.

    Raises:
        KeyError: a name that a part needs and `state` does not have.
        ValueError: what a part refuses.
    """
    load_all([(part, {n: state[prefix + n] for n in part.state_dict()}) for prefix, part in parts.items()])


def require_like(own: State, state: State, owner: str) -> None:
    """Compares names, shapes and types of two `state_dict()`, and takes finite numbers only.

    An infinite number would pass through every later hop, or stop one of them with an error.

    Args:
        own: of the part that is to go on.
        state: the one to go on from.
        owner: what the part is called in messages.

    Raises:
        ValueError: the first name that differs, what it is, and what it should be.
    """
    for name in sorted(own.keys() | state.keys(), key=str):
        have, got = (_described(each.get(name)) for each in (own, state))
        if have != got:
            raise ValueError(f"state {name!r} is {got}; this {owner} needs {have}")
        value = state[name]
        if not np.issubdtype(value.dtype, np.floating):
            continue
        finite = np.isfinite(value)
        if (name.rpartition(".")[2] == SCORES or name.startswith(PROGRAM_PREFIX)) and finite.any():
            finite |= value == -np.inf
        if not finite.all():
            raise ValueError(f"state {name!r} holds NaN or Inf")


def _described(array: object) -> str:
    if array is None:
        return "nothing"
    if not isinstance(array, np.ndarray):
        return f"a {type(array).__name__}"
    return f"{array.dtype} of shape {array.shape}"

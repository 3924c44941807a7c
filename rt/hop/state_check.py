"""Is a state one of this engine's? Asked before anything of it is taken."""

import numpy as np
from numpy.typing import NDArray

from rtsep.models.mask_model import State


def require_same_kind(own: State, state: State, owner: str) -> None:
    """Compares names, shapes, types and the sample rate of two `state_dict()`, and looks for NaN.

    Args:
        own: of the engine that is to go on.
        state: the one to go on from.
        owner: what the engine is called in messages.

    Raises:
        ValueError: the first name that differs, what it is, and what it should be.
    """
    for name in sorted(own.keys() | state.keys()):
        have = _described(own[name]) if name in own else "nothing"
        got = _described(state[name]) if name in state else "nothing"
        if have != got:
            raise ValueError(f"state {name!r} is {got}; this {owner} needs {have}")
        if np.isnan(state[name]).any():
            raise ValueError(f"state {name!r} holds NaN")
    if state["samplerate"] != own["samplerate"]:
        raise ValueError(f"state of {state['samplerate']} Hz; this {owner} runs at {own['samplerate']} Hz")


def _described(array: NDArray[np.generic]) -> str:
    return f"{array.dtype} of shape {array.shape}"

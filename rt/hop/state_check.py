"""Is a state one of this separator's? Asked before anything of it is taken."""

from rtsep.models.mask_model import State, require_like


def require_same_kind(own: State, state: State, owner: str) -> None:
    """Compares names, shapes, types and the sample rate of two `state_dict()`; takes finite numbers only.

    Args:
        own: of the separator that is to go on.
        state: the one to go on from.
        owner: what the separator is called in messages.

    Raises:
        ValueError: the first name that differs, what it is, and what it should be.
    """
    require_like(own, state, owner)
    if state["samplerate"] != own["samplerate"]:
        raise ValueError(f"state of {state['samplerate']} Hz; this {owner} runs at {own['samplerate']} Hz")
    for name, value in state.items():
        if name.rpartition(".")[2] in ("hops", "nonfinite_samples") and (value < 0).any():  # type: ignore[operator]
            raise ValueError(f"state {name!r} counts below 0")

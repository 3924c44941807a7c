"""A separator although the GPU that was asked for cannot be had: on stage something must play."""

from typing import TYPE_CHECKING

import numpy as np

from rtsep.kernels.errors import GpuMissing
from rtsep.models.mask_model import State
from rtsep.rt.hop.rendering import MASKS
from rtsep.rt.separator import Separator

if TYPE_CHECKING:
    from rtsep.models.choir.given_pitches import F0Track
    from rtsep.models.choir.parts.parts import Parts
    from rtsep.models.choir.score.score import Score


def load_or_fall_back(
    model: str | None,
    *,
    voices: int | None,
    samplerate: int,
    latency_ms: int,
    channels: int,
    backend: str,
    f0: "F0Track | None",
    stems: tuple[str, ...] | None = None,
    add_ons: tuple[str, ...] = (),
    render: str = MASKS,
    score: "Score | None" = None,
    parts: "Parts | None" = None,
) -> tuple[Separator, list[str]]:
    """`Separator.load`, on the processor where the GPU is missing; and what the user should know of that.

    Raises:
        RtsepError: as `Separator.load`, but for a missing GPU.
    """

    def load(where: str) -> Separator:
        return Separator.load(
            model,
            voices=voices,
            samplerate=samplerate,
            latency_ms=latency_ms,
            channels=channels,
            backend=where,
            f0=f0,
            stems=stems,
            add_ons=add_ons,
            render=render,
            score=score,
            parts=parts,
        )

    try:
        return load(backend), []
    except GpuMissing as missing:
        return load("cpu"), [f"{missing.problem}: it runs on the processor"]


def take_over(separator: Separator, state: State) -> None:
    """Goes on from the state of a separator with the same settings whose GPU may have come or gone since.

    Audio memories are the same on both; what only a GPU knew, the processor learns anew.
    """
    own = separator.state_dict()
    if "gpu_lost" in own and "gpu_lost" not in state:
        state = {**state, "gpu_lost": np.array(True)}
    separator.load_state_dict({name: state.get(name, value) for name, value in own.items()})

"""The assignment of pitches to voices as one operation of torch: the kernel of `triton_tracker` with its
shapes.

An operation of its own, so that what counts or captures a program sees one launch; Triton is imported by its
first call.
"""

from collections.abc import Sequence
from importlib.util import find_spec

import torch
from torch import Tensor

from rtsep.kernels import _core
from rtsep.kernels.assignments import all_assignments

HAS_TRITON = find_spec("triton") is not None


def fuses(device: torch.device) -> bool:
    """Whether the kernel runs there: on a GPU, with Triton, and where no compiler looks for operations it
    knows."""
    return HAS_TRITON and device.type == "cuda" and not torch.compiler.is_compiling()


def choices(voices: int) -> Tensor:
    """Every assignment: int32 [voices, a power of two], 0 = silence, p + 1 = peak p, of `all_assignments` in
    their order, then choices beyond the last peak, which no stream has."""
    every = torch.tensor(all_assignments(voices), dtype=torch.int32).T + 1
    lanes = 1 << (every.shape[1] - 1).bit_length()
    table = torch.full((voices, lanes), _core.PitchAssignment.PEAKS + 1, dtype=torch.int32)
    table[:, : every.shape[1]] = every
    return table


@torch.library.custom_op("rtsep::assign_pitches", mutates_args=())
def assign_pitches(
    outputs: Sequence[Tensor],
    before: Sequence[Tensor],
    assignments: Tensor,
    hop_s: float,
    memory: float,
    stride: int,
) -> list[Tensor]:
    """One hop of S streams.

    Args:
        outputs: salience, offset, unison [S, CANDIDATES], on one layout, of `PitchNet`.
        before: hops [S], then the state of `TensorTracker` up to its network's.
        assignments: `choices`.
        hop_s: seconds between looks.
        memory: what is left of a score after them.
        stride: looks are at every so many hops.

    Shape:
        returns the same as `before`, after the hop.
    """
    import triton

    from rtsep.models.gpu import triton_tracker

    salience, offset, unison = outputs
    if not salience.stride() == offset.stride() == unison.stride():
        salience, offset, unison = (x.contiguous() for x in outputs)
    before = [x.contiguous() for x in before]
    after = [torch.empty_like(x) for x in before]
    voices, lanes = assignments.shape
    with torch.cuda.device_of(salience):  # type: ignore[no-untyped-call]
        triton_tracker.assign_pitches[(salience.shape[0],)](
            *(salience, offset, unison, *before, assignments, *after),
            *salience.stride(),
            VOICES=voices,
            LANES=triton.next_power_of_2(voices),
            ASSIGNMENTS=lanes,
            HOP_S=hop_s,
            MEMORY=memory,
            STRIDE=stride,
            **triton_tracker.LAUNCH,
        )
    return after


@assign_pitches.register_fake
def _(
    outputs: Sequence[Tensor],
    before: Sequence[Tensor],
    assignments: Tensor,
    hop_s: float,
    memory: float,
    stride: int,
) -> list[Tensor]:
    return [torch.empty_like(x) for x in before]

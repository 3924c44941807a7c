"""What every network of the house is: one hop in, one hop out, its memory in plain sight.

The same `forward` is exported to ONNX, compiled to TensorRT plans, captured in CUDA graphs and trained, so
it has static shapes, no branch on data and no hidden state: a buffer changed inside `forward` would be frozen
as a constant by a compiler.
"""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


class HopNetwork(Protocol):
    """What a hop program asks of a network, or of a plan in its place: one hop, its memory in the open."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of what a hop gives."""
        ...

    def initial_state(self, batch: int) -> tuple[Tensor, ...]:
        """The memory before the first hop: zeros [batch, ...], in the order of `states`."""
        ...

    @property
    def __call__(self) -> Callable[..., tuple[Tensor, ...]]:
        """`forward`, one hop, with hooks."""
        ...


@runtime_checkable
class StepModule(HopNetwork, Protocol):
    """A `torch.nn.Module` with named inputs, outputs and states.

    `forward(*inputs, *state) -> (*outputs, *state)` is one hop, batch first. `sequence` is the same over T
    hops: inputs and outputs have time as axis 1, states have none; it may be computed in any order that gives
    the same numbers (`step_through` is its definition).
    """

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of what a hop is given."""
        ...

    @property
    def states(self) -> tuple[str, ...]:
        """Names of what a hop hands to the next."""
        ...

    def example_inputs(self, batch: int) -> tuple[Tensor, ...]:
        """Inputs of one hop [batch, ...]: right shapes, plausible values, in the order of `inputs`."""
        ...

    @property
    def sequence(self) -> Callable[..., tuple[Tensor, ...]]:
        """T hops."""
        ...


def step_through(module: StepModule, *args: Tensor) -> tuple[Tensor, ...]:
    """`sequence` by its definition:

    `forward` hop by hop, on the arguments and with the results of `sequence`.
    """
    inputs, state = args[: len(module.inputs)], args[len(module.inputs) :]
    hops: list[tuple[Tensor, ...]] = []
    for hop in range(inputs[0].shape[1]):
        results = module(*(x[:, hop] for x in inputs), *state)
        hops.append(results[: len(module.outputs)])
        state = results[len(module.outputs) :]
    return (*(torch.stack(hop_outputs, dim=1) for hop_outputs in zip(*hops, strict=True)), *state)

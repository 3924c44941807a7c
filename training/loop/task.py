"""What `rtsep.training.loop.fit` asks of a thing to be learnt."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from torch import Tensor, nn
from torch.optim import Optimizer

from rtsep.training.loop.settings import FitSettings
from rtsep.training.seeds import generator

Batch = Any  # tensors, or tuples, lists and dicts of them: moved to the device by the loop
Carried = tuple[Tensor, ...]


@dataclass(frozen=True)
class Draw:
    """Names the random numbers of one step: the same whenever, wherever and by however many processes it
    runs.

    A *stream* is one row of the batch over all steps. Streams `first .. first + count` belong to this
    process.
    """

    seed: int
    step: int
    first: int
    count: int

    @property
    def streams(self) -> range:
        """This process's rows of the batch."""
        return range(self.first, self.first + self.count)

    def rng(self, name: str, stream: int, hold: int = 1) -> np.random.Generator:
        """Random numbers of a stream in this step.

        Args:
            name: what is drawn with them: two draws of one step and stream need two names.
            stream: one of `streams`.
            hold: the same numbers for `hold` steps in a row. A task that cuts long items into `hold` segments
                for truncated back-propagation draws the item with them and takes segment `step % hold`.
        """
        return generator(self.seed, f"stream: {name}", self.step // hold, stream)

    def step_rng(self, name: str) -> np.random.Generator:
        """Random numbers of what all streams, in all processes, share in this step; `name` as of `rng`."""
        return generator(self.seed, f"step: {name}", self.step)


class Loss(NamedTuple):
    """What a batch gave."""

    loss: Tensor  # a scalar, the mean over this process's streams
    logs: Mapping[str, Tensor | float]  # scalars for TensorBoard
    carried: Carried = ()  # what the next step is given; cut off from the graph by the loop


@runtime_checkable
class BringsOptimizer(Protocol):
    """A task whose parameters are not all stepped alike."""

    def optimizer(self, learnt: list[nn.Parameter], settings: FitSettings) -> Optimizer:
        """In place of one AdamW over all of `learnt`; the loop sets the learning rate of its groups."""
        ...


class Task(Protocol):
    """A network, its data and its loss.

    Randomness outside `Draw` comes from torch's generator, which the loop seeds.
    """

    @property
    def module(self) -> nn.Module:
        """The network; parameters without `requires_grad` stay as they are."""
        ...

    def carried(self, streams: int) -> Carried:
        """What the first step is given:

        Tensors [streams, ...], or () if nothing is carried from step to step.
        """
        ...

    def batch(self, draw: Draw) -> Batch:
        """The rows `draw.streams` of a step, on the CPU. Runs in another process where `workers` > 0."""
        ...

    def loss(self, module: nn.Module, batch: Batch, carried: Carried) -> Loss:
        """The loss of a batch.

        Several GPUs rely on every parameter to be learnt taking part in every step. On one device, those
        without a gradient stay as they are to the bit, averages of their gradients included.
        """
        ...

    def validate(self, module: nn.Module) -> dict[str, float]:
        """Measures for TensorBoard;

        `score` is the one to maximise. Runs on one process, without gradients.
        """
        ...

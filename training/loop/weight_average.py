"""Exponential moving average of the weights:

What is validated and shipped wavers less than what is trained.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """Follows the floating-point weights and buffers of a module.

    Args:
        decay: share of the old average per step, reached slowly so that the first steps are forgotten; 0 = no
            average.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._module = module
        self._decay = decay
        self._live = [t for t in module.state_dict().values() if t.is_floating_point()]
        self._average = [t.detach().clone() for t in self._live] if decay else []

    @torch.no_grad()
    def update(self, step: int) -> None:
        """After the optimiser's step number `step`, counted from 0."""
        if self._average:
            decay = min(self._decay, (1.0 + step) / (10.0 + step))
            torch._foreach_lerp_(self._average, self._live, 1.0 - decay)

    @contextmanager
    def swapped_in(self) -> Iterator[None]:
        """While entered, the module holds the average."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for average, live in zip(self._average, self._live, strict=bool(self._average)):
            kept = average.clone()
            average.copy_(live)
            live.copy_(kept)

    def state(self) -> list[Tensor]:
        """For a checkpoint; empty without an average."""
        return self._average

    @torch.no_grad()
    def load_state(self, state: list[Tensor]) -> None:
        """Goes on from a checkpoint; one without an average leaves the weights as the average."""
        if state:
            for average, saved in zip(self._average, state, strict=bool(self._average)):
                average.copy_(saved)
        else:
            for average, live in zip(self._average, self._live, strict=bool(self._average)):
                average.copy_(live)

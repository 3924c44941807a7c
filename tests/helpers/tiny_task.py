"""A task small enough to train in a test: a recurrent network learns to sum, with carried state.

As a program: `python tiny_task.py FOLDER STEPS` trains it in as many processes as `torchrun` started.
"""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from rtsep.models.networks.gru_cell import GruCell
from rtsep.training.loop.settings import FitSettings
from rtsep.training.loop.task import Carried, Draw, Loss


class Summing(nn.Module):
    """Recurrent, with dropout and a buffer: all that a checkpoint could forget."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = GruCell(2, 8)
        self.out = nn.Linear(8, 1)
        self.dropout = nn.Dropout(0.2)
        self.register_buffer("seen", torch.zeros(()))


class SumTask:
    """Each stream holds the same numbers for three steps and hears the next ten of them in each.

    Args:
        dropout: False where runs of different numbers of processes are compared.
        interrupt_at: step in which the process sends itself SIGINT.
        broken: steps whose data are not finite.
        scores: of the validations, in their order; None measures the loss.
    """

    def __init__(
        self,
        dropout: bool = True,
        interrupt_at: int = -1,
        broken: range = range(0),
        scores: tuple[float, ...] | None = None,
    ) -> None:
        torch.manual_seed(0)
        self.module = Summing()
        self.module.dropout.p = 0.2 if dropout else 0.0
        self._interrupt_at, self._broken, self._scores = interrupt_at, broken, scores

    def carried(self, streams: int) -> Carried:
        return (torch.zeros(streams, 8),)

    def batch(self, draw: Draw) -> tuple[Tensor, bool]:
        segment = slice(10 * (draw.step % 3), 10 * (draw.step % 3 + 1))
        numbers = [draw.rng("numbers", stream, hold=3).standard_normal((30, 2)) for stream in draw.streams]
        heard = [of_stream[segment] for of_stream in numbers]
        if draw.step == self._interrupt_at:
            os.kill(os.getpid(), signal.SIGINT)
        x = torch.from_numpy(np.array(heard, dtype=np.float32))
        return (x * torch.nan if draw.step in self._broken else x), draw.step % 3 == 0

    def loss(self, module: nn.Module, batch: tuple[Tensor, bool], carried: Carried) -> Loss:
        assert isinstance(module, Summing)
        x, begins = batch
        h = torch.zeros_like(carried[0]) if begins else carried[0]
        states, h = module.cell.sequence(x, h)
        module.seen += 1
        error = module.out(module.dropout(states))[..., 0] - x.sum(-1)
        return Loss(error.square().mean(), {"error": error.abs().mean()}, (h,))

    def validate(self, module: nn.Module) -> dict[str, float]:
        if self._scores is not None:
            score, *rest = self._scores
            self._scores = tuple(rest)
            return {"score": score}
        draw = Draw(99, 0, 0, 4)
        loss = float(self.loss(module, self.batch(draw), self.carried(4)).loss.detach())
        return {"score": -loss, "loss": loss}


SETTINGS = FitSettings(
    steps=24,
    batch=4,
    learning_rate=0.03,
    warmup_steps=5,
    checkpoint_every=8,
    validate_every=8,
    ema_decay=0.9,
)

if __name__ == "__main__":
    import dataclasses

    from rtsep.training.loop.fit import fit

    task = SumTask(dropout=False)
    fit(task, dataclasses.replace(SETTINGS, steps=int(sys.argv[2])), Path(sys.argv[1]), messages=None)
    rank = os.environ.get("RANK", "0")
    torch.save(task.module.state_dict(), Path(sys.argv[1]) / f"weights-{rank}.pt")

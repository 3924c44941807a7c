"""The training loop of every network: deterministic, resumable, on one CPU core or many GPUs.

A run is a folder: `last.pt` to go on from, `best.pt` with the weights that validated best
(`checkpoint.load_best`), `tensorboard/`. `fit` on a folder that holds a run goes on with exactly the batches
the run would have had; steps, minutes and numbers of processes may differ, on one CPU process the result is
the same to the bit. The batch is shared out over the processes by streams, so that two of them learn what one
learns.
"""

import itertools
import math
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from rtsep.kernels.errors import RtsepError
from rtsep.rt.stop import StopSignals
from rtsep.training.loop import checkpoint, processes
from rtsep.training.loop.screen import LOG_EVERY, FitScreen
from rtsep.training.loop.settings import FitSettings
from rtsep.training.loop.task import Batch, BringsOptimizer, Carried, Draw, Loss, Task
from rtsep.training.loop.weight_average import WeightAverage
from rtsep.training.seeds import torch_seed

BROKEN_STEPS = 50  # steps in a row without a finite gradient: the run will not recover


class Fitted(NamedTuple):
    """Where a run ended."""

    step: int
    measures: dict[str, float]  # of the last validation; {} before the first
    best_score: float  # -inf before the first validation


def fit(task: Task, settings: FitSettings, folder: Path, messages: TextIO | None = sys.stderr) -> Fitted:
    """Trains `task.module` until `settings.steps` or `settings.minutes` are over, from the start or from
    `folder/last.pt`.

    Ctrl-C or `kill` finish the step and write a checkpoint; killed without notice, the run goes on from the
    last one.

    Raises:
        RtsepError: the folder's run has another seed, batch or network, the device is not there, or the loss
            is not finite for long.
        Stopped: by a signal, after the checkpoint.
    """
    with StopSignals() as stop:
        run = _Run(task, settings, folder, messages)
        try:
            run.train(stop)
        finally:
            run.close()
        stop.check()
        return Fitted(run.step, run.measures, run.best_score)


class _LossOf(nn.Module):
    """The loss as a module:

    What wraps it (gradient sums, precision) sees one `forward`, whatever the task calls inside.
    """

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task = task
        self.module = task.module

    def forward(self, batch: Batch, carried: Carried) -> Loss:
        return self.task.loss(self.module, batch, carried)


class _Batches(Dataset[Batch]):
    """Batches of one process by step."""

    def __init__(self, task: Task, seed: int, first: int, count: int) -> None:
        self._task = task
        self._seed, self._first, self._count = seed, first, count

    def __getitem__(self, step: int) -> Batch:
        return self._task.batch(Draw(self._seed, step, self._first, self._count))


class _Run:
    """One `fit` in one process."""

    def __init__(self, task: Task, settings: FitSettings, folder: Path, messages: TextIO | None) -> None:
        self._task, self._settings, self._folder = task, settings, folder
        folder.mkdir(parents=True, exist_ok=True)
        fabric = self._fabric = processes.start(settings)
        self._count = settings.batch // fabric.world_size
        self._first = self._count * fabric.global_rank
        learnt = [p for p in task.module.parameters() if p.requires_grad]
        optimizer = (
            task.optimizer(learnt, settings)
            if isinstance(task, BringsOptimizer)
            else torch.optim.AdamW(learnt, lr=settings.learning_rate, weight_decay=settings.weight_decay)
        )
        self._learnt = learnt
        self._loss, self._optimizer = fabric.setup(_LossOf(task), optimizer)
        self._average = WeightAverage(task.module, settings.ema_decay)
        self.step = 0
        self.measures: dict[str, float] = {}
        self.best_score = -math.inf
        self._validated = -1  # step of `measures`
        self._elapsed_s = 0.0
        self._carried = self._fresh()
        self._resume()
        self._began = time.monotonic() - self._elapsed_s
        self._screen = FitScreen(folder, self.step, messages) if fabric.is_global_zero else None

    def train(self, stop: StopSignals) -> None:
        settings, broken = self._settings, 0
        batches = self._batches()
        self._task.module.train()
        while True:
            self._elapsed_s, signum = processes.largest(
                self._fabric, time.monotonic() - self._began, float(stop.signum)
            )
            share = self._share()
            if signum:
                stop.signum = int(signum)  # another process's, maybe
                break
            if share >= 1.0:
                if self._validated != self.step:
                    self._validate()
                break
            broken = 0 if self._one_step(next(batches), share) else broken + 1
            if broken == BROKEN_STEPS:
                raise RtsepError(
                    f"the gradient is not finite for {broken} steps in a row up to step {self.step}",
                    "lower learning_rate, or look at the data",
                )
            if settings.validate_every and self.step % settings.validate_every == 0:
                self._validate()
            if self.step % settings.checkpoint_every == 0:
                self._save()
        self._save()

    def close(self) -> None:
        if self._screen is not None:
            self._screen.close()

    def _one_step(self, batch: Batch, share: float) -> bool:
        """False if the gradient was not finite: then nothing is learnt and nothing carried on."""
        for group in self._optimizer.param_groups:
            group["lr"] = self._learning_rate(share)
        torch.manual_seed(torch_seed(self._settings.seed, "step of the loop", self.step, self._first))
        loss, logs, carried = self._loss(self._fabric.to_device(batch), self._carried)
        self._fabric.backward(loss)
        norm = nn.utils.clip_grad_norm_(self._learnt, self._settings.grad_clip)
        finite = bool(torch.isfinite(norm))
        if finite:
            self._optimizer.step()
        self._carried = tuple(t.detach() for t in carried) if finite else self._fresh()
        self._optimizer.zero_grad(set_to_none=True)
        self._average.update(self.step)
        self.step += 1
        if self._screen is not None and self.step % LOG_EVERY == 0:
            values = {name: float(torch.as_tensor(value).detach()) for name, value in logs.items()}
            values |= {"gradient_norm": float(norm), "learning_rate": self._learning_rate(share)}
            self._screen.step(self.step, share, float(loss.detach()), values)
        return finite

    def _share(self) -> float:
        """How much of the run is done, 0..1."""
        of_steps = self.step / self._settings.steps if self._settings.steps else 0.0
        minutes = self._settings.minutes
        return max(of_steps, self._elapsed_s / (60.0 * minutes) if minutes else 0.0)

    def _learning_rate(self, share: float) -> float:
        """Linear rise, then half a cosine down."""
        s = self._settings
        warm = min(1.0, (self.step + 1) / s.warmup_steps) if s.warmup_steps else 1.0
        fall = 0.5 + 0.5 * math.cos(math.pi * min(1.0, share))
        return warm * (s.final_learning_rate + (s.learning_rate - s.final_learning_rate) * fall)

    def _validate(self) -> None:
        """By the averaged weights, on the first process; the others wait."""
        if self._fabric.is_global_zero:
            module = self._task.module
            module.eval()
            with self._average.swapped_in(), torch.no_grad():
                self.measures = self._task.validate(module)
                score = self.measures["score"]
                better = score > self.best_score
                if better:
                    self.best_score = score
                    weights = {name: tensor.cpu() for name, tensor in module.state_dict().items()}
                    best = {"weights": weights, "measures": self.measures, "step": self.step}
                    checkpoint.save(self._folder / checkpoint.BEST, best)
            module.train()
            assert self._screen is not None
            self._screen.validated(self.step, self.measures, better)
        self._validated = self.step
        self._fabric.barrier()

    def _save(self) -> None:
        carried = [processes.all_streams(self._fabric, tensor) for tensor in self._carried]
        if not self._fabric.is_global_zero:
            return
        content = {
            "seed": self._settings.seed,
            "batch": self._settings.batch,
            "step": self.step,
            "elapsed_s": self._elapsed_s,
            "weights": self._task.module.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "average": self._average.state(),
            "carried": carried,
            "measures": self.measures,
            "validated": self._validated,
            "best_score": self.best_score,
        }
        checkpoint.save(self._folder / checkpoint.LAST, content)

    def _resume(self) -> None:
        file = self._folder / checkpoint.LAST
        if not file.exists():
            return
        saved = checkpoint.load(file)
        for name in ("seed", "batch"):
            if saved[name] != getattr(self._settings, name):
                raise RtsepError(
                    f"{file} was trained with {name} = {saved[name]}, not {getattr(self._settings, name)}",
                    "give that, or another folder",
                )
        checkpoint.into(self._task.module, saved["weights"], file)
        self._optimizer.load_state_dict(saved["optimizer"])
        self._average.load_state(saved["average"])
        rows = slice(self._first, self._first + self._count)
        self._carried = tuple(self._fabric.to_device(tensor[rows]) for tensor in saved["carried"])
        self.step, self._elapsed_s = saved["step"], saved["elapsed_s"]
        self.measures, self._validated = saved["measures"], saved["validated"]
        self.best_score = saved["best_score"]

    def _fresh(self) -> Carried:
        return tuple(self._fabric.to_device(tensor) for tensor in self._task.carried(self._count))

    def _batches(self) -> Iterator[Batch]:
        steps = itertools.count(self.step)
        return iter(
            DataLoader(
                _Batches(self._task, self._settings.seed, self._first, self._count),
                batch_size=None,
                sampler=steps,
                num_workers=self._settings.workers,
                worker_init_fn=_leave_signals,
                pin_memory=self._settings.device == "cuda",
            )
        )


def _leave_signals(worker: int) -> None:
    """Ctrl-C reaches every process of the terminal; a worker ends when its parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)

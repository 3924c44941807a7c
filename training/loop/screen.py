"""What a training run shows: scalars in TensorBoard, a bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

PLAIN_PERIOD_S = 30.0  # logs of long runs stay short
LOG_EVERY = 10  # steps between scalars: reading one off a GPU waits for it


class FitScreen:
    """Bar, lines and scalars of one process.

    Args:
        folder: TensorBoard's files go to `folder/tensorboard`; scalars of steps from `step` on are written
            anew.
        step: where the run goes on.
        messages: stream for the bar or the lines; None shows nothing.
    """

    def __init__(self, folder: Path, step: int, messages: TextIO | None) -> None:
        from torch.utils.tensorboard import SummaryWriter

        scalars = folder / "tensorboard"
        self._scalars = SummaryWriter(str(scalars), purge_step=step)
        self._messages = messages
        self._next_line = time.monotonic() + PLAIN_PERIOD_S
        self._first, self._started = step, time.monotonic()
        self._bar = None
        if messages is not None and messages.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                BarColumn(),
                TextColumn("{task.fields[line]}", markup=False),
                TimeRemainingColumn(),
                console=Console(file=messages, markup=False),
                transient=True,
            )
            self._task = self._bar.add_task("", total=1.0, line="")
            self._bar.start()

    def step(self, step: int, share: float, loss: float, logs: Mapping[str, float]) -> None:
        """Step number `step` is done, `share` of the run; `loss` and `logs` of its batch."""
        self.scalars(step, {"loss": loss, **logs}, "train")
        now = time.monotonic()
        speed = (step - self._first) / max(1e-9, now - self._started)
        line = f"step {step}  loss {loss:.4g}  {speed:.3g} steps/s"
        if self._bar is not None:
            self._bar.update(self._task, completed=share, line=line)
        elif self._messages is not None and now >= self._next_line:
            self._next_line = now + PLAIN_PERIOD_S
            print(f"{100 * share:3.0f} %  {line}", file=self._messages, flush=True)

    def validated(self, step: int, measures: Mapping[str, float], best: bool) -> None:
        """Measures of a validation after `step` steps."""
        self.scalars(step, measures, "validation")
        if self._messages is not None:
            words = "  ".join(f"{name} {value:.4g}" for name, value in measures.items())
            line = f"step {step}  {words}{'  best so far' if best else ''}"
            if self._bar is not None:
                self._bar.console.print(line, highlight=False)
            else:
                print(line, file=self._messages, flush=True)

    def scalars(self, step: int, values: Mapping[str, float], group: str) -> None:
        """Into TensorBoard alone."""
        for name, value in values.items():
            self._scalars.add_scalar(f"{group}/{name}", value, step)

    def close(self) -> None:
        """The bar goes, scalars reach the disk."""
        if self._bar is not None:
            self._bar.stop()
        self._scalars.close()

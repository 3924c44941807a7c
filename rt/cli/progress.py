"""How far a file is, and what came of it: a bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable
from typing import Self, TextIO

from rtsep.rt.cli.messages import Messages, has_room
from rtsep.rt.offline import RunSummary
from rtsep.rt.stop import Stopped

# Logs of long jobs stay short.
PLAIN_PERIOD_S = 10.0
BAR_PERIOD_S = 0.1  # what an eye takes for steady


class Progress:
    """Counts frames of a run. What becomes of the bar or the lines is nothing that the run depends on.

    Args:
        frames: expected, None where unknown.
        samplerate: Hz.
        stream: where the bar is drawn if it is a terminal; None shows nothing.
        messages: takes the lines elsewhere.
    """

    def __init__(
        self, frames: int | None, samplerate: int, stream: TextIO | None, messages: Messages
    ) -> None:
        self._frames = frames
        self._samplerate = samplerate
        self._stream = stream
        self._messages = messages
        self._next_line = time.monotonic() + PLAIN_PERIOD_S
        self._bar = None
        if stream is not None and stream.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            total = "?" if frames is None else f"{frames / samplerate:.1f}"
            self._bar = Bar(
                BarColumn(),
                TextColumn(
                    "{task.fields[done_s]:.1f} of " + total + " s  {task.fields[speed]:.1f} x real time",
                    markup=False,
                ),
                TimeRemainingColumn(),
                console=Console(file=stream, markup=False),
                transient=True,
                auto_refresh=False,  # drawn here, where an error of the terminal can be met
            )
            self._task = self._bar.add_task("", total=frames, done_s=0.0, speed=0.0)
            self._started = time.monotonic()
            self._next_draw = self._started

    def update(self, frames: int) -> None:
        """Shows that `frames` frames are done."""
        done_s = frames / self._samplerate
        now = time.monotonic()
        if self._bar is not None and self._stream is not None:
            # a terminal that is held (Ctrl-S) has no room: the bar stands still, the run goes on
            if now >= self._next_draw and has_room(self._stream):
                self._next_draw = now + BAR_PERIOD_S
                speed = done_s / max(1e-9, now - self._started)
                self._bar.update(self._task, completed=frames, done_s=done_s, speed=speed)
                self._draw(self._bar.refresh)
        elif self._stream is not None and now >= self._next_line:
            self._next_line = now + PLAIN_PERIOD_S
            share = f"{100 * frames / self._frames:3.0f} %  " if self._frames else ""
            self._messages.offer(f"{share}{done_s:.1f} s done")

    def _draw(self, action: Callable[[], None]) -> None:
        try:
            action()
        except (OSError, ValueError):  # the terminal is gone
            self._bar = None

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._draw(self._bar.start)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._bar is not None:
            self._draw(self._bar.stop)


def stopped_note(summary: RunSummary, stopped: Stopped) -> str:
    """What a run that the user ended leaves."""
    if summary.both_ways and not summary.frames:
        return (
            f"stopped by {stopped} before the last pass, which gives the stems: none was written "
            "(--offline off gives them as it goes)"
        )
    return f"stopped by {stopped}; the output holds the first {summary.duration_s:.2f} s"


def summary_lines(summary: RunSummary, output: str | None, why_live: str = "") -> list[str]:
    """The end of a run in words: stems with levels, length, exact latency, real-time factor.

    `why_live` says why a file was not heard from both ends; empty where there is nothing to explain. No
    lines where nothing came out.
    """
    if summary.both_ways and not summary.frames:
        return []
    width = max(len(stem.name) for stem in summary.stems)
    lines = [
        f"{stem.name:<{width}}  peak {stem.peak_dbfs:7.1f} dBFS  RMS {stem.rms_dbfs:7.1f} dBFS"
        + ("  above full scale" if stem.clipped else "")
        for stem in summary.stems
    ]
    where = "standard output" if output == "-" else f"{output}"
    kept = "left in the output" if summary.latency_kept else "removed: the output is aligned to the input"
    how = f"latency {summary.latency_samples} samples ({summary.latency_ms:.2f} ms), {kept}"
    if summary.both_ways:
        how = "decided from both ends of the file: no latency (--offline off: hop by hop, as live)"
    faster = 1.0 / summary.real_time_factor if summary.real_time_factor else 0.0
    return [
        *lines,
        f"{summary.duration_s:.2f} s, {summary.channels} channel(s), {summary.samplerate} Hz -> {where}",
        how,
        *([f"decided hop by hop, as live: {why_live}"] if why_live else []),
        f"real-time factor {summary.real_time_factor:.3f} ({faster:.1f} times faster than real time)",
    ]

"""What the evaluating subcommands share: lists of names, places for results, how far they are."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rtsep.kernels.errors import RtsepError
from rtsep.rt.stop import Stopped, StopSignals
from rtsep.training.evaluation.evaluate import OnProgress
from rtsep.training.report.report import Report

PLAIN_PERIOD_S = 10.0  # between two lines in a log
LOG_COLUMNS = 160  # where there is no terminal whose width is known, no cell of a table is broken


def results_console() -> Console:
    """Standard output for tables, whole lines of them in a log or a pipe."""
    return Console(markup=False, width=None if sys.stdout.isatty() else LOG_COLUMNS)


@contextmanager
def progress_bar() -> Iterator[OnProgress]:
    """How far a long command is, on standard error: called with (done, total, label).

    A bar on a terminal, lines elsewhere; `kill` and Ctrl-C end with a line that says how far it was.
    """
    reached = ""

    def remember(done: int, total: int, label: str) -> None:
        nonlocal reached
        reached = f" after {done} of {total} steps"
        show(done, total, label)

    with _bar() if sys.stderr.isatty() else _lines() as show:
        try:
            with StopSignals() as signals, signals.interruptible():
                yield remember
        except Stopped as stopped:
            print(f"stopped by {stopped}{reached}", file=sys.stderr, flush=True)
            raise


@contextmanager
def _lines() -> Iterator[OnProgress]:
    next_line = 0.0

    def show(done: int, total: int, label: str) -> None:
        nonlocal next_line
        now = time.monotonic()
        if now >= next_line:
            next_line = now + PLAIN_PERIOD_S
            print(
                f"{100 * done / max(1, total):3.0f} %  {done} of {total}  {label}",
                file=sys.stderr,
                flush=True,
            )

    yield show


@contextmanager
def _bar() -> Iterator[OnProgress]:
    bar = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*bar, console=Console(stderr=True, markup=False), transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total, label: progress.update(task, completed=done, total=total, description=label)


def require_places(json_file: Path | None, folder: Path | None) -> None:
    """Asked before the work begins: an hour later is no time to hear that something is missing.

    Raises:
        RtsepError: no folder for --json, --report is a file, or nothing to draw with.
    """
    if json_file is not None and not json_file.absolute().parent.is_dir():
        raise RtsepError(f"--json {json_file}: {json_file.parent} is not a folder", "create it first")
    if folder is not None:
        if folder.exists() and not folder.is_dir():
            raise RtsepError(f"--report {folder} is a file", "name a folder")
        try:
            import matplotlib  # noqa: F401
        except ImportError as error:
            raise RtsepError(f"--report cannot draw: {error}", "run pip install 'rtsep[eval]'") from None


def words(option: str, text: str) -> tuple[str, ...]:
    """A comma-separated list, without repetitions."""
    found = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    if not found:
        raise RtsepError(f"{option} names nothing", "give at least one name")
    return found


def choices(option: str, text: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """A comma-separated list of `allowed` words."""
    chosen = words(option, text)
    for word in chosen:
        if word not in allowed:
            raise RtsepError(f"{option} {word!r} is not one of {', '.join(allowed)}", "choose from these")
    return chosen


def write_json(option: str, file: Path, found: Report) -> None:
    """A report as JSON.

    Raises:
        RtsepError: the file cannot be written.
    """
    try:
        file.write_text(json.dumps(found, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise RtsepError(
            f"{option} {file} cannot be written ({error.strerror})", "choose another path"
        ) from None

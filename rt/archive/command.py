"""`rtsep batch FOLDER --output DIR`: options, progress, report, exit code."""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

import rtsep
from rtsep.kernels.errors import RtsepError
from rtsep.models.build import ModelChoice
from rtsep.rt.archive.batch import BEFORE, DONE, DUPLICATE, FAILED, Batch, Entry
from rtsep.rt.archive.done_record import work_room
from rtsep.rt.archive.job import STOP
from rtsep.rt.archive.recordings import Recording, find_recordings
from rtsep.rt.archive.workers import cluster_workers, local_workers
from rtsep.rt.audio.part_file import place
from rtsep.rt.cli.command_group import SectionOption
from rtsep.rt.cli.main import root
from rtsep.rt.cli.messages import EXIT_BROKEN_PIPE, Messages, has_room, printable
from rtsep.rt.stop import Stopped, StopSignals

EXIT_FAILURES = 5
REPORT = "report.json"
MAX_JOBS = 1024
# Whatever changes what a separation gives belongs to the archive's command too.
OF_OTHER_SECTIONS = ("input_channels", "offline")
SEPARATION = [
    p
    for p in root.params
    if isinstance(p, SectionOption) and (p.section == "Separation" or p.name in OF_OTHER_SECTIONS)
]


@click.command("batch", params=[*SEPARATION])
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--output", required=True, type=click.Path(path_type=Path), metavar="DIR",
              help="Folder of stems: a folder for each recording, in the archive's tree.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1, MAX_JOBS), metavar="N",
              help="Recordings at a time; as many as there are cores unless given.")  # fmt: skip
@click.option("--cluster", metavar="dask://HOST:PORT",
              help="On the workers of a Dask cluster, which see the same folders.")  # fmt: skip
@click.option("--pitches", is_flag=True,
              help="Beside the stems a picture of the pitches and their table, as of --f0-out.")  # fmt: skip
@click.option("--quiet", is_flag=True, help="Nothing but errors.")
@click.option("--json", "as_json", is_flag=True, help="The report as one JSON object on standard output.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    folder: Path,
    output: Path,
    jobs: int | None,
    cluster: str | None,
    pitches: bool,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Separates every recording in FOLDER and below, each as `rtsep --input FILE --output ...` does.

    Run again, it goes on: a recording whose content and settings are those of stems that are there is left,
    a half-written one is done again. DIR/report.json tells about all; exit code 5 where some failed.
    """
    if jobs is not None and cluster is not None:
        raise RtsepError(f"--jobs {jobs} does not go with --cluster", "the cluster's workers say how many")
    if not folder.is_dir():
        raise RtsepError(f"{folder} is no folder", "give the folder of the recordings")
    if pitches:
        _require_matplotlib()
    folder, output = folder.absolute(), Path(os.path.expanduser(output)).absolute()
    if output.resolve() == folder.resolve():
        raise RtsepError(
            f"--output {output} is the archive itself", "give a folder of its own, inside it or not"
        )
    archive = find_recordings(folder, output)
    if not archive.recordings:
        raise RtsepError(f"{folder} has no recordings among {archive.others} files", "give another folder")
    choice = ModelChoice(options["model"], options["voices"], options["stems"], options["add_ons"])
    choice.names()
    given = _given(ctx)
    settings = {
        "rtsep": rtsep.__version__,
        "options": list(given),
        "model_sha256": [part.sha256 for part in (choice.found, *choice.found_add_ons)],
        "pitches": pitches,
    }
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers_of = local_workers(jobs or cores) if cluster is None else cluster_workers(cluster)
    messages = Messages(sys.stdout if not (quiet or as_json) else None)
    started = time.monotonic()
    STOP.clear()
    with StopSignals() as signals, work_room(output) as room, workers_of as workers:
        messages.line(f"{len(archive.recordings)} recordings, {workers.name} -> {output}")
        screen = _Screen(archive.recordings, messages, bar=not (quiet or as_json))
        batch = Batch(
            archive,
            output,
            room,
            settings=settings,
            options=given,
            pitches=pitches,
            workers=workers,
            on_entry=screen.settled,
            on_look=screen.draw,
        )
        early: Stopped | RtsepError | None
        try:
            with screen:
                early = batch.run(signals)
        except RtsepError as error:  # the cluster is gone
            early = error
        finally:
            STOP.set()
            batch.leave()
        report = batch.report(time.monotonic() - started, str(early) if early else None)
        place(output / REPORT, (json.dumps(report, indent=1) + "\n").encode())
    code = early.exit_code if isinstance(early, Stopped) else 0
    code = _end(report, output, code, quiet=quiet, as_json=as_json)
    if isinstance(early, RtsepError):
        raise early
    ctx.exit(code)


def _end(report: dict[str, Any], output: Path, code: int, *, quiet: bool, as_json: bool) -> int:
    """Says how it went; the exit code."""
    counts = report["counts"]
    if as_json:
        out = Messages(sys.stdout)
        out.line(json.dumps(report))
        if isinstance(out.failure, BrokenPipeError):
            return EXIT_BROKEN_PIPE
    elif not quiet:
        times = f"{report['duration_s']:.0f} s of sound in {report['elapsed_s']:.0f} s"
        rest = [name for name in ("done_before", "duplicate", "failed", "left", "not_audio") if counts[name]]
        parts = [f"{counts['done']} separated ({times})"]
        parts += [f"{counts[name]} {name.replace('_', ' ')}" for name in rest]
        Messages(sys.stdout).line("; ".join(parts) + f"; {output / REPORT}")
    errors = Messages(sys.stderr)
    for entry in report["recordings"]:
        if entry["state"] == FAILED:
            errors.line(f"rtsep: failed: {entry['input']}: {entry['error']}")
    return code or (EXIT_FAILURES if counts["failed"] else 0)


def _require_matplotlib() -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise RtsepError("--pitches needs matplotlib", "install it: pip install 'rtsep[eval]'") from None


def _given(ctx: click.Context) -> tuple[str, ...]:
    """The separation's options of this command line as words of the root command; folders by full paths."""
    words: list[str] = []
    for parameter in SEPARATION:
        if ctx.get_parameter_source(str(parameter.name)) is not click.core.ParameterSource.COMMANDLINE:
            continue
        value = ctx.params[str(parameter.name)]
        if getattr(parameter, "is_flag", False):
            names = parameter.opts if value else parameter.secondary_opts
            words += names[:1]
            continue
        for one in value if parameter.multiple else [value]:
            text = ",".join(map(str, one)) if isinstance(one, tuple | list) else str(one)
            words += [parameter.opts[0], os.path.abspath(text) if os.path.isdir(text) else text]
    return tuple(words)


class _Screen:
    """A bar with the time left on a terminal, a line for each recording elsewhere."""

    def __init__(self, recordings: list[Recording], messages: Messages, *, bar: bool) -> None:
        self._messages, self._count, self._all = messages, 0, len(recordings)
        self._bar = None
        if bar and sys.stdout.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (
                BarColumn(),
                TextColumn("{task.fields[done]} of {task.fields[all]}", markup=False),
                TimeRemainingColumn(),
                TextColumn("{task.fields[last]}", markup=False),
            )
            # drawn by `draw`, where a terminal that is held or gone can be met
            self._bar = Progress(*columns, console=Console(markup=False), transient=True, auto_refresh=False)
            size = sum(max(1, r.size_bytes) for r in recordings)
            self._task = self._bar.add_task("", total=size, done=0, all=self._all, last="")

    def __enter__(self) -> None:
        if self._bar is not None:
            self._try(self._bar.start)

    def __exit__(self, *exc: object) -> None:
        if self._bar is not None:
            self._try(self._bar.stop)

    def draw(self) -> None:
        """Brings the bar up to date, where the terminal has room for it."""
        if self._bar is not None and has_room(sys.stdout):
            self._try(self._bar.refresh)

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except (OSError, ValueError):
            self._bar = None

    def settled(self, recording: Recording, entry: Entry) -> None:
        """A recording is."""
        self._count += 1
        words = f"{entry.state}: {entry.input}"
        if self._bar is not None:
            size = max(1, recording.size_bytes)
            self._bar.update(self._task, advance=size, done=self._count, last=printable(words))
            return
        if entry.state == DONE:
            words += f" ({entry.report['duration_s']:.0f} s in {entry.report['elapsed_s']:.0f} s)"
        elif entry.state == DUPLICATE:
            words += f" of {entry.duplicate_of}"
        elif entry.state not in (BEFORE, FAILED):
            return
        self._messages.offer(f"{self._count} of {self._all}  {words}")

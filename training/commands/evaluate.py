"""`rtsep eval`: the screen and the files around `rtsep.training.evaluation.evaluate`."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rtsep.kernels.errors import RtsepError
from rtsep.rt.hop.presets import OVERLAP_AT_48K
from rtsep.training.evaluation.evaluate import Evaluation, Settings, evaluate
from rtsep.training.evaluation.stems import Mixture, find_mixtures, pairs
from rtsep.training.evaluation.systems import F0_SOURCES, find_system, known_systems
from rtsep.training.measures.stem_pitch import default_cache
from rtsep.training.report.report import Report, report
from rtsep.training.report.tables import sheets


@click.command("eval")
@click.argument("folders", metavar="STEMS_DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--voices", type=int, help="Voices of every mixture; checked against the stems found.")
@click.option(
    "--latency", default=",".join(map(str, OVERLAP_AT_48K)), show_default=True, help="Presets in ms."
)
@click.option(
    "--quartets",
    default="same",
    show_default=True,
    metavar="same|all|FILE",
    help="Which stems to mix: singer k of every part, all combinations, or a list of names.",
)
@click.option("--pairs", "in_pairs", is_flag=True, help="Every two voices of these mixtures instead.")
@click.option(
    "--f0",
    default="tracked,given",
    show_default=True,
    help="Pitches of the systems: tracked in the mixture, given from the stems (swift-f0), or both.",
)
@click.option(
    "--systems",
    metavar="NAMES",
    help=f"Rows of the table: {', '.join(known_systems())}; or MODEL-given, MODEL-tracked with a model's "
    "name or path. Default: all of these.",
)
@click.option("--seeds", type=click.Choice(["1", "5"]), default="1", help="As published; noted in the JSON.")
@click.option(
    "--strict", is_flag=True, help="Every excerpt normalised and separated by itself, from a reset."
)
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@click.option(
    "--basic-pitch", "with_basic_pitch", is_flag=True,
    help="Score basic-pitch beside the trackers (pip install --no-deps basic-pitch).",
)  # fmt: skip
@click.option("--cache", type=click.Path(path_type=Path), help="Folder for F0 contours of stems.")
@click.option(
    "--report", "folder", type=click.Path(path_type=Path), help="Write tables, plots and all numbers here."
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the report here as well.")
def command(
    folders: tuple[Path, ...],
    voices: int | None,
    latency: str,
    quartets: str,
    in_pairs: bool,
    f0: str,
    systems: str | None,
    seeds: str,
    strict: bool,
    jobs: int,
    with_basic_pitch: bool,
    cache: Path | None,
    folder: Path | None,
    json_file: Path | None,
) -> None:
    """Scores separation of the voices in STEMS_DIR, whose sum is the mixture.

    16 kHz, 4 s excerpts (the first skipped), SI-SDR of 1 s frames, mean / median in dB, through the
    streaming path.
    """
    wanted_f0 = choices("--f0", f0, F0_SOURCES)
    presets = tuple(int(ms) for ms in choices("--latency", latency, tuple(map(str, OVERLAP_AT_48K))))
    names = _systems(systems, wanted_f0, f0)
    settings = Settings(names, presets, int(seeds), strict, cache or default_cache(), with_basic_pitch)
    mixtures = _mixtures(folders, quartets, in_pairs, voices)
    if json_file is not None and not json_file.absolute().parent.is_dir():
        raise RtsepError(f"--json {json_file}: {json_file.parent} is not a folder", "create it first")
    if folder is not None:
        writer = _report_writer(folder)
    with progress_bar() as progress:
        evaluation = evaluate(mixtures, settings, jobs, progress)
    found = report(evaluation)
    console = Console()
    for sheet in sheets(found):
        console.print(sheet.on_terminal())
    for row in found["results"]:
        if row["overall"]["nan_frames"]:
            at = f" at {row['latency_ms']} ms" if row["latency_ms"] else ""
            console.print(f"{row['title']}{at}: {row['overall']['nan_frames']} silent estimates skipped")
    if found["basic_pitch"] and not evaluation.references:
        console.print(f"basic-pitch {found['basic_pitch']}")
    if folder is not None:
        writer(evaluation, found, folder)
    if json_file is not None:
        _write("--json", json_file, json.dumps(found, indent=1, allow_nan=False) + "\n")


def _systems(systems: str | None, wanted_f0: tuple[str, ...], f0: str) -> tuple[str, ...]:
    asked = known_systems() if systems is None else words("--systems", systems)
    names = tuple(name for name in asked if find_system(name).f0 in (None, *wanted_f0))
    if not names:
        raise RtsepError(
            f"--systems {systems} with --f0 {f0} leaves no system", "drop one of the two options"
        )
    return names


def _mixtures(folders: tuple[Path, ...], quartets: str, in_pairs: bool, voices: int | None) -> list[Mixture]:
    mixtures = [mixture for folder in folders for mixture in find_mixtures(folder, quartets)]
    if in_pairs:
        mixtures = pairs(mixtures)
    for mixture in mixtures:
        if voices is not None and len(mixture.files) != voices:
            raise RtsepError(
                f"--voices {voices}, but {mixture.name} has {len(mixture.files)} stems",
                "leave --voices out, or choose other mixtures with --quartets",
            )
    return mixtures


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int, str], None]]:
    """A bar on standard error, moved by (done, total, label)."""
    bar = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*bar, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total, label: progress.update(task, completed=done, total=total, description=label)


def _report_writer(folder: Path) -> Callable[[Evaluation, Report, Path], None]:
    """Asked for before the work begins: an hour later is no time to hear that something is missing."""
    if folder.exists() and not folder.is_dir():
        raise RtsepError(f"--report {folder} is a file", "name a folder")
    try:
        from rtsep.training.report import folder as report_folder
    except ImportError as error:
        raise RtsepError(f"--report cannot draw: {error}", "run pip install 'rtsep[eval]'") from None
    return report_folder.write


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


def _write(option: str, file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RtsepError(
            f"{option} {file} cannot be written ({error.strerror})", "choose another path"
        ) from None

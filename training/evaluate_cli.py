"""`rtsep eval`: the screen and the file around `rtsep.training.evaluate`."""

import json
from pathlib import Path

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from rtsep.kernels.errors import RtsepError
from rtsep.rt.presets import OVERLAP_AT_48K
from rtsep.training.evaluate import Report, Settings, evaluate, runs
from rtsep.training.f0_truth import default_cache
from rtsep.training.stems import find_mixtures
from rtsep.training.systems import SYSTEMS


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
    metavar="same|all|pairs|FILE",
    help="Which stems to mix: singer k of every part, all combinations, two voices each, or a list of names.",
)
@click.option(
    "--f0",
    default="tracked,given",
    show_default=True,
    help="Pitches of the comb systems: tracked in the mixture, given from the stems (swift-f0), or both.",
)
@click.option("--systems", default=",".join(SYSTEMS), show_default=True, help="Rows of the table.")
@click.option("--seeds", type=click.Choice(["1", "5"]), default="1", help="As published; noted in the JSON.")
@click.option(
    "--strict", is_flag=True, help="Every excerpt normalised and separated by itself, from a reset."
)
@click.option("--cache", type=click.Path(path_type=Path), help="Folder for F0 contours of stems.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the report here as well.")
def command(
    folders: tuple[Path, ...],
    voices: int | None,
    latency: str,
    quartets: str,
    f0: str,
    systems: str,
    seeds: str,
    strict: bool,
    cache: Path | None,
    json_file: Path | None,
) -> None:
    """Scores separation of the voices in STEMS_DIR, whose sum is the mixture.

    16 kHz, 4 s excerpts (the first skipped), SI-SDR of 1 s frames, mean / median in dB, through the
    streaming path.
    """
    wanted_f0 = _choices("--f0", f0, ("tracked", "given"))
    names = tuple(
        name
        for name in _choices("--systems", systems, tuple(SYSTEMS))
        if SYSTEMS[name].f0 in (None, *wanted_f0)
    )
    if not names:
        raise RtsepError(
            f"--systems {systems} with --f0 {f0} leaves no system", "drop one of the two options"
        )
    presets = tuple(int(ms) for ms in _choices("--latency", latency, tuple(map(str, OVERLAP_AT_48K))))
    settings = Settings(names, presets, int(seeds), strict, cache or default_cache())
    mixtures = [mixture for folder in folders for mixture in find_mixtures(folder, quartets)]
    for mixture in mixtures:
        if voices is not None and len(mixture.files) != voices:
            raise RtsepError(
                f"--voices {voices}, but {mixture.name} has {len(mixture.files)} stems",
                "leave --voices out, or choose other mixtures with --quartets",
            )
    if json_file is not None and not json_file.absolute().parent.is_dir():
        raise RtsepError(f"--json {json_file}: {json_file.parent} is not a folder", "create it first")
    total = len(runs(settings)) * len(mixtures)
    with _progress() as progress:
        task = progress.add_task("", total=total)
        started = iter(range(total))
        report = evaluate(
            mixtures,
            settings,
            lambda label: progress.update(task, description=label, completed=next(started)),
        )
        progress.update(task, completed=total)
    show(report, Console())
    if json_file is not None:
        try:
            json_file.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        except OSError as error:
            raise RtsepError(
                f"--json {json_file} cannot be written ({error.strerror})", "choose another path"
            ) from None


def _choices(option: str, text: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """A comma-separated list of `allowed` words, without repetitions."""
    words = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    for word in words:
        if word not in allowed:
            raise RtsepError(f"{option} {word!r} is not one of {', '.join(allowed)}", "choose from these")
    if not words:
        raise RtsepError(f"{option} names nothing", f"choose from {', '.join(allowed)}")
    return words


def _progress() -> Progress:
    return Progress(
        BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"),
        console=Console(stderr=True), transient=True,
    )  # fmt: skip


def show(report: Report, console: Console) -> None:
    """Prints one table per latency, and one of the tracked pitches."""
    labels = report["voices"]
    for latency in report["latencies"]:
        ms = latency["latency_ms"]
        table = Table(
            title=f"--latency {ms}: {latency['latency_samples']} samples, {latency['exact_ms']:.1f} ms",
            caption="SI-SDR in dB, mean/median; given: F0 of the stems; centred: 2048/256, 128 ms ahead",
            box=SIMPLE,
            padding=(0, 0, 0, 1),
        )
        table.add_column("system")
        for label in (*labels, "all"):
            table.add_column(label, justify="right", no_wrap=True)
        for row in report["results"]:
            if row["latency_ms"] in (ms, None):
                table.add_row(row["title"], *(_decibels(s) for s in (*row["voices"], row["overall"])))
        console.print(table)
    first = report["results"][0]
    counts = ", ".join(f"{label} {s['frames']}" for label, s in zip(labels, first["voices"], strict=True))
    console.print(f"mixtures: {len(report['mixtures'])}; frames of 1 s above the energy floor: {counts}")
    for row in report["results"]:
        if row["overall"]["nan_frames"]:
            at = f" at {row['latency_ms']} ms" if row["latency_ms"] else ""
            console.print(f"{row['title']}{at}: {row['overall']['nan_frames']} silent estimates skipped")
    if report["f0"]:
        console.print(_f0_table(report))


def _f0_table(report: Report) -> Table:
    table = Table(
        title="tracked F0",
        caption="against swift-f0 on every stem, within 50 cents",
        box=SIMPLE,
        padding=(0, 0, 0, 1),
    )
    for heading in ("latency", "voice"):
        table.add_column(heading, no_wrap=True)
    for heading in ("recall", "median error", "false voicing", "wrong voice", "precision", "accuracy"):
        table.add_column(heading, justify="right", min_width=max(map(len, heading.split())))
    shown: list[Report] = []
    for row in report["f0"]:
        scores = {key: value for key, value in row.items() if key != "system"}
        if scores in shown:  # models that share their tracker
            continue
        shown.append(scores)
        for label, voice in zip(report["voices"], row["voices"], strict=True):
            error_hz = voice["median_error_hz"]
            table.add_row(
                f"{row['latency_ms']} ms",
                label,
                _percent(voice["recall"]),
                "-" if error_hz is None else f"{error_hz:.2f} Hz",
                _percent(voice["false_voicing"]),
                _percent(voice["wrong_voice"]),
            )
        multipitch = [_percent(row[f"multipitch_{key}"]) for key in ("recall", "precision", "accuracy")]
        table.add_row(f"{row['latency_ms']} ms", "any order", multipitch[0], "", "", "", *multipitch[1:])
        table.add_section()
    return table


def _decibels(summary: Report) -> str:
    return "/".join("-" if summary[k] is None else f"{summary[k]:.1f}" for k in ("mean_db", "median_db"))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100.0 * share:.1f} %"

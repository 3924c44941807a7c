"""`rtsep-train eval-score`: how far the follower of a score is from the choir, on the screen."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import click

from rtsep.kernels.errors import RtsepError
from rtsep.models.choir.score.score import Score
from rtsep.rt.audio.score_file import load_score
from rtsep.rt.hop.presets import OVERLAP_AT_48K
from rtsep.training.commands.shared import (
    progress_bar,
    require_places,
    results_console,
    words,
    write_json,
)
from rtsep.training.evaluation.evaluate import OnProgress
from rtsep.training.evaluation.follower_errors import Following, all_errors
from rtsep.training.evaluation.matchmaker import Matchmaker
from rtsep.training.evaluation.score_quality import WAYS, Quality, score_qualities, scores_to_try
from rtsep.training.evaluation.stems import Mixture, find_mixtures, read_mixture
from rtsep.training.measures.protocol import SAMPLERATE
from rtsep.training.report.tables import Sheet


@click.command("eval-score")
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@click.option("--score", "score_file", required=True, type=click.Path(path_type=Path), help="What is sung.")
@click.option(
    "--tempo", type=click.FloatRange(0.2, 5.0), default=1.0, show_default=True,
    help="Seconds of the score in a second of the recording, which keeps it throughout.",
)  # fmt: skip
@click.option("--quartets", default="same", show_default=True, help="As of rtsep eval.")
@click.option("--only", metavar="NUMBERS", help="Which of the mixtures, e.g. 2,3.")
@click.option("--latency", type=click.Choice(list(map(str, OVERLAP_AT_48K))), default="43", show_default=True)
@click.option("--quality", is_flag=True, help="Also what the stems gain by it, in other keys and without.")
@click.option("--other", "other_file", type=click.Path(path_type=Path),
              help="With --quality: a score of another piece, of as many parts.")  # fmt: skip
@click.option("--matchmaker", "rival", type=click.Path(path_type=Path), metavar="PYTHON",
              help="Of an environment with pymatchmaker, which then follows the same sound.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the numbers here as well.")
def command(
    folder: Path,
    score_file: Path,
    tempo: float,
    quartets: str,
    only: str | None,
    latency: str,
    quality: bool,
    other_file: Path | None,
    rival: Path | None,
    jobs: int,
    json_file: Path | None,
) -> None:
    """Follows a score through what choirs do with it.

    Other tempos, rubato, fermatas, a start in the middle, a repeat, wrong notes and a late start are made
    from recordings of FOLDER that keep the score's strict time. Tables come as they are ready.
    """
    if other_file is not None and not quality:
        raise RtsepError(f"--other {other_file} is for --quality", "add --quality, or leave it out")
    require_places(json_file, None)
    score, latency_ms = load_score(score_file), int(latency)
    other = None if other_file is None else load_score(other_file)
    chosen = _chosen(find_mixtures(folder, quartets), only)
    for file, each in ((score_file, score), (other_file, other)):
        _require_parts(chosen, file, each)
    console = results_console()
    matchmaker = None if rival is None else Matchmaker(rival, score_file, score)
    if matchmaker is not None and (why := matchmaker.why_not()) is not None:
        console.print(f"without pymatchmaker: {why}")
        matchmaker = None
    found: dict[str, Any] = {"latency_ms": latency_ms, "errors": {}}
    with progress_bar() as progress:
        for number, mixture in enumerate(chosen):
            following = Following(
                read_mixture(mixture).sum(axis=0), SAMPLERATE, latency_ms, score, tempo, matchmaker
            )
            step = partial(_step, progress, mixture.name, number, len(chosen))
            rows = found["errors"][mixture.name] = all_errors(following, jobs, step)
            console.print(_sheet(mixture.name, rows).on_terminal())
            _keep(json_file, found)
        if quality:
            stems, tried = [read_mixture(mixture) for mixture in chosen], scores_to_try(score, other)
            qualities = score_qualities(stems, tried, latency_ms, jobs, progress)
            console.print(_quality_sheet(qualities).on_terminal())
            _keep(json_file, found | {"quality": [asdict(each) for each in qualities]})


def _step(
    progress: OnProgress, mixture: str, number: int, mixtures: int, done: int, total: int, label: str
) -> None:
    progress(number * total + done, mixtures * total, f"{mixture}: {label}")


def _chosen(found: list[Mixture], only: str | None) -> list[Mixture]:
    if only is None:
        return found
    try:
        numbers = [int(word) for word in words("--only", only)]
        if min(numbers) < 1:
            raise IndexError
        return [found[number - 1] for number in numbers]
    except (ValueError, IndexError):
        raise RtsepError(f"--only {only} are not among mixtures 1 to {len(found)}", "say e.g. 2,3") from None


def _require_parts(mixtures: list[Mixture], file: Path | None, score: Score | None) -> None:
    for mixture in mixtures if score is not None else ():
        if score is not None and len(mixture.files) != len(score.parts):
            raise RtsepError(
                f"{mixture.name} has {len(mixture.files)} voices, {file} {len(score.parts)} parts",
                "choose others with --only or --quartets",
            )


def _keep(json_file: Path | None, found: dict[str, Any]) -> None:
    """What is there so far, for who does not wait for the rest."""
    if json_file is not None:
        write_json("--json", json_file, found)


def _quality_sheet(qualities: list[Quality]) -> Sheet:
    return Sheet(
        "stems with this score, with others and without",
        "mean SI-SDR in dB over all voices and mixtures; live: followed as it is sung; file: aligned as a "
        "whole, decided from both ends",
        ("score", "live", "file"),
        [(each.name, f"{each.live_db:.2f}", f"{each.file_db:.2f}") for each in qualities],
    )


def _sheet(name: str, rows: list[dict[str, Any]]) -> Sheet:
    ways = [*WAYS, *(["matchmaker"] if any("matchmaker" in row for row in rows) else [])]
    sheet = Sheet(
        f"{name}: how far the follower is from the choir",
        "ms: median / 90th percentile of the error while something is sung; near: share within 0.3 s; found: "
        "after so many s it is near for a second",
        ("sung", *(f"{way} {what}" for way in ways for what in ("ms", "near", "found"))),
    )
    for row in rows:
        cells = [cell for way in ways for cell in _cells(row.get(way))]
        sheet.rows.append((row["name"], *cells))
    return sheet


def _cells(errors: dict[str, Any] | None) -> tuple[str, str, str]:
    if errors is None:
        return "-", "-", "-"
    found = "never" if errors["found_s"] is None else f"{errors['found_s']:.1f}"
    return f"{errors['median_ms']:.0f} / {errors['high_ms']:.0f}", f"{errors['near_percent']:.0f} %", found

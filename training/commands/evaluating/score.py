"""`rtsep-train eval-score`: how far the follower of a score is from the choir, on the screen."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from rtsep.kernels.errors import RtsepError
from rtsep.rt.audio.score_file import load_score
from rtsep.rt.hop.presets import OVERLAP_AT_48K
from rtsep.training.commands.shared import progress_bar, words, write_json
from rtsep.training.evaluation.follower_errors import Following, all_errors
from rtsep.training.evaluation.stems import find_mixtures, read_mixture
from rtsep.training.measures.protocol import SAMPLERATE
from rtsep.training.report.tables import Sheet

WAYS = ("live", "file")  # followed as it is sung, and aligned as a whole


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
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the numbers here as well.")
def command(
    folder: Path,
    score_file: Path,
    tempo: float,
    quartets: str,
    only: str | None,
    latency: str,
    json_file: Path | None,
) -> None:
    """Follows a score through what choirs do with it.

    Other tempos, rubato, fermatas, a start in the middle, a repeat, wrong notes and a late start are made
    from recordings of FOLDER that keep the score's strict time.
    """
    score, found = load_score(score_file), find_mixtures(folder, quartets)
    try:
        chosen = [found[int(word) - 1] for word in words("--only", only)] if only else found
    except (ValueError, IndexError):
        raise RtsepError(f"--only {only} are not among mixtures 1 to {len(found)}", "say e.g. 2,3") from None
    for mixture in chosen:
        if len(mixture.files) != len(score.parts):
            raise RtsepError(
                f"{mixture.name} has {len(mixture.files)} voices, {score_file} {len(score.parts)} parts",
                "choose others with --only or --quartets",
            )
    tables = {}
    with progress_bar() as progress:
        for number, mixture in enumerate(chosen):
            following = Following(read_mixture(mixture).sum(axis=0), SAMPLERATE, int(latency), score, tempo)
            progress(number, len(chosen), mixture.name)
            tables[mixture.name] = all_errors(following)
    console = Console(markup=False)
    for name, rows in tables.items():
        console.print(_sheet(name, rows).on_terminal())
    if json_file is not None:
        write_json("--json", json_file, {"latency_ms": int(latency), "errors": tables})


def _sheet(name: str, rows: list[dict[str, Any]]) -> Sheet:
    sheet = Sheet(
        f"{name}: how far the follower is from the choir",
        "ms: median / 90th percentile of the error while something is sung; near: share within 0.3 s; found: "
        "after so many s it is near for a second",
        ("sung", *(f"{way} {what}" for way in WAYS for what in ("ms", "near", "found"))),
    )
    for row in rows:
        cells = []
        for way in WAYS:
            each = row[way]
            found = "never" if each["found_s"] is None else f"{each['found_s']:.1f}"
            cells += [
                f"{each['median_ms']:.0f} / {each['high_ms']:.0f}",
                f"{each['near_percent']:.0f} %",
                found,
            ]
        sheet.rows.append((row["name"], *cells))
    return sheet

"""`rtsep-train eval-singers`: singers out of a band, on the screen and as JSON."""

import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import click
import numpy as np

from rtsep.kernels.errors import RtsepError
from rtsep.rt.hop.presets import OVERLAP_AT_48K
from rtsep.training.commands.shared import (
    choices,
    progress_bar,
    require_places,
    results_console,
    words,
    write_json,
)
from rtsep.training.databases.recorded import STEMS
from rtsep.training.evaluation.bands.singers import SingersResult, evaluate_singers, meetings
from rtsep.training.evaluation.bands.songs import find_songs
from rtsep.training.evaluation.stems import find_mixtures, pairs, voice_labels
from rtsep.training.measures.bootstrap import mean_interval
from rtsep.training.report.report import versions
from rtsep.training.report.tables import Sheet

TITLES = {
    "choir": "--voices on the mixture",
    "cascade": "--stems vocals --voices",
    "clean": "--voices on the singers alone",
}


@click.command("eval-singers")
@click.argument("singers", metavar="SINGERS_DIR", type=click.Path(path_type=Path))
@click.option(
    "--backing", type=click.Path(path_type=Path), required=True, help="Folder of songs as for `eval --stems`."
)
@click.option("--pairs", "in_pairs", is_flag=True, help="Every two singers of these mixtures instead.")
@click.option(
    "--each", type=click.IntRange(min=1), default=3, show_default=True, help="Groups of singers per song."
)
@click.option(
    "--backing-db", default="0", show_default=True, help="Levels of the backing against all singers, in dB."
)
@click.option("--latency", default="43", show_default=True, help="Presets in ms.")
@click.option("--model", help="Band of the cascade; band unless given.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the numbers here as well.")
def command(
    singers: Path,
    backing: Path,
    in_pairs: bool,
    each: int,
    backing_db: str,
    latency: str,
    model: str | None,
    jobs: int,
    json_file: Path | None,
) -> None:
    """Scores singers taken out of a band: the cascade, and a choir model with and without the band.

    SINGERS_DIR holds voices as for `rtsep eval`; the vocals of the songs are left out.
    """
    require_places(json_file, None)
    presets = tuple(int(ms) for ms in choices("--latency", latency, tuple(map(str, OVERLAP_AT_48K))))
    levels = tuple(_level(word) for word in words("--backing-db", backing_db))
    groups = find_mixtures(singers, "same")
    groups = pairs(groups) if in_pairs else groups
    wanted = meetings(groups, find_songs(backing, STEMS), each, levels, presets)
    with progress_bar() as progress:
        results = evaluate_singers(wanted, model, jobs, progress)
    report = summarise(results)
    results_console().print(sheet(report).on_terminal())
    if json_file is not None:
        write_json("--json", json_file, report)


def _level(word: str) -> float:
    try:
        level = float(word)
    except ValueError:
        level = math.nan
    if not -60.0 <= level <= 60.0:
        raise RtsepError(f"--backing-db {word!r} is no level within -60..60 dB", "give numbers, e.g. -6,0")
    return level


def summarise(results: list[SingersResult]) -> dict[str, Any]:
    """JSON-ready: SI-SDR and its improvement over the mixture per level, latency, way and voice."""
    groups = list(dict.fromkeys(r.meeting.singers for r in results))
    labels = dict(zip(groups, voice_labels(groups), strict=True))
    rows: dict[tuple[float, int, str], list[SingersResult]] = defaultdict(list)
    for result in results:
        rows[result.meeting.backing_db, result.meeting.latency_ms, result.meeting.way].append(result)
    return {
        "format": "rtsep-eval-singers/1",
        "versions": versions(("rtsep", "numpy", "onnxruntime")),
        "results": [
            {
                "backing_db": level,
                "latency_ms": ms,
                "way": way,
                **_row(found, [labels[r.meeting.singers] for r in found]),
            }
            for (level, ms, way), found in rows.items()
        ],
    }


def _row(found: list[SingersResult], labels: list[tuple[str, ...]]) -> dict[str, Any]:
    gains: dict[str, list[float]] = defaultdict(list)
    by_meeting, ratios, songs = [], [], []
    for result, names in zip(found, labels, strict=True):
        numbers = []
        for name, score in zip(names, result.scores, strict=True):
            if score is not None and math.isfinite(score.improvement_db):
                gains[name].append(score.improvement_db)
                numbers.append(score.improvement_db)
                ratios.append(score.si_sdr_db)
        if numbers:
            by_meeting.append(float(np.mean(numbers)))
            song, group = result.meeting.song.name, result.meeting.singers.name
            songs.append({"song": song, "singers": group, "improvement_db": by_meeting[-1]})
    return {
        "improvement_db": float(np.mean(by_meeting)) if by_meeting else None,
        "interval_db": list(mean_interval(by_meeting)) if by_meeting else None,
        "si_sdr_db": float(np.mean(ratios)) if ratios else None,
        "voices": {name: float(np.mean(values)) for name, values in gains.items()},
        "meetings": songs,
    }


def sheet(report: dict[str, Any]) -> Sheet:
    """The table."""
    names = list(dict.fromkeys(name for row in report["results"] for name in row["voices"]))
    found = Sheet(
        "singers out of a band",
        "SI-SDR improvement over the mixture in dB, mean over groups of singers and songs and half of its "
        "95 % interval; SI-SDR: mean of the estimates",
        ("backing", "way", "SI-SDR", "improvement", *names),
        text_columns=2,
    )
    for row in report["results"]:
        if row["improvement_db"] is None:
            continue
        low, high = row["interval_db"]
        found.rows.append(
            (
                f"{row['backing_db']:+.0f} dB, {row['latency_ms']} ms",
                TITLES[row["way"]],
                f"{row['si_sdr_db']:.1f}",
                f"{row['improvement_db']:+.1f} ±{(high - low) / 2:.1f}",
                *(f"{row['voices'][n]:+.1f}" if n in row["voices"] else "-" for n in names),
            )
        )
    return found

"""`rtsep-train eval-singers`: singers out of a band, on the screen, as JSON and as a report."""

import math
from pathlib import Path

import click

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
from rtsep.training.evaluation.bands.singers import evaluate_singers, meetings
from rtsep.training.evaluation.bands.songs import find_songs
from rtsep.training.evaluation.stems import find_mixtures, pairs
from rtsep.training.report.bands.singers import sheet, summarise


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
@click.option(
    "--report",
    "folder",
    type=click.Path(path_type=Path),
    help="Write numbers, table and plot here.",
)
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
    folder: Path | None,
) -> None:
    """Scores singers taken out of a band: the cascade, and a choir model with and without the band.

    SINGERS_DIR holds voices as for `rtsep eval`; the vocals of the songs are left out.
    """
    require_places(json_file, folder)
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
    if folder is not None:
        from rtsep.training.report.bands.singers_folder import write  # needs matplotlib, asked for above

        write(report, folder)


def _level(word: str) -> float:
    try:
        level = float(word)
    except ValueError:
        level = math.nan
    if not -60.0 <= level <= 60.0:
        raise RtsepError(f"--backing-db {word!r} is no level within -60..60 dB", "give numbers, e.g. -6,0")
    return level

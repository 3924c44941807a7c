"""`rtsep-train eval-pitch`: trackers on rendered choirs, on the screen."""

import json
from pathlib import Path
from typing import Any

import click

from rtsep.kernels.errors import RtsepError
from rtsep.rt.hop.presets import OVERLAP_AT_48K
from rtsep.training.commands.shared import choices, progress_bar, results_console, words
from rtsep.training.evaluation.evaluate import Run
from rtsep.training.evaluation.rendered_choirs import AUDIBLE_DB, SINGLE, evaluate_rendered
from rtsep.training.evaluation.systems import known_systems
from rtsep.training.files.atomic_write import place
from rtsep.training.measures.stem_pitch import swift_f0_version
from rtsep.training.report.tables import Sheet, voice_cells


@click.command("eval-pitch")
@click.argument("folder", metavar="CHOIR_DIR", type=click.Path(path_type=Path))
@click.option(
    "--items", type=click.IntRange(min=1), default=24, show_default=True, help="The first ones, as held out."
)
@click.option("--systems", metavar="NAMES", help="MODEL-tracked, ... Default: all that come with rtsep.")
@click.option(
    "--latency", default=",".join(map(str, OVERLAP_AT_48K)), show_default=True, help="Presets in ms."
)
@click.option(
    "--solo", is_flag=True,
    help="Every voice by itself instead, with swift-f0 (one voice, offline) beside.",
)  # fmt: skip
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the numbers here as well.")
def command(
    folder: Path,
    items: int,
    systems: str | None,
    latency: str,
    solo: bool,
    jobs: int,
    json_file: Path | None,
) -> None:
    """Scores pitch trackers on rendered choirs, where the true F0 is known exactly."""
    known = tuple(name for name in known_systems() if name.endswith("-tracked"))
    names = known if systems is None else words("--systems", systems)
    presets = choices("--latency", latency, tuple(map(str, OVERLAP_AT_48K)))
    runs = [Run(name, int(ms)) for ms in presets for name in names]
    if solo:
        swift_f0_version()  # is it installed?
        runs.append(Run(SINGLE, None))
    with progress_bar() as progress:
        found = evaluate_rendered(folder, items, runs, jobs, progress, solo)
    results_console().print(_sheet(found).on_terminal())
    if json_file is not None:
        try:
            place(json_file, (json.dumps(found, indent=1, allow_nan=False) + "\n").encode())
        except OSError as error:
            raise RtsepError(
                f"--json {json_file} cannot be written ({error.strerror})", "choose another path"
            ) from None


def _sheet(found: dict[str, Any]) -> Sheet:
    sheet = Sheet(
        f"tracked F0 of {'every single voice of ' if found['solo'] else ''}{found['items']} rendered choirs "
        "against what was sung",
        "% of points within 50 cents; recall: of the voice's own slot (highest first), any: of any slot, "
        "wrong: on another voice's pitch; false: silent points with a pitch; audible: from "
        f"{AUDIBLE_DB:.0f} dB below the loudest voice up",
        ("tracker", "recall", "any", "wrong", "false", "median error"),
    )
    for row in found["results"]:
        sheet.rows.append((row["title"], *voice_cells(row["all"])))
        if found["solo"]:
            continue
        for number, score in enumerate(row["by_slot"], start=1):
            if score is not None:
                sheet.rows.append((f"- voice {number}", *voice_cells(score)))
        for number, score in enumerate(row["by_voices"], start=1):
            if score is not None:
                sheet.rows.append((f"- items of {number}", *voice_cells(score)))
        sheet.rows.append(None)
    return sheet

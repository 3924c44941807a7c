"""`rtsep-train eval-confidence`: how often a tracker is right when it is so sure, on the screen."""

from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import click
import numpy as np

from rtsep.kernels.errors import RtsepError
from rtsep.models.registry import DEFAULT_MODEL
from rtsep.rt.hop.presets import OVERLAP_AT_48K
from rtsep.training.commands.shared import (
    choices,
    progress_bar,
    require_places,
    results_console,
    write_json,
)
from rtsep.training.evaluation.confidence import EDGES, Bin, bins, calibration_error, heard, judged
from rtsep.training.evaluation.stems import find_mixtures, read_mixture
from rtsep.training.measures.protocol import SAMPLERATE
from rtsep.training.measures.stem_pitch import default_cache, mixture_truth
from rtsep.training.report.tables import Sheet


@click.command("eval-confidence")
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@click.option("--model", default=DEFAULT_MODEL, show_default=True, help="With a network for pitches.")
@click.option("--quartets", default="same", show_default=True, help="As of rtsep eval.")
@click.option(
    "--latency", default=",".join(map(str, OVERLAP_AT_48K)), show_default=True, help="Presets in ms."
)
@click.option("--plot", type=click.Path(path_type=Path), help="Write the reliability plot here, a PNG.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the numbers here as well.")
def command(
    folder: Path, model: str, quartets: str, latency: str, plot: Path | None, json_file: Path | None
) -> None:
    """Compares how sure a tracker's network is of its pitches with how often somebody sings them.

    FOLDER holds the stems of single voices; what they sing is where two single-voice trackers agree.
    """
    presets = [int(ms) for ms in choices("--latency", latency, tuple(map(str, OVERLAP_AT_48K)))]
    require_places(json_file, None)
    if plot is not None and (plot.suffix.lower() != ".png" or not plot.absolute().parent.is_dir()):
        raise RtsepError(f"--plot {plot} is no PNG in a folder that is there", "name one, say sure.png")
    mixtures = find_mixtures(folder, quartets)
    found: dict[int, list[Bin]] = {}
    with progress_bar() as progress:
        for number, ms in enumerate(presets):
            parts = []
            for place, mixture in enumerate(mixtures):
                done = number * len(mixtures) + place
                progress(done, len(presets) * len(mixtures), f"{mixture.name}, {ms} ms")
                stems = read_mixture(mixture)
                pitches = heard(stems.sum(axis=0), SAMPLERATE, ms, model)
                parts.append(judged(pitches, mixture_truth(list(stems), default_cache())))
            log_odds, right = (np.concatenate(column) for column in zip(*parts, strict=True))
            found[ms] = bins(log_odds, right)
    results_console().print(_sheet(found).on_terminal())
    if json_file is not None:
        rows = {ms: [_row(each) for each in group] for ms, group in found.items()}
        write_json("--json", json_file, {"model": model, "bins": rows})
    if plot is not None:
        from rtsep.training.report.plot_confidence import reliability
        from rtsep.training.report.plot_style import save

        try:
            save(reliability(found), plot)
        except OSError as error:
            raise RtsepError(
                f"--plot {plot} cannot be written ({error.strerror})", "choose another path"
            ) from None


def _row(each: Bin) -> dict[str, float | None]:
    """JSON has no infinity."""
    return asdict(each) | {"high": each.high if np.isfinite(each.high) else None}


def _sheet(found: dict[int, list[Bin]]) -> Sheet:
    rows: list[tuple[str, ...] | None] = []
    for k, (low, high) in enumerate(pairwise(EDGES)):
        title = f"{low:g} to {high:g}" if np.isfinite(high) else f"{low:g} and more"
        each = [group[k] for group in found.values()]
        rows.append((title, *(f"{100 * b.said:.0f} / {100 * b.right:.0f} ({b.pitches})" for b in each)))
    rows.append(("apart, mean", *(f"{100 * calibration_error(group):.1f}" for group in found.values())))
    return Sheet(
        "pitches by how sure the network is",
        "said / right in % (pitches): what the network says that they are sung, and how many somebody sings",
        ("log odds", *(f"{ms} ms" for ms in found)),
        rows,
    )

"""`rtsep-train eval-parts`: stems in order of pitch against parts that cross, on the screen and as JSON."""

from dataclasses import asdict
from pathlib import Path

import click

from rtsep.rt.hop.presets import LATENCIES_MS
from rtsep.training.choir.render.room import load_responses
from rtsep.training.choir.render.voicebank import default_cache, load_voicebank
from rtsep.training.commands.shared import progress_bar, require_places, results_console, write_json
from rtsep.training.evaluation.part_orders import Orders, compare_orders, duets, recorded
from rtsep.training.evaluation.stems import find_mixtures
from rtsep.training.report.tables import Sheet


@click.command("eval-parts")
@click.option(
    "--voicebank", "voicebanks", type=click.Path(path_type=Path), multiple=True, required=True,
    help="Folder of syllables with a syllables.csv; once for every donor, of two and more.",
)  # fmt: skip
@click.option("--irs", type=click.Path(path_type=Path), help="Folder of impulse responses.")
@click.option("--casts", type=click.IntRange(min=1), default=4, show_default=True, help="Of every duet.")
@click.option(
    "--quartets", type=click.Path(path_type=Path), help="Real choirs too: a folder as of rtsep eval."
)
@click.option("--latency", type=click.Choice(list(map(str, LATENCIES_MS))), default="43", show_default=True)
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@click.option("--cache", type=click.Path(path_type=Path), help="Folder for analysed voicebanks.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the numbers here as well.")
def command(
    voicebanks: tuple[Path, ...],
    irs: Path | None,
    casts: int,
    quartets: Path | None,
    latency: str,
    jobs: int,
    cache: Path | None,
    json_file: Path | None,
) -> None:
    """Scores --order pitch and --order part against the true parts.

    Duets that cross, stand on a drone, meet in unison or rest for long are rendered from the syllables.
    """
    require_places(json_file, None)
    banks = tuple(load_voicebank(folder, cache or default_cache()) for folder in voicebanks)
    performances = duets(casts, banks, load_responses(irs))
    if quartets is not None:
        performances += recorded(find_mixtures(quartets, "same"))
    with progress_bar() as progress:
        found = compare_orders(performances, int(latency), jobs, progress)
    results_console().print(_sheet(found, int(latency)).on_terminal())
    if json_file is not None:
        write_json(
            "--json", json_file, {"latency_ms": int(latency), "pieces": [asdict(each) for each in found]}
        )


def _sheet(found: list[Orders], latency_ms: int) -> Sheet:
    orders = list(dict.fromkeys(order for each in found for order in each.mean_db))
    sheet = Sheet(
        f"stems in order of pitch and as parts, {latency_ms} ms",
        "SI-SDR of seconds against the true parts in dB: mean over all performances, then each",
        ("piece", *(f"--order {order}" for order in orders)),
    )
    for each in found:
        sheet.rows.append((each.piece, *_cells(each.mean_db, orders)))
        sheet.rows.extend((f"- {name}", *_cells(of, orders)) for name, of in each.performances_db.items())
        sheet.rows.append(None)
    return sheet


def _cells(by_order: dict[str, float], orders: list[str]) -> list[str]:
    return [f"{by_order[order]:.1f}" if order in by_order else "-" for order in orders]

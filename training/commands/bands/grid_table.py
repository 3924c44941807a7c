"""`rtsep-train band-grid-table`: the runs of `band-grid` on songs, beside each other."""

from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import click

from rtsep.kernels.errors import RtsepError
from rtsep.training.commands.shared import choices, progress_bar, results_console, write_json
from rtsep.training.commands.training_run import training_extra
from rtsep.training.evaluation.bands.evaluate import MIXES
from rtsep.training.evaluation.bands.songs import find_songs
from rtsep.training.files.toml_settings import read_config
from rtsep.training.report.tables import Sheet

Row = dict[str, Any]  # of a table


@click.command("band-grid-table")
@click.argument("songs", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--runs", type=click.Path(path_type=Path, exists=True), required=True, help="--out of band-grid."
)
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="The same as of band-grid.")
@click.option("--latency", "latency_ms", type=click.Choice(["5", "11", "21", "43"]), default="43",
              show_default=True, help="Preset in ms.")  # fmt: skip
@click.option(
    "--mix", default="raw,balanced", show_default=True, help="Stems as they are, or of one loudness."
)
@click.option("--bss/--no-bss", default=True, show_default=True, help="BSS eval v4 too (museval).")
@click.option(
    "--seed", type=click.IntRange(min=1), help="Only score the runs of this seed: a process for each."
)
@click.option("--cost/--no-cost", default=True, show_default=True, help="Parameters, products, hop time.")
@click.option("--report", type=click.Path(path_type=Path), help="Write the tables here, as Markdown.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write all numbers here.")
def command(
    songs: Path, runs: Path, config_file: Path | None, latency_ms: str, mix: str, bss: bool,
    seed: int | None, cost: bool, report: Path | None, json_file: Path | None,
) -> None:  # fmt: skip
    """Scores every run in --runs that has ended on SONGS, and compares ways to train.

    Scores are kept beside each run: a song is scored once.
    """
    with training_extra():
        from rtsep.training.band.grid.runs import GridConfig, finished, grid_runs
        from rtsep.training.evaluation.bands.grid_cost import costs
        from rtsep.training.evaluation.bands.grid_scores import score_run
        from rtsep.training.evaluation.bands.grid_table import differences, run_rows
    config = read_config(GridConfig, config_file)
    ended = [run for run in grid_runs(config) if finished(run, runs) and seed in (None, run.seed)]
    if not ended:
        raise RtsepError(f"{runs} holds no run that has ended", "let rtsep-train band-grid finish one")
    mixes = choices("--mix", mix, MIXES)
    found = find_songs(songs, ("vocals", "drums", "bass", "other"))
    with progress_bar() as progress:
        scores = {
            run: score_run(
                run, runs, found, int(latency_ms), mixes, bss,
                partial(progress, done, len(ended)),
            )
            for done, run in enumerate(ended)
        }  # fmt: skip
    whole: dict[str, Any] = {
        "latency_ms": int(latency_ms),
        "runs": run_rows(runs, scores),
        "differences": differences(scores),
        "cost": costs(int(latency_ms)) if cost else [],
    }
    sheets = [*_runs(whole["runs"]), *_differences(whole["differences"])]
    if cost:
        sheets.append(_cost(whole["cost"]))
    for sheet in sheets:
        results_console().print(sheet.on_terminal())
    if report is not None:
        try:
            report.write_text("\n".join(sheet.markdown() for sheet in sheets), encoding="utf-8")
        except OSError as error:
            raise RtsepError(
                f"--report {report} cannot be written ({error.strerror})", "name another file"
            ) from None
    if json_file is not None:
        write_json("--json", json_file, whole)


TITLES = {"improvement_db": "SI-SDR improvement", "sir_db": "SIR", "sdr_db": "SDR"}


def _runs(rows: list[Row]) -> list[Sheet]:
    """Mean over songs, seed by seed."""
    sheets = []
    for mix in dict.fromkeys(row["mix"] for row in rows):
        for measure, title in TITLES.items():
            own = [row for row in rows if row["mix"] == mix]
            if all(v is None for row in own for stem in row["stems"].values() for v in stem[measure]):
                continue
            stems = list(own[0]["stems"])
            cells: list[tuple[str, ...] | None] = [
                (
                    row["regime"],
                    _named(row["mode"], row["moments"]),
                    *(_by_seed(row["stems"][stem][measure]) for stem in stems),
                    f"{row['steps']}",
                    f"{row['updates_per_decoder']}",
                    " ".join(f"{s / 60:.1f}" for s in row["processor_s"]),
                )
                for row in sorted(own, key=lambda row: row["regime"], reverse=True)
            ]
            headings = ("databases", "training", *stems, "steps", "updates of a decoder", "minutes")
            caption = "dB, mean over songs, one number for each seed; minutes of a processor"
            sheets.append(Sheet(f"{title}, {mix}", caption, headings, cells, text_columns=2))
    return sheets


def _differences(rows: list[Row]) -> list[Sheet]:
    sheets = []
    for measure, title in TITLES.items():
        by_pair: dict[tuple[str, ...], dict[str, str]] = defaultdict(dict)
        for row in rows:
            if row["measure"] == measure:
                pair = (row["mix"], row["regime"], f"{_named(*row['first'])} - {_named(*row['second'])}")
                low, high = row["interval_db"]
                certain = "*" if low > 0 or high < 0 else ""
                by_pair[pair][row["stem"]] = f"{row['difference_db']:+.1f} [{low:+.1f} {high:+.1f}]{certain}"
        if by_pair:
            stems = list(dict.fromkeys(stem for cells in by_pair.values() for stem in cells))
            cells: list[tuple[str, ...] | None] = [
                (*pair, *(found.get(stem, "-") for stem in stems)) for pair, found in by_pair.items()
            ]
            caption = (
                "dB; mean over songs, means over seeds; 95 % of a paired bootstrap over songs, * without 0"
            )
            headings = ("mix", "databases", "difference", *stems)
            sheets.append(Sheet(f"{title}: differences", caption, headings, cells, text_columns=3))
    return sheets


def _cost(rows: list[Row]) -> Sheet:
    return Sheet(
        "What a shared encoder saves",
        "networks alone, one thread, 48 kHz; products are multiply-accumulates",
        ("active stems", "encoders", "parameters", "million products a second", "median us a hop"),
        [
            (
                str(row["stems"]), "one" if row["shared"] else "one per stem", f"{row['parameters']:,}",
                f"{row['products_per_s'] / 1e6:.0f}", f"{row['hop_us']:.0f}",
            )
            for row in rows
        ],
        text_columns=2,
    )  # fmt: skip


def _named(mode: str, moments: str) -> str:
    return mode if moments == "one" else f"{mode}, moments {moments}"


def _by_seed(values: list[float | None]) -> str:
    return " / ".join("-" if value is None else f"{value:.1f}" for value in values)

"""`render-choir`: the screen and the processes around `rtsep.training.choir.render.item`."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console

from rtsep.kernels.errors import RtsepError
from rtsep.rt.python_process import ONE_THREAD, spawn_context
from rtsep.training.choir.render.dataset import ChoirFolder, describe, is_complete, open_folder, write_item
from rtsep.training.choir.render.item import Materials, load_materials, render_item
from rtsep.training.choir.render.settings import ChoirConfig
from rtsep.training.choir.render.voicebank import default_cache
from rtsep.training.commands.shared import progress_bar
from rtsep.training.files.toml_settings import read_config

LONGEST_HOURS = 1000.0


@click.command("render-choir")
@click.option("--hours", type=float, required=True, help="Of mixtures; whole items are rendered.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder; resumed if begun.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@click.option(
    "--voicebank", "voicebanks", type=click.Path(path_type=Path), multiple=True,
    help="Folder of syllables with a syllables.csv; once for every donor.",
)  # fmt: skip
@click.option(
    "--stems", type=click.Path(path_type=Path), multiple=True,
    help="Folder of solo recordings that join in as they are; once for every folder.",
)  # fmt: skip
@click.option("--scores", type=click.Path(path_type=Path), help="JSON list, or folder of MusicXML or MIDI.")
@click.option("--irs", type=click.Path(path_type=Path), help="Folder of impulse responses.")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="TOML over the defaults.")
@click.option("--cache", type=click.Path(path_type=Path), help="Folder for analysed voicebanks.")
def command(
    hours: float,
    out: Path,
    seed: int,
    jobs: int,
    voicebanks: tuple[Path, ...],
    stems: tuple[Path, ...],
    scores: Path | None,
    irs: Path | None,
    config_file: Path | None,
    cache: Path | None,
) -> None:
    """Renders choirs with exact stems and pitches into a folder.

    Run it again after an interruption, or with more --hours, and it goes on where it was.
    """
    if not 0.0 < hours <= LONGEST_HOURS:
        raise RtsepError(f"--hours {hours} is outside 0..{LONGEST_HOURS:g}", "choose e.g. 10")
    config = read_config(ChoirConfig, config_file)
    screen = Console(stderr=True, markup=False)
    with screen.status("reading voicebanks, scores and rooms (a new voicebank takes about a minute)"):
        materials = load_materials(voicebanks, scores, irs, cache or default_cache(), stems)
    open_folder(out, describe(config, materials, seed))
    for leftover in out.glob(".part-*"):  # of a run that was killed
        leftover.unlink(missing_ok=True)
    items = math.ceil(hours * 3600.0 / config.item_s)
    missing = [index for index in range(items) if not is_complete(out, index)]
    with progress_bar() as progress:
        before = items - len(missing)
        for count, _ in enumerate(_render(missing, out, config, materials, seed, jobs), start=1):
            progress(before + count, items, "items")
    rendered_h = len(ChoirFolder(out)) * config.item_s / 3600.0
    click.echo(f"{out}: {len(missing)} items rendered, {rendered_h:.2f} h in all")


def _render(
    indices: list[int], out: Path, config: ChoirConfig, materials: Materials, seed: int, jobs: int
) -> Iterator[int]:
    if jobs == 1 or len(indices) < 2:
        for index in indices:
            write_item(out, index, render_item(config, materials, seed, index))
            yield index
        return
    os.environ.update(ONE_THREAD)  # one core per process; read when a child imports numpy
    # spawn: forked children would inherit threads of the parent's libraries in whatever state they are
    context = spawn_context()
    with context.Pool(jobs, _start, (out, config, materials, seed)) as pool:
        yield from pool.imap_unordered(_work, indices)


_work_on: tuple[Path, ChoirConfig, Materials, int] | None = None


def _start(out: Path, config: ChoirConfig, materials: Materials, seed: int) -> None:
    global _work_on
    _work_on = (out, config, materials, seed)


def _work(index: int) -> int:
    assert _work_on is not None
    out, config, materials, seed = _work_on
    write_item(out, index, render_item(config, materials, seed, index))
    return index

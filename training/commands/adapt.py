"""`rtsep adapt`: a model that knows this choir in this room, from a recording of a rehearsal."""

import shlex
import sys
import tempfile
from pathlib import Path

import click
from rich.console import Console

from rtsep.kernels.errors import RtsepError
from rtsep.models.card_rules import MAX_COUNT, printable, require_model_name
from rtsep.models.registry import DEFAULT_MODEL, find_model
from rtsep.rt.cli.option_types import VOICES
from rtsep.training.choir.adapt.adapt import adapt, levels_network, write_adapted
from rtsep.training.choir.adapt.rehearsal import load_rehearsal

EXIT_NO_BETTER = 3


@click.command("adapt")
@click.argument("rehearsal", type=click.Path(path_type=Path))
@click.option("--voices", type=VOICES, default=4, show_default=True, metavar="1..4", help="Voices that sing.")
@click.option(
    "--model", default=DEFAULT_MODEL, show_default=True, metavar="NAME|FOLDER", help="To start from."
)
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Of the new model; named after the recording unless given.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0, MAX_COUNT), default=1, show_default=True)
@click.pass_context
def command(
    ctx: click.Context, rehearsal: Path, voices: int, model: str, out: Path | None, seed: int
) -> None:
    """Adapts a model to the choir and the room of REHEARSAL: 40 seconds to three minutes of the mixture.

    No stems are needed. The new model is a folder for --model; the old one stays. The recording's last
    quarter is not learnt from and decides: without a certain gain there, nothing is written and the exit
    code is 3.
    """
    folder = out or rehearsal.with_name(f"{rehearsal.stem}-model")
    _check_new(folder)
    parent = find_model(model)
    old, net = levels_network(parent)
    screen = Console(stderr=True, markup=False)
    with screen.status("listening to the rehearsal, forwards and backwards"):
        heard = load_rehearsal(rehearsal, model, voices, old.latency_presets_ms)
    adapted, verdict = adapt(net, heard, old.latency_presets_ms, seed)
    if not verdict.is_certain:
        print(
            f"rtsep: not adapted, no certain gain: {verdict}; nothing was written: "
            f"stay with --model {model}, or give a longer recording of this choir",
            file=sys.stderr,
        )
        ctx.exit(EXIT_NO_BETTER)
    names = printable(rehearsal.name), printable(model)
    words = ("rtsep", "adapt", names[0], "--voices", voices, "--model", names[1], "--seed", seed)
    try:
        with screen.status("exporting"):
            write_adapted(
                parent, old, adapted, folder,
                recording=f"{printable(rehearsal.name)} ({heard.seconds:.0f} s, SHA-256 {heard.sha256})",
                verdict=verdict,
                recipe=shlex.join(map(str, words)),
                seed=seed,
            )  # fmt: skip
    except OSError as error:
        raise _unwritable(folder, error) from error
    click.echo(f"{folder}: {verdict}")
    presets = "|".join(map(str, old.latency_presets_ms))
    click.echo(f"use it: rtsep --input mic --voices {voices} --latency {presets} --model {folder}")


def _check_new(folder: Path) -> None:
    """Before minutes of work."""
    if folder.exists():
        raise RtsepError(f"--out {folder} exists", "name a new folder: models are never overwritten")
    require_model_name(folder.name, "--out")
    if not folder.absolute().parent.is_dir():
        raise RtsepError(f"--out {folder}: {folder.absolute().parent} is not a folder", "create it first")
    try:
        tempfile.TemporaryDirectory(prefix=".part-", dir=folder.absolute().parent).cleanup()
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: OSError) -> RtsepError:
    return RtsepError(f"--out {folder} cannot be written ({error.strerror})", "name a folder elsewhere")

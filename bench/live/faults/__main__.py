"""Faults done to a live session on a real JACK server, and what they cost:

    python -m rtsep.bench.live.faults
    python -m rtsep.bench.live.faults engine-killed disk-full

Each has a server, a room that plays and listens, and a session with a take of its own. Shown: what the
audience hears in place of the stems and for how long, the time from the end of the cause until all is as
before, what is lost. docs/faults.md holds these numbers.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from rtsep.bench.live.faults.cases import CASES
from rtsep.bench.live.faults.told import Told
from rtsep.kernels.errors import RtsepError

LEAST_S = 0.02  # four cycles: a machine that does other work leaves out that many


def words_of(told: Told) -> tuple[str, str, str]:
    """What is heard, time to recover, what is lost."""
    gap = told.heard
    parts = [
        f"{name} for {seconds:.2f} s"
        for name, seconds in (("silence", gap.silent_s), ("the mixture", gap.mixture_s))
        if seconds > LEAST_S
    ]
    heard = ", ".join(parts) or "nothing"
    recover = f"{told.recover_s:.2f} s" + ("" if told.recovered == "stems" else f" ({told.recovered})")
    lost = ", ".join(f"{name} {value}" for name, value in told.lost.items()) or "nothing"
    return heard, recover, lost


def run(names: tuple[str, ...]) -> Iterator[Told]:
    """Each fault in a folder of its own, which is away afterwards."""
    for name in names:
        folder = Path(tempfile.mkdtemp(prefix=f"rtsep-{name}-"))
        try:
            yield CASES[name](folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(CASES)))
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each.")
def main(names: tuple[str, ...], as_json: bool) -> None:
    """Does the faults NAMES, all unless given; exit code 1 where something is not as it should be."""
    table = Table(box=SIMPLE)
    for title in ("fault", "injected", "heard", "recovered within", "lost"):
        table.add_column(title)
    wrong = []
    try:
        for told in run(names or tuple(CASES)):
            wrong += [f"{told.fault}: {what}" for what in told.wrong]
            if as_json:
                click.echo(json.dumps(asdict(told)))
            else:
                click.echo(f"{told.fault} ...", err=True)
                table.add_row(told.fault, told.injected, *words_of(told))
    except RtsepError as error:
        raise click.ClickException(str(error)) from None
    if not as_json:
        Console(width=150, markup=False).print(table)
    for line in wrong:
        click.echo(f"WRONG: {line}", err=True)
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()

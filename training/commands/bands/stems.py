"""`rtsep-train stems`: recorded stems become a database that the band model is trained on."""

from itertools import chain
from pathlib import Path

import click

from rtsep.kernels.errors import RtsepError
from rtsep.training.databases.recorded import READERS
from rtsep.training.databases.stem_folder import StemFolder, StemWriter


@click.command("stems")
@click.argument("kind", type=click.Choice(sorted(READERS)))
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="The database; gone on with if begun."
)
def command(kind: str, folder: Path, out: Path) -> None:
    """Reads a collection of recorded stems in FOLDER into a database: mono WAV at 24 kHz and a manifest.

    KIND says how the collection is laid out and which stems it tells apart.
    """
    reader = READERS[kind]
    songs = reader.songs(folder)
    first = next(songs, None)
    if first is None:
        raise RtsepError(
            f"{folder} holds no song of {kind}",
            "name the folder that the collection lies in; links to folders in it are not followed",
        )
    writer = StemWriter(out, reader.manifest)
    for name, stems in chain([first], songs):
        if not writer.holds(name):
            writer.add(name, stems)
    found = StemFolder(out)
    click.echo(
        f"{out}: {len(found.songs)} songs, {found.minutes:.1f} min, and {len(found.held_out)} held out; "
        f"knows {', '.join(found.manifest.known)}"
    )

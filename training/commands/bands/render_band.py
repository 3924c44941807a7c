"""`rtsep-train render-band`: databases of rendered bands, from notes."""

from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from rtsep.kernels.errors import RtsepError
from rtsep.training.commands.training_run import training_extra
from rtsep.training.databases.stem_folder import SAMPLERATE, Manifest, StemFolder, StemWriter
from rtsep.training.seeds import generator

HELD_OUT_SONGS = 6  # every so manieth song of the MIDI folders only validates; so do the takes of `test`


@click.command("render-band")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder of databases; gone on with if begun.",
)
@click.option(
    "--midi", type=click.Path(path_type=Path, exists=True), multiple=True, help="Folder of MIDI songs."
)
@click.option(
    "--takes", type=click.Path(path_type=Path, exists=True), help="Folder of drum takes with an info.csv."
)
@click.option("--kit", "kits", type=click.Path(path_type=Path, exists=True), multiple=True,
              help="Recorded kit with a hits.csv.")  # fmt: skip
@click.option("--notes", "note_folder", type=click.Path(path_type=Path, exists=True),
              help="Instruments note by note, with a notes.csv.")  # fmt: skip
@click.option("--bass", "basses", multiple=True, help="Instrument of --notes that plays bass parts.")
@click.option("--guitar", "guitars", multiple=True, help="Instrument of --notes that plays guitar parts.")
@click.option("--font", "fonts", type=click.Path(path_type=Path, exists=True), multiple=True, required=True,
              help="General MIDI soundfont.")  # fmt: skip
@click.option("--kit-font", "kit_fonts", type=click.Path(path_type=Path, exists=True), multiple=True,
              help="Soundfont that is a drum kit in bank 0, program 0.")  # fmt: skip
@click.option("--irs", type=click.Path(path_type=Path, exists=True), help="Folder of impulse responses.")
@click.option(
    "--performances", type=click.IntRange(min=1), default=1, show_default=True, help="Of every song."
)
@click.option("--licence", default="see the sources", show_default=True)
@click.option("--credit", default="", help="Whom the sources' licences ask to name.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
def command(
    out: Path, midi: tuple[Path, ...], takes: Path | None, kits: tuple[Path, ...], note_folder: Path | None,
    basses: tuple[str, ...], guitars: tuple[str, ...], fonts: tuple[Path, ...], kit_fonts: tuple[Path, ...],
    irs: Path | None, performances: int, licence: str, credit: str, seed: int,
) -> None:  # fmt: skip
    """Renders MIDI songs and drum takes once, as databases that the band model is trained on.

    Songs become OUT/songs (drums, bass and other known, no vocals), takes OUT/takes (drums).
    """
    with training_extra("rendering"):
        from rtsep.training.band.render.one_shots import muldjord_kit, note_players
        from rtsep.training.band.render.songs import Instruments, render_song, songs_with_bass
        from rtsep.training.band.render.takes import groove_takes, render_take
        from rtsep.training.choir.render.room import load_responses
    if (basses or guitars) and note_folder is None:
        raise RtsepError("--bass and --guitar name instruments of --notes", "give --notes too")
    if not midi and takes is None:
        raise RtsepError("neither --midi nor --takes is given", "name at least one")
    screen = Console(stderr=True, markup=False)
    with screen.status("reading kits, notes and rooms"):
        instruments = Instruments(
            fonts=fonts,
            kits=[muldjord_kit(kit) for kit in kits],
            basses=note_players(note_folder, basses) if note_folder else [],
            guitars=note_players(note_folder, guitars) if note_folder else [],
            responses=load_responses(irs),
        )
    if takes is not None:
        train, test = groove_takes(takes)
        manifest = Manifest(
            name="takes", known=("drums",), rest=(), limit_hz=SAMPLERATE / 2.0, licence=licence,
            credit=credit, held_out=tuple(f.stem for f in test), coherent=False,
        )  # fmt: skip
        writer = StemWriter(out / "takes", manifest)
        for number, file in enumerate(_mixed([*train, *test], seed)):
            if not writer.holds(file.stem):
                rng = generator(seed, "take", number)
                writer.add(file.stem, {"drums": render_take(file, instruments, kit_fonts, rng)})
                screen.print(f"takes/{file.stem}")
    if midi:
        files = songs_with_bass(midi)
        names = [(file, f"{file.stem}-{k + 1}") for k in range(performances) for file in _mixed(files, seed)]
        held = {file for file in files[::HELD_OUT_SONGS]}
        manifest = Manifest(
            name="songs", known=("vocals", "drums", "bass", "other"), rest=(), limit_hz=SAMPLERATE / 2.0,
            licence=licence, credit=credit, held_out=tuple(name for file, name in names if file in held),
        )  # fmt: skip
        writer = StemWriter(out / "songs", manifest)
        for number, (file, name) in enumerate(names):
            if not writer.holds(name):
                rng = generator(seed, "performance", number)
                writer.add(name, render_song(file, instruments, rng))
                screen.print(f"songs/{name}")
    for part in ("takes", "songs"):
        if (out / part).exists():
            found = StemFolder(out / part)
            click.echo(f"{out / part}: {found.minutes:.0f} min to train on, {len(found.held_out)} held out")


def _mixed(files: Sequence[Path], seed: int) -> list[Path]:
    """In another order, so that a run that is cut short has some of everything."""
    order = generator(seed, "order").permutation(len(files))
    return [files[k] for k in order]

"""`rtsep-train accompany`: the notes of a score on instruments of a soundfont, as backings of a choir."""

from pathlib import Path

import click
import numpy as np
import soundfile

from rtsep.kernels.errors import RtsepError
from rtsep.training.band.render.notes import read_parts
from rtsep.training.band.render.soundfont import play_parts
from rtsep.training.commands.shared import choices, results_console
from rtsep.training.databases.stem_folder import SAMPLERATE

PROGRAMS = {"piano": 0, "organ": 19, "strings": 48}  # General MIDI
PEAK = 0.5  # of full scale


@click.command("accompany")
@click.argument("score", metavar="SCORE.mid", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--font", type=click.Path(path_type=Path), required=True, help="General MIDI soundfont.")
@click.option("--on", default="piano,organ", show_default=True, help=f"Of {', '.join(PROGRAMS)}.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Folder for a song per instrument."
)
def command(score: Path, font: Path, on: str, out: Path) -> None:
    """Plays a score on one instrument after the other: each is a song of one stem, `other`."""
    names = choices("--on", on, tuple(PROGRAMS))
    if not font.is_file():
        raise RtsepError(f"--font {font} is no file", "name a soundfont, .sf2 or .sf3")
    parts = read_parts(score)
    if not parts:
        raise RtsepError(f"{score} holds no note", "name a score with notes")
    for name in names:
        programs = dict.fromkeys((part.channel for part in parts), PROGRAMS[name])
        sound = play_parts(parts, font, programs=programs, reverb=True)
        place = out / name
        try:
            place.mkdir(parents=True, exist_ok=True)
            scaled = PEAK * sound / np.max(np.abs(sound), initial=1e-9)
            soundfile.write(place / "other.wav", scaled, SAMPLERATE, subtype="FLOAT")
        except (OSError, soundfile.LibsndfileError) as error:
            raise RtsepError(f"--out {out} cannot be written ({error})", "choose another folder") from None
        results_console().print(f"{place / 'other.wav'}: {len(sound) / SAMPLERATE:.0f} s", highlight=False)

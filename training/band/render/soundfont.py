"""Soundfonts through fluidsynth."""

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile
import soxr

from rtsep.kernels.errors import RtsepError
from rtsep.training.band.render.notes import Part, write_parts
from rtsep.training.databases.stem_folder import F32, SAMPLERATE

SYNTH_RATE = 48000  # Hz: at 24 kHz the synthesiser would fold cymbals down


def play(midi: Path, font: Path, *, reverb: bool) -> F32:
    """A MIDI file played by a soundfont.

    Args:
        midi: what to play.
        font: .sf2 or .sf3.
        reverb: with the synthesiser's reverberation and chorus.

    Shape:
        returns float32 [samples] at `SAMPLERATE`.

    Raises:
        RtsepError: fluidsynth is not installed, or refuses.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.wav"
        effects = "1" if reverb else "0"
        command = [
            "fluidsynth", "-n", "-i", "-q", "-g", "0.3", "-R", effects, "-C", effects, "-r", str(SYNTH_RATE),
            "-T", "wav", "-O", "float", "-F", str(out), str(font), str(midi),
        ]  # fmt: skip
        try:
            subprocess.run(command, check=True, capture_output=True)
        except FileNotFoundError:
            raise RtsepError("fluidsynth is not installed", "install it: apt install fluidsynth") from None
        except subprocess.CalledProcessError as error:
            reason = error.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
            raise RtsepError(f"fluidsynth cannot play {midi} ({reason[-1]})", f"check {font}") from None
        audio, rate = soundfile.read(out, dtype="float32", always_2d=True)
    return np.asarray(soxr.resample(audio.mean(axis=1), rate, SAMPLERATE, quality="HQ"), np.float32)


def play_parts(
    parts: Sequence[Part],
    font: Path,
    *,
    programs: Mapping[int, int],
    reverb: bool,
    stretch: float = 1.0,
    semitones: int = 0,
) -> F32:
    """Parts of a song played by a soundfont: arguments and shape as of `write_parts` and `play`."""
    with tempfile.TemporaryDirectory() as folder:
        midi = Path(folder) / "part.mid"
        write_parts(parts, midi, programs=programs, stretch=stretch, semitones=semitones)
        return play(midi, font, reverb=reverb)

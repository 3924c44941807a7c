"""Drum takes: real drummers' timing and velocities, played on recorded kits and soundfonts' kits."""

import csv
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from rtsep.kernels.errors import RtsepError
from rtsep.training.band.render.amplifier import compress, in_room
from rtsep.training.band.render.notes import DRUM_CHANNEL, Note, Part, read_parts, stretched, write_parts
from rtsep.training.band.render.one_shots import DrumKit
from rtsep.training.band.render.songs import DRUM_PROGRAMS, Instruments
from rtsep.training.band.render.soundfont import play
from rtsep.training.databases.stem_folder import F32, SAMPLERATE

STRETCH = (0.85, 1.18)
LONGEST_S = 80.0  # of a take: many short ones differ more than few long ones
RECORDED_KIT = 0.5  # share of takes
GROOVE_TO_GM = {22: 42, 26: 46, 58: 43}  # the electronic kit's own notes


def groove_takes(folder: Path) -> tuple[list[Path], list[Path]]:
    """Takes to train on, and those of the split `test`, which only validate.

    Raises:
        RtsepError: no `info.csv`, or it names files that are not there.
    """
    try:
        with (folder / "info.csv").open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        chosen = [(folder / row["file"], row["split"] == "test") for row in rows]
    except (OSError, KeyError, csv.Error) as error:
        raise RtsepError(
            f"{folder}/info.csv cannot be read ({error})", "name the folder of the takes"
        ) from None
    missing = [file for file, _ in chosen if not file.exists()]
    if missing:
        raise RtsepError(f"{missing[0]} is not there", "copy the takes again")
    return [f for f, test in chosen if not test], [f for f, test in chosen if test]


def render_take(
    file: Path, instruments: Instruments, melodic_fonts: Sequence[Path], rng: np.random.Generator
) -> F32:
    """One take on one kit, float32 [samples].

    Args:
        file: MIDI of a take.
        instruments: kits and fonts.
        melodic_fonts: fonts whose kit is program 0 of a melodic bank, as avldrums has it.
        rng: chooses.
    """
    parts = read_parts(file)
    stretch = float(rng.uniform(*STRETCH))
    notes = [n._replace(pitch=GROOVE_TO_GM.get(n.pitch, n.pitch)) for p in parts for n in p.notes]
    notes = [n for n in notes if n.start_s * stretch < LONGEST_S]
    seconds = min(LONGEST_S, max(n.end_s for n in notes) * stretch + 1.0)
    room = float(rng.uniform(0.0, 1.5))
    if instruments.kits and rng.random() < RECORDED_KIT:
        kit: DrumKit = instruments.kits[int(rng.integers(len(instruments.kits)))]
        out = kit.play(stretched(notes, stretch, 0), seconds, room, rng)
    else:
        out = _by_font(notes, stretch, instruments.fonts, melodic_fonts, rng)
    out = np.pad(out, (0, max(0, round(seconds * SAMPLERATE) - len(out))))[: round(seconds * SAMPLERATE)]
    if rng.random() < 0.4:
        out = compress(out, float(rng.uniform(2.0, 6.0)), 0.15)
    if rng.random() < 0.33:
        out = in_room(out, instruments.responses, rng, float(rng.uniform(-18.0, -4.0)))
    return out


def _by_font(
    notes: Sequence[Note], stretch: float, fonts: Sequence[Path], melodic: Sequence[Path],
    rng: np.random.Generator,
) -> F32:  # fmt: skip
    all_fonts = [*fonts, *melodic, *melodic]  # two kits for two fonts of kits
    font = all_fonts[int(rng.integers(len(all_fonts)))]
    program = DRUM_PROGRAMS[int(rng.integers(len(DRUM_PROGRAMS)))]
    part = Part(DRUM_CHANNEL, program, tuple(notes), ())
    if font in melodic:
        part = replace(part, channel=0, program=0)
    with tempfile.TemporaryDirectory() as folder:
        midi = Path(folder) / "take.mid"
        write_parts([part], midi, programs={}, stretch=stretch, semitones=0)
        return play(midi, font, reverb=bool(rng.random() < 0.3))

"""Recorded single hits and notes played as written: drum kits, and basses and guitars note by note."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr

from rtsep.kernels.errors import RtsepError
from rtsep.training.band.render.notes import Note
from rtsep.training.databases.recorded import read_mono
from rtsep.training.databases.stem_folder import F32, SAMPLERATE

# General MIDI pieces that a kit may not have, and what a drummer without it would play. The first four are
# notes of the electronic kit that the Groove takes were played on.
STAND_IN = {
    22: 42, 26: 46, 58: 43, 40: 38, 37: 38, 35: 36, 36: 35, 44: 42, 43: 41, 41: 43, 47: 45, 45: 48, 50: 48,
    48: 50, 55: 49, 57: 49, 49: 57, 59: 51, 51: 59, 53: 51, 52: 57, 39: 38,
}  # fmt: skip
OPEN_HAT, CLOSED_HATS = 46, (42, 44)
CHOKE_S = 0.03  # an open hi-hat is silent this long after its pedal closes
VELOCITY_DB = 30.0  # from the softest to the hardest hit
ALIKE_DB = 3.0  # hits this much further from the wanted loudness than the nearest are as good
LARGEST_GAIN_DB = 4.0  # a hit that is not as loud as wanted is brought there, this far
RELEASE_S = 0.05  # of a note let go
DYNAMICS = ("p", "m", "f", "ff")


@dataclass(frozen=True)
class Hit:
    """One recorded hit.

    Attributes:
        peak_db: its loudness among the piece's hits.
        near, room: float32 [samples] at `SAMPLERATE`: close microphones, and those in the room.
    """

    peak_db: float
    near: F32
    room: F32


class DrumKit:
    """A recorded kit.

    Args:
        name: for messages.
        hits: by General MIDI piece.
    """

    def __init__(self, name: str, hits: dict[int, list[Hit]]) -> None:
        self.name = name
        self._hits = {piece: sorted(found, key=lambda hit: hit.peak_db) for piece, found in hits.items()}

    def play(self, notes: Iterable[Note], seconds: float, room: float, rng: np.random.Generator) -> F32:
        """A take.

        Args:
            notes: what to hit when; pieces that neither the kit nor `STAND_IN` has are left out.
            seconds: length.
            room: gain of the room's microphones.
            rng: picks among hits of nearly the same loudness.
        """
        out = np.zeros(round(seconds * SAMPLERATE), np.float32)
        played = sorted(notes)
        closed_s = [note.start_s for note in played if note.pitch in (*CLOSED_HATS, 22)]
        for note in played:
            piece = self._piece(note.pitch)
            start = round(note.start_s * SAMPLERATE)
            if piece is None or start >= len(out):
                continue
            hits = self._hits[piece]
            wanted_db = hits[-1].peak_db - VELOCITY_DB * (1.0 - note.velocity / 127.0)
            nearest_db = min(abs(hit.peak_db - wanted_db) for hit in hits)
            near = [hit for hit in hits if abs(hit.peak_db - wanted_db) <= nearest_db + ALIKE_DB]
            hit = near[int(rng.integers(len(near)))]
            short_db = np.clip(wanted_db - hit.peak_db, -LARGEST_GAIN_DB, LARGEST_GAIN_DB)
            sound = 10.0 ** (short_db / 20.0) * (hit.near + room * hit.room)
            if piece == OPEN_HAT:
                later = [t for t in closed_s if t > note.start_s]
                sound = _let_go(sound, later[0] - note.start_s, CHOKE_S) if later else sound
            _add(out, start, sound)
        return out

    def _piece(self, pitch: int) -> int | None:
        for _ in range(3):
            if pitch in self._hits:
                return pitch
            if pitch not in STAND_IN:
                return None
            pitch = STAND_IN[pitch]
        return None


def muldjord_kit(folder: Path) -> DrumKit:
    """A kit as `hits.csv` lists it, two files a hit: `NAME_near.ogg`, `NAME_room.ogg`.

    Raises:
        RtsepError: the list or a file cannot be read.
    """
    hits: dict[int, list[Hit]] = defaultdict(list)
    for row in _rows(folder / "hits.csv", ("hit", "midi_note", "peak_db")):
        near, room = (read_mono(folder / f"{row['hit']}_{place}.ogg") for place in ("near", "room"))
        samples = max(len(near), len(room))
        pair = [np.pad(sound, (0, samples - len(sound))) for sound in (near, room)]
        hits[int(row["midi_note"])].append(Hit(float(row["peak_db"]), *pair))
    return DrumKit(folder.name, hits)


class NotePlayer:
    """An instrument recorded note by note, in several dynamics.

    Args:
        folder: of its files.
        rows: of `notes.csv` that are its own.
    """

    def __init__(self, folder: Path, rows: Sequence[dict[str, str]]) -> None:
        self.name = folder.name
        self._folder = folder
        self._notes = [(int(row["midi_note"]), DYNAMICS.index(_dynamic(row)), row["file"]) for row in rows]
        self._cache: dict[tuple[str, int], F32] = {}

    def play(self, notes: Iterable[Note], seconds: float, rng: np.random.Generator) -> F32:
        """A part; every note is the nearest recorded one, resampled to its pitch.

        Args:
            notes: what to play; one below or above the instrument is moved by octaves.
            seconds: length.
            rng: picks among takes of a note.
        """
        low, high = min(n[0] for n in self._notes) - 2, max(n[0] for n in self._notes) + 4
        out = np.zeros(round(seconds * SAMPLERATE), np.float32)
        for note in notes:
            start = round(note.start_s * SAMPLERATE)
            if start >= len(out):
                continue
            pitch = note.pitch
            while pitch < low:
                pitch += 12
            while pitch > high:
                pitch -= 12
            nearest = min(abs(pitch - n[0]) for n in self._notes)
            dynamic = (note.velocity - 1) / 126.0 * (len(DYNAMICS) - 1)
            near = [n for n in self._notes if abs(pitch - n[0]) == nearest]
            by_dynamic = sorted(near, key=lambda n: abs(n[1] - dynamic))[:2]
            recorded, _, file = by_dynamic[int(rng.integers(len(by_dynamic)))]
            sound = self._at(file, pitch - recorded)
            level_db = -12.0 * (1.0 - note.velocity / 127.0)
            _add(out, start, 10.0 ** (level_db / 20.0) * _let_go(sound, note.end_s - note.start_s, RELEASE_S))
        return out

    def _at(self, file: str, semitones: int) -> F32:
        key = (file, semitones)
        if key not in self._cache:
            sound = read_mono(self._folder / file)
            if semitones:
                sound = soxr.resample(sound, SAMPLERATE * 2.0 ** (semitones / 12.0), SAMPLERATE)
            peak = float(np.max(np.abs(sound))) or 1.0
            self._cache[key] = np.asarray(sound / peak, np.float32)
        return self._cache[key]


def note_players(folder: Path, names: Sequence[str]) -> list[NotePlayer]:
    """Instruments by name, from a folder with a `notes.csv` and a folder for each.

    Raises:
        RtsepError: the list cannot be read, or an instrument is not in it.
    """
    by_name: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in _rows(folder / "notes.csv", ("instrument", "file", "midi_note", "dynamic")):
        by_name[row["instrument"]].append(row)
    for name in names:
        if name not in by_name:
            raise RtsepError(f"{folder} has no {name}", f"it has {', '.join(sorted(by_name))}")
    return [NotePlayer(folder / name, by_name[name]) for name in names]


def _dynamic(row: dict[str, str]) -> str:
    """The nearest of `DYNAMICS`: recordings are also marked pp, mp, mf."""
    given = row["dynamic"]
    return {"pp": "p", "mp": "m", "mf": "m", "fff": "ff"}.get(given, given if given in DYNAMICS else "m")


def _rows(file: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    try:
        with file.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RtsepError(f"{file} cannot be read ({error})", "check the folder") from None
    if not rows or not set(columns) <= rows[0].keys():
        raise RtsepError(f"{file} has no columns {', '.join(columns)}", "check the folder")
    return rows


def _let_go(sound: F32, after_s: float, fade_s: float) -> F32:
    """`sound`, faded out from `after_s` on."""
    begin = max(1, round(after_s * SAMPLERATE))
    fade = max(1, round(fade_s * SAMPLERATE))
    if begin >= len(sound):
        return sound
    cut = sound[: begin + fade].copy()
    cut[begin:] *= np.linspace(1.0, 0.0, len(cut) - begin, dtype=np.float32)
    return cut


def _add(out: F32, start: int, sound: F32) -> None:
    stop = min(len(out), start + len(sound))
    out[max(start, 0) : stop] += sound[max(0, -start) : stop - start]

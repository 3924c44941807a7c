"""Scores: parts of notes, from the chorale list, from MusicXML or MIDI folders, or drawn at random."""

import itertools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rtsep.kernels.errors import RtsepError

SCORE_SUFFIXES = {".mxl", ".xml", ".musicxml", ".mid", ".midi", ".krn", ".abc"}


@dataclass(frozen=True)
class Note:
    """One note: onset and duration in quarters, MIDI pitch, and whether it ends under a fermata."""

    onset: float
    duration: float
    midi: float
    fermata: bool = False

    @property
    def end(self) -> float:
        """Quarters from the beginning of the score."""
        return self.onset + self.duration


@dataclass(frozen=True)
class Score:
    """Parts as written, usually highest first; each in order of onset and without overlaps."""

    name: str
    parts: tuple[tuple[Note, ...], ...]

    @property
    def end(self) -> float:
        """Length in quarters."""
        return max((part[-1].end for part in self.parts if part), default=0.0)


def load_scores(path: Path) -> tuple[Score, ...]:
    """Scores of a JSON list, or of a folder of MusicXML, MIDI, Humdrum or ABC files (through music21).

    The JSON is a list of {"file": name, "parts": [[[onset, duration, midi, fermata], ...], ...]}, onset and
    duration in quarters.

    Raises:
        RtsepError: unreadable, or no score of at least one part in it.
    """
    if path.is_dir():
        files = sorted(f for f in path.rglob("*") if f.suffix.lower() in SCORE_SUFFIXES)
        scores = tuple(score for file in files if (score := _read_with_music21(file)).parts)
    else:
        scores = _read_json(path)
    if not scores:
        raise RtsepError(
            f"{path} holds no score", "give a JSON list of scores or a folder of MusicXML or MIDI files"
        )
    return scores


def _read_json(path: Path) -> tuple[Score, ...]:
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
        return tuple(
            Score(
                str(entry["file"]),
                tuple(_monophonic([Note(float(o), float(d), float(m), bool(f)) for o, d, m, f in part])
                      for part in entry["parts"] if part),
            )
            for entry in listed
        )  # fmt: skip
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise RtsepError(
            f"--scores {path} cannot be read ({error})",
            'give a list of {"file": ..., "parts": [[[onset, duration, midi, fermata], ...], ...]}',
        ) from None


def _read_with_music21(file: Path) -> Score:
    try:
        import music21
    except ImportError:
        raise RtsepError(
            f"{file} needs music21, which is not installed", "run pip install 'rtsep[train]'"
        ) from None
    try:
        parsed = music21.converter.parse(file)
    except Exception as error:  # music21 raises whatever its parsers raise
        raise RtsepError(
            f"{file} is no score that music21 reads ({error})", "repair it or take it out of the folder"
        ) from None
    parts = []
    for part in getattr(parsed, "parts", [parsed]):
        notes = []
        for note in part.flatten().stripTies().notes:
            fermata = any("Fermata" in expression.classes for expression in note.expressions)
            # the top note of a divisi chord
            notes.append(
                Note(
                    float(note.offset),
                    float(note.quarterLength),
                    float(max(p.midi for p in note.pitches)),
                    fermata,
                )
            )
        if cleaned := _monophonic([note for note in notes if note.duration > 0]):
            parts.append(cleaned)
    # parts of a MIDI file come in any order
    parts.sort(key=lambda part: -float(np.mean([note.midi for note in part])))
    return Score(file.name, tuple(parts[:4]))


def _monophonic(notes: list[Note]) -> tuple[Note, ...]:
    """In order of onset, each cut where the next one begins."""
    ordered = sorted(notes, key=lambda note: note.onset)
    cut = [
        Note(note.onset, min(note.end, after.onset) - note.onset, note.midi, note.fermata)
        for note, after in itertools.pairwise(ordered)
    ]
    return tuple(note for note in [*cut, *ordered[-1:]] if note.duration > 0)


# Lowest and highest centre of a random line, MIDI: bass C3..soprano E5, so that lines reach C2..C6.
LINE_CENTRES = (47.0, 76.0)
LINE_REACH = 9.0  # semitones around the centre: a comfortable range of an octave and a half


def random_score(parts: int, quarters: float, rng: np.random.Generator) -> Score:
    """Independent random lines, highest first by their centres; neighbours often overlap and cross.

    Steps are mostly diatonic seconds, sometimes leaps; rhythms run from eighths to whole notes.
    """
    scale = np.array([0, 2, 4, 5, 7, 9, 11]) + rng.integers(12)
    allowed = np.array([p for p in range(30, 90) if (p - scale[0]) % 12 in (scale - scale[0])])
    lines = []
    for centre in np.sort(rng.uniform(*LINE_CENTRES, size=parts))[::-1]:
        inside = np.flatnonzero(np.abs(allowed - centre) <= LINE_REACH)
        place = int(rng.choice(inside))
        onset = float(rng.choice([0.0, 0.0, 1.0, 2.0]))
        line = []
        while onset < quarters:
            duration = float(rng.choice([0.5, 1.0, 1.5, 2.0, 3.0, 4.0], p=[0.2, 0.35, 0.1, 0.2, 0.05, 0.1]))
            fermata = bool(rng.random() < 0.06)
            line.append(Note(onset, duration + 2.0 * fermata, float(allowed[place]), fermata))
            onset = line[-1].end + float(rng.choice([0.0, 1.0], p=[0.93, 0.07]))
            step = int(rng.choice([-1, 1, 0, -2, 2, -4, 4], p=[0.3, 0.3, 0.1, 0.1, 0.1, 0.05, 0.05]))
            place = int(np.clip(place + step, inside[0], inside[-1]))
        lines.append(tuple(line))
    return Score("random lines", tuple(lines))

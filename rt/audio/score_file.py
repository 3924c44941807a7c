"""Reads a written score: MusicXML or MIDI, by partitura, repeats unfolded, ties joined."""

import contextlib
import importlib
import io
import itertools
import re
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from rtsep.kernels.assignments import MAX_VOICES
from rtsep.kernels.errors import InputRefused, RtsepError
from rtsep.models.choir.score.score import Score

SUFFIXES = (".mid", ".midi", ".musicxml", ".xml", ".mxl")
DEFAULT_QPM = 120.0  # MIDI's, where a score names no tempo; the follower finds it
PERCUSSION = 9  # MIDI's channel 10, counted from 0
# Names that parameters and files of a session have already.
RESERVED = ("residual", "input", "output", "mixture", "dry", "bypass", "score", "master")
# A part's notes that overlap longer than legato playing makes them are divided among its singers.
DIVISI_S = 0.1
# A staff for two voices has this share of its notes in each at least.
VOICE_SHARE = 0.2
Notes = list[tuple[float, float, float]]


def load_score(path: str | Path) -> Score:
    """The parts of a score, the highest first.

    Raises:
        RtsepError: partitura is missing.
        InputRefused: a file that is missing, broken or of another kind, a score without notes, of percussion,
            or of more parts than voices can be separated.
    """
    file = Path(path)
    if file.suffix.lower() not in SUFFIXES:
        raise InputRefused(f"--score {path} is not a score", f"give one of {', '.join(SUFFIXES)}")
    if not file.is_file():
        raise InputRefused(f"--score {path} is not there", "give the path of a MusicXML or MIDI file")
    try:
        partitura = _reader()
    except ImportError as error:
        raise RtsepError("--score needs partitura", "pip install 'rtsep[score]'") from error
    if file.suffix.lower() in (".mid", ".midi"):
        _refuse_drums(path, file)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            parts = _unfolded(partitura, file)
            tempo = _Tempo([mark for part in parts for mark in _tempos(partitura, part)])
            found = [(name, notes) for part in parts for name, notes in _voices(part, tempo)]
            beats = _beats(partitura, parts, tempo) if found else ()
        except RtsepError:
            raise
        except Exception as error:  # of a reader that meets a broken file: many kinds
            words = " ".join(str(error).split())[:80] or type(error).__name__
            raise InputRefused(f"--score {path} cannot be read ({words})", "export it again") from error
    if not found:
        raise InputRefused(f"--score {path} has no notes with a pitch", "give a score with sung parts")
    if len(found) > MAX_VOICES:
        raise InputRefused(
            f"--score {path} has {len(found)} parts, more than the {MAX_VOICES} voices that are separated",
            "leave only the sung parts in the score",
        )
    return _score(found, beats)


def _reader() -> Any:
    """partitura without its synthesiser: where pyfluidsynth is installed too, importing it fetches a sound
    font from the network, and fails where there is none, as on a stage."""
    missing = object()
    before = sys.modules.get("fluidsynth", missing)
    sys.modules["fluidsynth"] = None  # type: ignore[assignment]  # Python's way to say: there is none
    try:
        return importlib.import_module("partitura")
    finally:
        if before is missing:
            del sys.modules["fluidsynth"]
        else:
            sys.modules["fluidsynth"] = before  # type: ignore[assignment]


def given_score(path: str | None, transpose: float | None) -> Score | None:
    """The score of `--score` and `--transpose`, None where there is none.

    Raises:
        RtsepError: as `load_score`; a transposition of nothing.
    """
    if path is not None:
        return replace(load_score(path), transpose=transpose)
    if transpose is not None:
        raise RtsepError(f"--transpose {transpose:g} is for --score", "add --score FILE, or leave it out")
    return None


def _refuse_drums(path: str | Path, file: Path) -> None:
    mido = importlib.import_module("mido")  # partitura stands on it
    try:
        messages = [m for track in mido.MidiFile(file).tracks for m in track if m.type == "note_on"]
    except Exception as error:
        raise InputRefused(f"--score {path} cannot be read ({error})", "export it again") from error
    if not any(message.velocity for message in messages):
        raise InputRefused(f"--score {path} has no notes with a pitch", "give a score with sung parts")
    if any(message.channel == PERCUSSION for message in messages):
        raise InputRefused(
            f"--score {path} has percussion (MIDI channel 10)", "leave only the sung parts in the score"
        )


def _unfolded(partitura: Any, file: Path) -> list[Any]:
    score = partitura.load_score(str(file))
    parts = []
    for part in score.parts:
        try:
            parts.append(partitura.score.unfold_part_maximal(part))
        except Exception:  # repeats that no reading makes sense of: as printed
            parts.append(part)
    return parts


class _Tempo:
    """From quarter notes to seconds, by the tempo marks of all parts."""

    def __init__(self, marks: list[tuple[float, float]]) -> None:
        by_place = dict(sorted(marks)) or {0.0: DEFAULT_QPM}
        self._quarters = np.array(list(by_place))
        self._qpm = np.array(list(by_place.values()))
        lengths = np.diff(self._quarters) * 60.0 / self._qpm[:-1]
        self._seconds = np.concatenate([[0.0], np.cumsum(lengths)])

    def seconds(self, quarter: float) -> float:
        at = max(0, int(np.searchsorted(self._quarters, quarter, side="right")) - 1)
        return float(self._seconds[at] + (quarter - self._quarters[at]) * 60.0 / self._qpm[at])


def _tempos(partitura: Any, part: Any) -> list[tuple[float, float]]:
    found = []
    for mark in part.iter_all(partitura.score.Tempo):
        micros = mark.microseconds_per_quarter
        if micros and micros > 0:
            found.append((float(part.quarter_map(mark.start.t)), 60e6 / float(micros)))
    return found


def _voices(part: Any, tempo: _Tempo) -> list[tuple[str, Notes]]:
    """The notes of a part; of each of its voices where a staff is written for several."""
    table = part.note_array()
    table = table[table["duration_quarter"] > 0]  # grace notes have no length
    if not len(table):
        return []
    name = part.part_name or part.id or ""
    voices, counts = np.unique(table["voice"], return_counts=True)
    kept = [voice for voice, count in zip(voices, counts, strict=True) if count >= VOICE_SHARE * len(table)]
    if len(kept) < 2 or not _overlap(table, kept):
        return [(name, _notes(table, tempo))]
    return [(name, _notes(table[table["voice"] == voice], tempo)) for voice in kept]


def _overlap(table: Any, voices: list[Any]) -> bool:
    """Whether voices sound together, as two singers do, and do not follow each other."""
    first, second = (table[table["voice"] == voice] for voice in voices[:2])
    begins, ends = (first["onset_quarter"], first["onset_quarter"] + first["duration_quarter"])
    together = [
        ((begins < onset + length) & (ends > onset)).any()
        for onset, length in zip(second["onset_quarter"], second["duration_quarter"], strict=True)
    ]
    return bool(np.mean(together) > 0.5)


def _notes(table: Any, tempo: _Tempo) -> Notes:
    return sorted(
        (
            tempo.seconds(float(row["onset_quarter"])),
            tempo.seconds(float(row["onset_quarter"] + row["duration_quarter"])),
            float(row["pitch"]),
        )
        for row in table
    )


def _beats(partitura: Any, parts: list[Any], tempo: _Tempo) -> tuple[tuple[float, int, float], ...]:
    """Of the part with the most bars."""
    best: list[tuple[float, int, float]] = []
    for part in parts:
        beats = []
        for count, bar in enumerate(part.iter_all(partitura.score.Measure), start=1):
            begin, end = float(part.quarter_map(bar.start.t)), float(part.quarter_map(bar.end.t))
            upper, unit = (float(x) for x in part.time_signature_map(bar.start.t)[:2])
            length = 4.0 / unit
            number = int(bar.number) if bar.number is not None else count
            have = max(1, round((end - begin) / length))
            # an upbeat is the end of a bar
            before = upper - have if count == 1 and have < upper else 0.0
            beats += [(tempo.seconds(begin + k * length), number, 1.0 + before + k) for k in range(have)]
        best = max(best, beats, key=len)
    return tuple(sorted(best))


def _score(found: list[tuple[str, Notes]], beats: tuple[tuple[float, int, float], ...]) -> Score:
    first = min(0.0, min(notes[0][0] for _, notes in found), *(beat[0] for beat in beats[:1]))
    found.sort(key=lambda part: -_middle(part[1]))
    names = _names([name for name, _ in found])
    remarks = tuple(
        f"the part {name} is divided in places: its highest note is followed"
        for name, (_, notes) in zip(names, found, strict=True)
        if _divided(notes)
    )
    moved = tuple(tuple((a - first, b - first, midi) for a, b, midi in notes) for _, notes in found)
    return Score(names, moved, tuple((at - first, bar, beat) for at, bar, beat in beats), None, remarks)


def _middle(notes: Notes) -> float:
    """The pitch that a part has half of its time above."""
    pitches = np.repeat([n[2] for n in notes], [max(1, round(20 * (n[1] - n[0]))) for n in notes])
    return float(np.mean(pitches))


def _divided(notes: Notes) -> bool:
    return any(b[0] < a[1] - DIVISI_S for a, b in itertools.pairwise(notes))


def _names(wanted: list[str]) -> tuple[str, ...]:
    """Safe as file names and as names of parameters, each once."""
    names: list[str] = []
    for index, text in enumerate(wanted, start=1):
        name = re.sub(r"[^\w-]+", "-", text.strip().lower()).strip("-_")[:30]
        if not name or name in RESERVED or re.fullmatch(r"in-\d+|p\d+", name):
            name = f"part-{index}"
        base, again = name, 2
        while name in names:
            name, again = f"{base}-{again}", again + 1
        names.append(name)
    return tuple(names)

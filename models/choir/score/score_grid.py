"""A score on a grid of time and semitones: what the follower compares with the sound, and the prior reads."""

import itertools

import numpy as np
from numpy.typing import NDArray

from rtsep.models.choir.pitch_grid import CANDIDATE_CENTS, CANDIDATES
from rtsep.models.choir.score.score import Score

F32 = NDArray[np.float32]

CELL_S = 0.05  # of written time: half of the shortest notes that choirs sing (a semiquaver at 150 is 0.1 s)
LEAD_S = 0.5  # silence before the first note and after the last: where a choir waits that has not begun
SEMITONES_PER_CANDIDATE = CANDIDATE_CENTS / 100.0
LOWEST_MIDI = 35  # one below the lowest candidate, C2 less 60 cents: MIDI 35.4
FIRST_CANDIDATE_MIDI = 35.4
SEMITONES = int(np.ceil(FIRST_CANDIDATE_MIDI + SEMITONES_PER_CANDIDATE * CANDIDATES)) + 1 - LOWEST_MIDI
# How near in time a note must be to count as written now: singers of a choir begin and end a note at
# different moments, and a room holds it.
NEAR_S = 0.25
# Of a pitch so many semitones from a written note, as a share of the note's own: scoops, vibrato and a wrong
# candidate beside the right one count in full, -3 for each semitone beyond 1.5.
NEARNESS = tuple(float(np.exp(-3.0 * max(0.0, abs(d) - 1.5))) for d in range(-4, 5))


def place_to_semitone(place: F32) -> F32:
    """From places on the tracker's grid of candidates to semitones above `LOWEST_MIDI`."""
    return (
        place * np.float32(SEMITONES_PER_CANDIDATE) + np.float32(FIRST_CANDIDATE_MIDI - LOWEST_MIDI)
    ).astype(np.float32)


class ScoreGrid:
    """A score in cells of `CELL_S`, `LEAD_S` of silence on either side.

    Args:
        score: up to four parts.
        near_s: how near in time a note must be to count as written now.

    Attributes:
        cells: how many.
        chords: float32 [chords, SEMITONES], 1 for each note that sounds; each chord of the score once, the
            first is silence.
        chord_of: int [cells], which.
        near: float32 [cells, parts, SEMITONES], 0..1: is this pitch, as far as the score says, sung by this
            part within `near_s` of the cell.
        rests: float32 [cells, parts], 1 where the part rests somewhere within `near_s`.
        shared: float32 [cells, parts, parts], 1 where two parts have the same note within `near_s` (above the
            diagonal), and where the later part is above or at the earlier (below it, [later, earlier]).
    """

    def __init__(self, score: Score, near_s: float = NEAR_S) -> None:
        parts = len(score.parts)
        self.cells = int(np.ceil((score.duration_s + 2.0 * LEAD_S) / CELL_S)) + 1
        written = np.full((self.cells, parts), -1, np.int64)  # the highest of a part's notes
        for part, notes in enumerate(score.notes):
            for start_s, end_s, midi in notes:
                begin, end = self.cell_of(start_s), max(self.cell_of(end_s), self.cell_of(start_s) + 1)
                pitch = round(midi) - LOWEST_MIDI
                if 0 <= pitch < SEMITONES:
                    np.maximum(written[begin:end, part], pitch, out=written[begin:end, part])
        every = np.concatenate([np.full((1, parts), -1), written])
        each, of = np.unique(np.sort(every, axis=1), axis=0, return_inverse=True)
        of = of.reshape(-1)
        self.chords = np.zeros((len(each), SEMITONES), np.float32)
        for chord, pitches in enumerate(each):
            self.chords[chord, pitches[pitches >= 0]] = 1.0
        self.chord_of = of[1:].astype(np.intp)
        self._place_near(written, parts, round(near_s / CELL_S))

    def _place_near(self, written: NDArray[np.int64], parts: int, reach: int) -> None:
        self.near = np.zeros((self.cells, parts, SEMITONES), np.float32)
        self.rests = np.zeros((self.cells, parts), np.float32)
        self.shared = np.zeros((self.cells, parts, parts), np.float32)
        spread = np.zeros((SEMITONES, SEMITONES), np.float32)  # from a note to the pitches near it
        for d, share in zip(range(-4, 5), NEARNESS, strict=True):
            spread += np.float32(share) * np.eye(SEMITONES, k=d, dtype=np.float32)
        highest = np.where(written < 0, -1, written)
        lowest = np.where(written < 0, 2 * SEMITONES, written)
        for shift in range(-reach, reach + 1):
            cell = np.clip(np.arange(self.cells) + shift, 0, self.cells - 1)
            for part in range(parts):
                at = written[cell, part]
                sings = at >= 0
                self.near[sings, part] = np.maximum(self.near[sings, part], spread[at[sings]])
                self.rests[~sings, part] = 1.0
        for v, w in itertools.combinations(range(parts), 2):
            top, bottom = (
                _reached(highest[:, w], reach, np.maximum),
                _reached(lowest[:, v], reach, np.minimum),
            )
            self.shared[:, w, v] = (top >= bottom) & (top >= 0)
            for shift in range(-reach, reach + 1):
                cell = np.clip(np.arange(self.cells) + shift, 0, self.cells - 1)
                same = (written[cell, v] >= 0) & (written[cell, v] == written[cell, w])
                self.shared[same, v, w] = 1.0

    @staticmethod
    def cell_of(time_s: float) -> int:
        """The cell of a written time in s."""
        return round((time_s + LEAD_S) / CELL_S)

    @staticmethod
    def time_of(cell: float) -> float:
        """The written time in s, 0 before the first note."""
        return max(0.0, cell * CELL_S - LEAD_S)


def _reached(values: NDArray[np.int64], reach: int, best: np.ufunc) -> NDArray[np.int64]:
    found = values.copy()
    for shift in range(-reach, reach + 1):
        cell = np.clip(np.arange(len(values)) + shift, 0, len(values) - 1)
        best(found, values[cell], out=found)
    return found

"""A score of random chords, choirs that sing it, and a follower that hears them: salience without sound."""

import numpy as np
from numpy.typing import NDArray

from rtsep.models.choir.pitch_grid import CANDIDATES
from rtsep.models.choir.score.follower import ScoreFollower
from rtsep.models.choir.score.score import Score
from rtsep.models.choir.score.score_grid import FIRST_CANDIDATE_MIDI, SEMITONES_PER_CANDIDATE, ScoreGrid

HOP_S = 0.0213
CHORD_S = 0.8
Notes = NDArray[np.float64]


def chords(seed: int, count: int = 40) -> Notes:
    """MIDI numbers [count, 3], the highest first."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(low, low + 11, count) for low in (67, 57, 45)], axis=1).astype(float)


def score_of(notes: Notes, transpose: float | None = 0.0) -> Score:
    parts = tuple(
        tuple((i * CHORD_S, (i + 1) * CHORD_S, float(midi)) for i, midi in enumerate(part))
        for part in notes.T
    )
    beats = tuple((i * CHORD_S, i // 4 + 1, float(i % 4 + 1)) for i in range(len(notes)))
    return Score(("a", "b", "c"), parts, beats, transpose)


def salience(midi: Notes | None, rng: np.random.Generator) -> NDArray[np.float32]:
    """Log odds of a hop in which these notes sound, or nothing."""
    odds = rng.normal(-5.0, 0.5, CANDIDATES)
    for note in () if midi is None else midi:
        at = (note - FIRST_CANDIDATE_MIDI) / SEMITONES_PER_CANDIDATE
        odds = np.maximum(odds, 2.0 - 3.0 * np.abs(np.arange(CANDIDATES) - at))
    return odds.astype(np.float32)


def follow(follower: ScoreFollower, notes: Notes, places_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Errors in s, hop by hop, of a choir that is at `places_s` of the score (below 0: silent)."""
    rng, errors = np.random.default_rng(9), []
    for place in places_s:
        sounding = 0 <= place < len(notes) * CHORD_S
        follower.hear(salience(notes[int(place / CHORD_S)] if sounding else None, rng))
        errors.append(ScoreGrid.time_of(follower.cell) - place)
    return np.array(errors)


def walk(duration_s: float, tempo: float = 1.0, start_s: float = 0.0) -> NDArray[np.float64]:
    return start_s + tempo * HOP_S * np.arange(round(duration_s / HOP_S))


NOTES = chords(1)


def follower_of(notes: Notes = NOTES, transpose: float | None = 0.0) -> ScoreFollower:
    return ScoreFollower(ScoreGrid(score_of(notes)), HOP_S, transpose)

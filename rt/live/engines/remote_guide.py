"""The follower of a score in a second process, as the hop loop sees it: where it is, and where it is sent."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rtsep.models.choir.score.score import Score
from rtsep.models.choir.score.score_guide import ScoreGuide, ScorePosition

F64 = NDArray[np.float64]

# What the hop loop tells: how often it has sent the follower somewhere, the time in the score, the semitones
# that the choir sings above it, and 1 where it is on its way there, not about to begin in the key as known.
SENT_VALUES = 4
# What the second process reports: time in the score, confidence, transposition.
PLACE_VALUES = 3
SURE = 0.5  # from here on a place is passed on to the next engine; otherwise it listens for itself


class RemoteGuide:
    """Stands in a `ScoreGuide`'s place.

    Args:
        score: that is followed.
        send: takes float64 [SENT_VALUES] to the second process.
        place: gives float64 [PLACE_VALUES], what it reported last.
    """

    def __init__(self, score: Score, send: Callable[[F64], None], place: Callable[[], F64]) -> None:
        self.score, self._send, self._place = score, send, place
        self._times = 0

    @property
    def position(self) -> ScorePosition:
        """As of `ScoreGuide`."""
        time_s, confidence, transposition = (float(value) for value in self._place())
        return ScorePosition(time_s, *self.score.bar_and_beat(time_s), confidence, transposition)

    def go_to(self, time_s: float) -> None:
        """As of `ScoreGuide`: about to begin there."""
        self._go(time_s, math.nan, 0.0)

    def follow_on(self, position: ScorePosition) -> None:
        """Where the engine before it is sure to be, this one goes on; it hears the same from now on."""
        if position.confidence >= SURE:
            self._go(position.time_s, position.transposition, 1.0)

    def _go(self, time_s: float, transposition: float, going: float) -> None:
        self._times += 1
        self._send(np.array([self._times, time_s, transposition, going]))


def write_place(guide: ScoreGuide, values: F64) -> None:
    """By the second process: its place, float64 [PLACE_VALUES]."""
    at = guide.position
    values[:] = at.time_s, at.confidence, at.transposition


def go_where_sent(guide: ScoreGuide, sent: F64, before: float) -> float:
    """By the second process: float64 [SENT_VALUES]; `before` is how often it was sent until now, and so is
    what is returned."""
    times, time_s, transposition, going = (float(value) for value in sent)
    if times != before:
        if going:
            guide.follow_on(time_s, transposition)
        else:
            guide.go_to(time_s)
    return times

"""The written score beside the tracker: hears what the tracker hears, and tells it what is written."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtsep.models.choir.score.follower import ScoreFollower
from rtsep.models.choir.score.prior import ScorePrior
from rtsep.models.choir.score.score import Score
from rtsep.models.choir.score.score_grid import ScoreGrid
from rtsep.models.mask_model import State

F32 = NDArray[np.float32]

GOING_STANDING = 0.1  # a choir that is followed may just be holding a note


@dataclass(frozen=True)
class ScorePosition:
    """Where in the score the choir is.

    Attributes:
        time_s: of the written score, at its own tempo.
        bar, beat: likewise, the beat from 1.
        confidence: 0..1; near 0 the score is not heard, and tells the tracker nothing.
        transposition: semitones that the choir sings above the score.
    """

    time_s: float
    bar: int
    beat: float
    confidence: float
    transposition: float


class ScoreGuide:
    """Follows a score and tells who is likely to sing what.

    Args:
        score: to follow.
        hop_s: between two calls of `hear`.

    Attributes:
        follower: where in the score the choir is.
    """

    def __init__(self, score: Score, hop_s: float) -> None:
        self.score, self._hop_s = score, hop_s
        grid = ScoreGrid(score)
        self.follower = ScoreFollower(grid, hop_s, score.transpose)
        self._prior = ScorePrior(grid, len(score.parts))

    @property
    def bias(self) -> F32:
        """See `ScorePrior`."""
        return self._prior.bias

    @property
    def pair_cost(self) -> F32:
        """See `ScorePrior`."""
        return self._prior.pair_cost

    @property
    def position(self) -> ScorePosition:
        """Now."""
        time_s = ScoreGrid.time_of(self.follower.cell)
        bar, beat = self.score.bar_and_beat(time_s)
        return ScorePosition(time_s, bar, beat, self.follower.confidence, self.follower.transposition)

    def hear(self, salience: F32, place: F32, log_odds: F32, count: int) -> bool:
        """One hop: log odds of all candidates, and the peaks as `_core.salience_peaks` finds them; True when
        the position has been looked at anew."""
        follower, prior = self.follower, self._prior
        looked = follower.hear(salience)
        if looked:
            self._know()
            deviation = prior.deviation(place, log_odds, count, follower.offset)
            if deviation is not None:
                follower.tune(deviation, self._hop_s)
        prior.hear(place, count, follower.offset)
        return looked

    def _know(self) -> None:
        if self.follower.searching:
            self._prior.forget()
        else:
            self._prior.know(self.follower.position, self.follower.first)

    def skip(self) -> None:
        """A hop passes unheard."""
        self.follower.skip()

    def go_to(self, time_s: float) -> None:
        """The choir is at a time of the written score."""
        self.follower.go_to(time_s)
        self._know()

    def follow_on(self, time_s: float, transposition: float) -> None:
        """Another follower was there, sure of itself, a moment ago."""
        self.follower.transpose(transposition)
        self.follower.go_to(time_s, standing=GOING_STANDING)
        self._know()

    def reset(self) -> None:
        """As before any sound."""
        self.follower.reset()
        self._know()

    def state_dict(self) -> State:
        """The follower's."""
        return self.follower.state_dict()

    def load_state_dict(self, state: State) -> None:
        """Continues from `state_dict()`; ValueError for that of another score, nothing has changed then."""
        self.follower.load_state_dict(state)
        self._know()

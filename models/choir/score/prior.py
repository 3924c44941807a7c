"""What the score says about who sings which pitch now, weighed by how sure the place in it is."""

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.models.choir.score.score_grid import SEMITONES, ScoreGrid, place_to_semitone

F32 = NDArray[np.float32]

REACH_CELLS = (
    64  # of the score on either side of the likeliest place: 3.2 s; what is further counts as unknown
)
# The most that the score holds against a pitch far from what is written, against a voice that does not sing
# where it should (it breathes, it is late), against sharing a pitch, and against crossing, as probabilities.
LEAST_PITCH, LEAST_REST, LEAST_SHARED, LEAST_CROSSED = (float(np.exp(-x)) for x in (9.0, 2.0, 9.0, 20.0))


class ScorePrior:
    """Bias of every voice on every peak, and of every pair, from the position in the score.

    Attributes:
        bias: float32 [parts, 1 + peaks], silence first, as `_core.PitchAssignment` takes it; 0 where nothing
            is known.
        pair_cost: float32 [parts, parts], likewise.
    """

    def __init__(self, grid: ScoreGrid, parts: int) -> None:
        self._grid = grid
        self._unknown = 1.0
        self._near = np.zeros((parts, SEMITONES), np.float32)
        self._rests = np.zeros(parts, np.float32)
        self.bias = np.zeros((parts, 1 + _core.PitchAssignment.PEAKS), np.float32)
        self.pair_cost = np.zeros((parts, parts), np.float32)
        self._strict = np.arange(parts)[:, None] < np.arange(parts)[None, :]
        self._least_pair = np.where(self._strict, LEAST_SHARED, LEAST_CROSSED).astype(np.float32)
        self.forget()

    def know(self, position: F32, first: int) -> None:
        """The position: probabilities of cells from `first` on; what they lack to 1 is unknown."""
        best = int(np.argmax(position))
        low, high = max(0, best - REACH_CELLS), min(len(position), best + REACH_CELLS + 1)
        weight, cells = position[low:high], slice(first + low, first + high)
        grid = self._grid
        known = float(weight.sum())
        self._unknown = min(max(1.0 - known, 0.0), 1.0)
        np.einsum("c,cvp->vp", weight, grid.near[cells], out=self._near)
        np.einsum("c,cv->v", weight, grid.rests[cells], out=self._rests)
        # pitch order is the better guess until the place is sure: half sure lets a sixteenth of it count
        pairs = np.einsum("c,cvw->vw", weight, grid.shared[cells]) * np.float32(min(known, 1.0) ** 4)
        self.pair_cost[...] = -np.log(np.minimum(pairs + self._least_pair, 1.0))

    def forget(self) -> None:
        """Nothing is known of the position."""
        self._unknown = 1.0
        self._near[...] = 0
        self._rests[...] = 0
        self.pair_cost[...] = -np.log(self._least_pair)

    def hear(self, place: F32, count: int, offset: float) -> None:
        """Writes `bias` for the peaks at `place` (candidates); the choir sings `offset` semitones above."""
        at = place_to_semitone(place[:count]) - np.float32(offset)
        below = np.clip(np.floor(at), 0, SEMITONES - 2).astype(np.intp)
        part = np.clip(at - below, 0, 1).astype(np.float32)
        near = self._near[:, below] * (1 - part) + self._near[:, below + 1] * part
        unknown = np.float32(self._unknown)
        self.bias[:, 0] = np.log(np.minimum(self._rests + unknown + np.float32(LEAST_REST), 1.0))
        self.bias[:, 1 : count + 1] = np.log(np.minimum(near + unknown + np.float32(LEAST_PITCH), 1.0))
        self.bias[:, count + 1 :] = 0

    def deviation(self, place: F32, log_odds: F32, count: int, offset: float) -> float | None:
        """How far, in semitones, the sure peaks lie from the written notes near them; None without any."""
        if self._unknown > 0.2:
            return None
        written = self._near.max(axis=0)
        deviations = []
        for at, odds in zip(place_to_semitone(place[:count]) - np.float32(offset), log_odds, strict=False):
            nearest = round(float(at))
            if odds > 1.0 and 0 < nearest < SEMITONES - 1:
                around = written[nearest - 1 : nearest + 2]
                if around[1] > 0.8 and around[0] > 0.8 and around[2] > 0.8:
                    deviations.append(float(at) - nearest)
        return float(np.mean(deviations)) if deviations else None

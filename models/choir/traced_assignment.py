"""An assignment of pitches to voices that is decided later, with what came since in mind.

The beam decoder of the stage (kernels/src/assignment.cpp), with its own scores, and the parents of every
hypothesis: the best hypothesis of today is followed back to what it thinks of the past.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.models.choir.peak_reading import SCORE_PER_E, PeakFinder
from rtsep.models.mask_model import State, require_like

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]
# From the places of peaks and their count to the bias and the costs of pairs, as of `PitchAssignment`.
Written = Callable[[F32, int], tuple[F32, F32]]


class AssignmentBeam:
    """The beam decoder of the stage with the hypotheses that it works on.

    Args:
        voices: 1..4.
        hop_s: between two steps.
        free_order: whether voices may cross and meet, as of `PitchAssignment`.

    Attributes:
        assignment: the decoder.
        sung, register_centre, observed_s: float32 [beam, voices]; score: float32 [beam], of the hypotheses.
        chosen: int32 [voices], peaks of the best one after the last step.
    """

    def __init__(self, voices: int, hop_s: float, free_order: bool) -> None:
        beam = _core.PitchAssignment.SIZE
        self.assignment = _core.PitchAssignment(voices, hop_s, free_order)
        self.sung, self.register_centre, self.observed_s = (
            np.empty((beam, voices), np.float32) for _ in range(3)
        )
        self.score = np.empty(beam, np.float32)
        self.chosen = np.zeros(voices, np.int32)
        self._parent, self._peaks = np.zeros(beam, np.int32), np.zeros((beam, voices), np.int32)
        self.reset()

    def step(self, peaks: PeakFinder, count: int, *written: F32) -> None:
        """The first `count` peaks go to voices, in every hypothesis; `written`: bias and costs of pairs."""
        self.assignment.step(
            peaks.place,
            peaks.log_odds,
            count,
            self.sung,
            self.register_centre,
            self.observed_s,
            self.score,
            self.chosen,
            *written,
        )

    def hypotheses(self) -> I32:
        """Of the last step, the best one first: peaks int32 [beam, voices] as of `chosen`."""
        self.assignment.trace(self._parent, self._peaks)
        return self._peaks

    def reset(self) -> None:
        """One hypothesis: all voices silent, no register known yet."""
        self.sung[...] = _core.PitchAssignment.CONSTANTS["SILENT_PLACE"]
        self.register_centre[...] = 0
        self.observed_s[...] = 0
        self.score[...] = -np.inf
        self.score[0] = 0.0


class Trace:
    """The last steps of a beam and their peaks, in arrays that are allocated once.

    Args:
        voices: 1..4.
        capacity: steps that are kept.

    Attributes:
        steps: that were taken so far.
    """

    def __init__(self, voices: int, capacity: int) -> None:
        beam, peaks = _core.PitchAssignment.SIZE, _core.PitchAssignment.PEAKS
        self._capacity = capacity
        self._place, self._log_odds = (np.zeros((capacity, peaks), np.float32) for _ in range(2))
        self._parent = np.zeros((capacity, beam), np.int32)
        self._peaks = np.zeros((capacity, beam, voices), np.int32)
        self._opinions, self._score = np.zeros((beam, voices), np.int32), np.zeros(beam, np.float32)
        self.reset()

    def take(self, assignment: _core.PitchAssignment, place: F32, log_odds: F32) -> None:
        """The last step of `assignment`, and the peaks float32 [peaks] it was given."""
        slot = self.steps % self._capacity
        assignment.trace(self._parent[slot], self._peaks[slot])
        self._place[slot], self._log_odds[slot] = place, log_odds
        self.steps += 1

    def hold(self) -> None:
        """A step without news: every hypothesis stays, and so do its peaks."""
        slot = self.steps % self._capacity
        for kept in (self._place, self._log_odds, self._peaks):
            kept[slot] = kept[slot - 1]  # of slot 0 the one before is the last
        self._parent[slot] = np.arange(self._parent.shape[1])
        self.steps += 1

    def decided(self, first: int) -> I32:
        """What the best hypothesis of the last step thinks of every step from `first` on.

        Shape:
            returns int32 [steps - first, voices], peaks as of `PitchAssignment`.
        """
        chosen = np.empty((self.steps - first, self._peaks.shape[2]), np.int32)
        hypothesis = 0
        for step in range(self.steps - 1, first - 1, -1):
            slot = step % self._capacity
            chosen[step - first] = self._peaks[slot, hypothesis]
            hypothesis = max(int(self._parent[slot, hypothesis]), 0)
        return chosen

    def opinions(self, step: int, score: F32) -> tuple[I32, F32]:
        """What the hypotheses of the last step think of a step before, each opinion once.

        Shape:
            score: float32 [beam], of the last step, -inf where there is no hypothesis.
            returns int32 [beam, voices], peaks, that of the best hypothesis first, then the likeliest, and
            float32 [beam], the scores of all who think so together, -inf where there is no opinion.
        """
        came_from = np.arange(len(score))
        for later in range(self.steps - 1, step, -1):
            came_from = np.maximum(self._parent[later % self._capacity, came_from], 0)
        thoughts = self._peaks[step % self._capacity, came_from]
        count = 0
        self._score[...] = -np.inf
        for hypothesis in range(int(np.isfinite(score).sum())):
            opinion = thoughts[hypothesis]
            same = np.flatnonzero((self._opinions[:count] == opinion).all(axis=1))
            at = int(same[0]) if len(same) else count
            self._opinions[at] = opinion
            together = np.logaddexp(self._score[at] / SCORE_PER_E, score[hypothesis] / SCORE_PER_E)
            self._score[at] = SCORE_PER_E * together
            count = max(count, at + 1)
        order = np.argsort(-self._score[1:count], kind="stable") + 1
        self._opinions[1:count], self._score[1:count] = self._opinions[order], self._score[order]
        return self._opinions, self._score

    def peaks(self, step: int) -> tuple[F32, F32]:
        """Places and log odds [peaks] of a step that is still kept."""
        slot = step % self._capacity
        return self._place[slot], self._log_odds[slot]

    def reset(self) -> None:
        """No step yet: whoever holds one is silent."""
        self.steps = 0
        self._peaks[...] = _core.PitchAssignment.SILENT
        for array in (self._place, self._log_odds, self._parent):
            array[...] = 0

    def state_dict(self) -> State:
        """All that is kept."""
        return {
            "steps": np.array(self.steps, np.int64),
            "place": self._place.copy(),
            "log_odds": self._log_odds.copy(),
            "parent": self._parent.copy(),
            "peaks": self._peaks.copy(),
        }

    def load_state_dict(self, state: State) -> None:
        """Continues from `state_dict()`.

        Raises:
            ValueError: another kind of state, or hypotheses and peaks that there are not; nothing has changed
                then.
        """
        require_like(self.state_dict(), state, "trace")
        bounds = {"parent": self._parent.shape[1], "peaks": self._place.shape[1]}
        for name, count in bounds.items():
            if not np.all((state[name] >= -1) & (state[name] < count)):  # type: ignore[operator]
                raise ValueError(f"state 'trace.{name}' holds values outside -1..{count - 1}")
        if state["steps"] < 0:  # type: ignore[operator]
            raise ValueError("state 'trace.steps' counts below 0")
        self.steps = int(state["steps"])
        self._place[...], self._log_odds[...] = state["place"], state["log_odds"]
        self._parent[...], self._peaks[...] = state["parent"], state["peaks"]


class TracedAssignment:
    """A beam of its own with its trace.

    Args:
        voices: 1..4.
        hop_s: between two steps.
        capacity: steps that are kept.
        free_order: whether voices may cross and meet, as of `PitchAssignment`.

    Attributes:
        trace: of the steps.
    """

    def __init__(self, voices: int, hop_s: float, capacity: int, free_order: bool = False) -> None:
        self._beam, self._peaks = AssignmentBeam(voices, hop_s, free_order), PeakFinder()
        self.trace = Trace(voices, capacity)

    def step(self, salience: F32, offset: F32, written: Written | None = None) -> None:
        """Takes the next salience; `written` tells bias and costs of pairs for its peaks.

        Shape:
            salience, offset: C-contiguous float32 [CANDIDATES], as of `PitchNet`.
        """
        count = self._peaks.find(salience, offset)
        known = () if written is None else written(self._peaks.place, count)
        self._beam.step(self._peaks, count, *known)
        self.trace.take(self._beam.assignment, self._peaks.place, self._peaks.log_odds)

"""An assignment of pitches to voices that is decided later, with what came since in mind.

The beam decoder of the stage (kernels/src/assignment.cpp), with its own scores, and the parents of every
hypothesis: the best hypothesis of today is followed back to what it thinks of the past.
"""

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.models.choir.peak_reading import LEAST_LOG_ODDS, SAME_VOICE

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]


class TracedAssignment:
    """The last steps of a beam, for decisions that look back.

    Args:
        voices: 1..4.
        hop_s: between two steps.
        capacity: steps that are kept.
    """

    def __init__(self, voices: int, hop_s: float, capacity: int) -> None:
        self._assignment = _core.PitchAssignment(voices, hop_s)
        beam, peaks = _core.PitchAssignment.SIZE, _core.PitchAssignment.PEAKS
        self._capacity = capacity
        self.steps = 0
        self._sung, self._register_centre, self._observed_s = (
            np.zeros((beam, voices), np.float32) for _ in range(3)
        )
        # without any hypothesis the beam starts from silence
        self._score = np.full(beam, -np.inf, np.float32)
        self._chosen = np.zeros(voices, np.int32)
        self._place, self._log_odds = (np.zeros((capacity, peaks), np.float32) for _ in range(2))
        self._parent = np.zeros((capacity, beam), np.int32)
        self._peaks = np.zeros((capacity, beam, voices), np.int32)

    def step(self, salience: F32, offset: F32) -> None:
        """Takes the next salience.

        Shape:
            salience, offset: C-contiguous float32 [CANDIDATES], as of `PitchNet`.
        """
        slot = self.steps % self._capacity
        place, log_odds = self._place[slot], self._log_odds[slot]
        count = _core.salience_peaks(salience, offset, LEAST_LOG_ODDS, SAME_VOICE, place, log_odds)
        self._assignment.step(
            place,
            log_odds,
            count,
            self._sung,
            self._register_centre,
            self._observed_s,
            self._score,
            self._chosen,
        )
        self._assignment.trace(self._parent[slot], self._peaks[slot])
        self.steps += 1

    def decided(self, first: int) -> I32:
        """What the best hypothesis of the last step thinks of every step from `first` on.

        Shape:
            returns int32 [steps - first, voices], peaks as of `PitchAssignment`.
        """
        chosen = np.empty((self.steps - first, self._chosen.size), np.int32)
        hypothesis = 0
        for step in range(self.steps - 1, first - 1, -1):
            slot = step % self._capacity
            chosen[step - first] = self._peaks[slot, hypothesis]
            hypothesis = max(int(self._parent[slot, hypothesis]), 0)
        return chosen

    def peaks(self, step: int) -> tuple[F32, F32]:
        """Places and log odds [peaks] of a step that is still kept."""
        slot = step % self._capacity
        return self._place[slot], self._log_odds[slot]

"""The tracker of the stage, whose decisions are taken some hops later (`--latency 143`, 243, 543).

The network hears every frame when it comes. Two hops later it hears the same frame once more, in the sound
played backwards from the newest hop, where a note's end is its beginning; the mean of both log odds goes to
the assignment, as it does where files are decided from both ends (`both_ways`). The best hypothesis of now is
then followed back to what it thinks of the frame whose turn it is.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from rtsep.models.choir.network_tracker import KINDS, NetworkTracker
from rtsep.models.choir.peak_reading import OtherReadings
from rtsep.models.choir.pitch_grid import CANDIDATES
from rtsep.models.choir.score.score_guide import ScoreGuide
from rtsep.models.choir.traced_assignment import Trace
from rtsep.models.mask_model import State, Stateful, joined_state, load_joined, require_like

F32 = NDArray[np.float32]

TRACKER_PREFIX, TRACE_PREFIX = "now.", "trace."
# Frames after it through which the network comes backwards to a frame. More cost an inference each and leave
# fewer hops to look back through; mean SI-SDR on three real quartets, 5 hops later in all: 5.14 dB with none,
# 5.41 with two, 5.29 with four.
BACK_HOPS = 2


class LaterTracker:
    """A `PitchTracker` in two halves: `hear` takes the newest frame, `step` gives the pitches of the frame
    `later_hops` before it.

    Args:
        tracker: fresh; it looks at every hop.
        backward: another one, whose network hears the sound backwards.
        voices: how many they track.
        later_hops: 0 or more; with 0 nothing is heard backwards.

    Attributes:
        back_hops: frames of the sound played backwards that `hear` takes.
    """

    def __init__(
        self, tracker: NetworkTracker, backward: NetworkTracker, voices: int, later_hops: int
    ) -> None:
        if tracker.stride != 1:
            raise ValueError(f"the tracker looks at every {tracker.stride} hops; later decisions need each")
        self._tracker, self._backward = tracker, backward
        self.back_hops = min(BACK_HOPS, later_hops)
        self._trace_hops = later_hops - self.back_hops
        self._said = np.zeros((self.back_hops + 1, len(KINDS), CANDIDATES), np.float32)
        self._trace = Trace(voices, self._trace_hops + 1)
        self._unison = np.zeros((self._trace_hops + 1, CANDIDATES), np.float32)
        self._bias = None
        if tracker.guide is not None:
            self._bias = np.zeros((self._trace_hops + 1, *tracker.guide.bias.shape), np.float32)
        self._heard = 0

    @property
    def guide(self) -> ScoreGuide | None:
        """Follows the score, `back_hops` behind the newest frame; None without one."""
        return self._tracker.guide

    @property
    def others(self) -> OtherReadings:
        """What else the frame of the last step may have been."""
        return self._tracker.others

    def hear(self, amplitude: F32, backward: F32) -> None:
        """The newest frame.

        Shape:
            amplitude: float32 [bins], 1 = a full-scale sine.
            backward: float32 [back_hops, bins], frames of the sound played backwards from the newest hop on;
                the last is of the time of the frame `back_hops` before the newest.
        """
        self._tracker.hear(amplitude)
        np.stack([self._tracker.found[kind][0] for kind in KINDS], out=self._said[self._slot])
        self._heard += 1
        if self._heard <= self.back_hops:
            return
        said = self._said[self._slot]
        if self.back_hops:
            self._backward.reset()
            for frame in backward:
                self._backward.hear(frame)
            said = 0.5 * (said + np.stack([self._backward.found[kind][0] for kind in KINDS]))
        salience, offset, unison = said
        self._tracker.assign(salience, offset)
        slot = self._trace.steps % len(self._unison)
        self._unison[slot] = unison
        if self._bias is not None and self.guide is not None:
            self._bias[slot] = self.guide.bias
        peaks = self._tracker.peaks
        self._trace.take(self._tracker.beam.assignment, peaks.place, peaks.log_odds)

    def pass_by(self) -> None:
        """The newest frame passes unheard, and the one that was to be heard backwards is not assigned: when
        the turn of that one comes, the pitches before it are held."""
        self._said[self._slot] = self._said[self._slot - 1]  # of slot 0 the one before is the last
        self._heard += 1
        self._tracker.skip()
        if self._heard <= self.back_hops:
            return
        slot = self._trace.steps % len(self._unison)
        self._unison[slot] = self._unison[slot - 1]
        if self._bias is not None:
            self._bias[slot] = self._bias[slot - 1]
        self._trace.hold()

    @property
    def _slot(self) -> int:
        """Of the newest frame before `_heard` counts it, and then of the oldest that is kept."""
        return self._heard % len(self._said)

    def step(self, amplitude: F32, f0_hz: F32, confident: NDArray[np.bool_]) -> None:
        """See `PitchTracker.step`; of the frame `later_hops` before the newest, whose amplitude is no longer
        looked at. At least as many frames must have been heard."""
        step = self._trace.steps - 1 - self._trace_hops
        slot = step % len(self._unison)
        bias = None if self._bias is None else self._bias[slot]
        reading, unison = self._tracker.reading, self._unison[slot]
        place, log_odds = self._trace.peaks(step)
        opinions, score = self._trace.opinions(step, self._tracker.beam.score)
        self.others.read(reading, place, log_odds, opinions, score, unison, bias)
        reading.read(place, log_odds, opinions[0], unison, bias)
        f0_hz[...] = reading.f0_hz
        confident[...] = reading.confident

    def reset(self) -> None:
        """As before any frame."""
        self._tracker.reset()
        self._trace.reset()
        self._heard = 0
        for array in self._waiting().values():
            array[...] = 0

    def _waiting(self) -> Mapping[str, F32]:
        bias = {} if self._bias is None else {"bias": self._bias}
        return {"said": self._said, "unison": self._unison} | bias

    def _parts(self) -> dict[str, Stateful]:
        return {TRACKER_PREFIX: self._tracker, TRACE_PREFIX: self._trace}

    def state_dict(self) -> State:
        """The tracker's, and what waits for its decision; who hears backwards begins anew with every hop."""
        waiting: State = {name: array.copy() for name, array in self._waiting().items()}
        return {"heard": np.array(self._heard, np.int64)} | waiting | joined_state(self._parts())

    def load_state_dict(self, state: State) -> None:
        """Continues from `state_dict()`.

        Raises:
            ValueError: another kind of state, or what a part refuses; nothing has changed then.
        """
        require_like(self.state_dict(), state, "tracker")
        if state["heard"] < 0:  # type: ignore[operator]
            raise ValueError("state 'tracker.heard' counts below 0")
        load_joined(self._parts(), state)
        self._heard = int(state["heard"])
        for name, array in self._waiting().items():
            array[...] = state[name]

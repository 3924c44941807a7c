"""The tracker of the stage, whose decisions are taken some hops later (`--latency 143`, 243, 543).

Network, assignment and follower of a score hear every frame when it comes. The best hypothesis of now is then
followed back to what it thinks of the frame that many hops ago: a note that has just begun, or a rest, is
known by what came after it.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from rtsep.models.choir.network_tracker import NetworkTracker
from rtsep.models.choir.pitch_grid import CANDIDATES
from rtsep.models.choir.score.score_guide import ScoreGuide
from rtsep.models.choir.traced_assignment import Trace
from rtsep.models.mask_model import State, Stateful, joined_state, load_joined, require_like

F32 = NDArray[np.float32]

TRACKER_PREFIX, TRACE_PREFIX = "now.", "trace."


class LaterTracker:
    """A `PitchTracker` in two halves: `hear` takes the newest frame, `step` gives the pitches of the frame
    `later_hops` before it.

    Args:
        tracker: fresh; it looks at every hop.
        voices: how many it tracks.
        later_hops: 0 or more.
    """

    def __init__(self, tracker: NetworkTracker, voices: int, later_hops: int) -> None:
        if tracker.stride != 1:
            raise ValueError(f"the tracker looks at every {tracker.stride} hops; later decisions need each")
        self._tracker, self._later_hops = tracker, later_hops
        self._trace = Trace(voices, later_hops + 1)
        self._unison = np.zeros((later_hops + 1, CANDIDATES), np.float32)
        self._bias = None
        if tracker.guide is not None:
            self._bias = np.zeros((later_hops + 1, *tracker.guide.bias.shape), np.float32)

    @property
    def guide(self) -> ScoreGuide | None:
        """Follows the score at the newest frame; None without one."""
        return self._tracker.guide

    def hear(self, amplitude: F32) -> None:
        """The newest frame.

        Shape:
            amplitude: float32 [bins], 1 = a full-scale sine.
        """
        tracker, slot = self._tracker, self._trace.steps % len(self._unison)
        tracker.hear(amplitude)
        tracker.assign()
        self._unison[slot] = tracker.found["unison"][0]
        if self._bias is not None and tracker.guide is not None:
            self._bias[slot] = tracker.guide.bias
        self._trace.take(tracker.assignment, tracker.place, tracker.log_odds)

    def pass_by(self) -> None:
        """The newest frame passes unheard: when its turn comes, the pitches before it are held."""
        slot = self._trace.steps % len(self._unison)
        self._unison[slot] = self._unison[slot - 1]
        if self._bias is not None:
            self._bias[slot] = self._bias[slot - 1]
        self._tracker.skip()
        self._trace.hold()

    def step(self, amplitude: F32, f0_hz: F32, confident: NDArray[np.bool_]) -> None:
        """See `PitchTracker.step`; of the frame `later_hops` before the newest, whose amplitude is no longer
        looked at. At least as many frames must have been heard."""
        step = self._trace.steps - 1 - self._later_hops
        slot = step % len(self._unison)
        bias = None if self._bias is None else self._bias[slot]
        reading = self._tracker.reading
        reading.read(*self._trace.peaks(step), self._trace.decided(step)[0], self._unison[slot], bias)
        f0_hz[...] = reading.f0_hz
        confident[...] = reading.confident

    def reset(self) -> None:
        """As before any frame."""
        self._tracker.reset()
        self._trace.reset()
        for array in self._waiting().values():
            array[...] = 0

    def _waiting(self) -> Mapping[str, F32]:
        return (
            {"unison": self._unison} if self._bias is None else {"unison": self._unison, "bias": self._bias}
        )

    def _parts(self) -> dict[str, Stateful]:
        return {TRACKER_PREFIX: self._tracker, TRACE_PREFIX: self._trace}

    def state_dict(self) -> State:
        """The tracker's, and what waits for its decision."""
        waiting: State = {name: array.copy() for name, array in self._waiting().items()}
        return waiting | joined_state(self._parts())

    def load_state_dict(self, state: State) -> None:
        """Continues from `state_dict()`.

        Raises:
            ValueError: another kind of state, or what a part refuses; nothing has changed then.
        """
        require_like(self.state_dict(), state, "tracker")
        load_joined(self._parts(), state)
        for name, array in self._waiting().items():
            array[...] = state[name]

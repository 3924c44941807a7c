"""Streaming multi-F0 tracker: a network finds the pitches that are sung, an assignment gives them to voices.

The network (`pitch_net`) knows no voices, the assignment (kernels/src/assignment.cpp) no sound: it gets the
peaks of the salience with their log odds and decides for all voices together, in pitch order, with
continuity.
"""

import numpy as np
from numpy.typing import NDArray

from rtsep.models.choir.peak_reading import OtherReadings, PeakFinder, PeakReading
from rtsep.models.choir.pitch_grid import CANDIDATES, pitch_filterbank
from rtsep.models.choir.score.score import Score
from rtsep.models.choir.score.score_guide import ScoreGuide
from rtsep.models.choir.traced_assignment import AssignmentBeam
from rtsep.models.framing import Framing
from rtsep.models.mask_model import State, Stateful, joined_state, load_joined, require_like
from rtsep.models.runtimes.network_step import NetworkStep

F32 = NDArray[np.float32]

KINDS = ("salience", "offset", "unison")  # what the network says of every candidate
NETWORK_PREFIX, GUIDE_PREFIX = "network.", "written."
# At 5 ms the network looks at every other hop, as in training: nothing sung changes in 2.7 ms.
STRIDES = (2, 1, 1, 1)
# Of pitches in Hz and times in s that a state may hold: beyond, logarithms and sums lose their meaning.
HIGHEST_STATE = 1e5
OF_BEAM = ("sung", "register_centre", "observed_s", "score")
OF_READING = ("own_hz", "silent_s", "f0_hz", "confident")
STATES = (*OF_BEAM, *OF_READING)
OF_OTHERS = {"others_share": "share", "others_hz": "f0_hz"}  # in the state, and in `OtherReadings`


def preset_of(framing: Framing) -> tuple[int, int]:
    """Which of the network's presets is nearest, and at every how many hops the network looks."""
    return framing.preset, STRIDES[framing.preset]


class NetworkTracker:
    """Tracks 1..4 voices, highest first; with a score, each voice is one of its parts, which may cross.

    Args:
        network: `PitchNet` at batch 1.
        voices: how many.
        framing: the spectrum's layout.
        score: what they sing, of as many parts; None where that is not known.

    Attributes:
        guide: follows the score; None without one.
        peaks: of what the network said last; beam: their assignment to voices.
        reading: from peaks that were chosen to pitches; others: of the hypotheses that were not.
        stride: hops from one look of the network to the next.
    """

    def __init__(
        self, network: NetworkStep, voices: int, framing: Framing, score: Score | None = None
    ) -> None:
        self._bank = pitch_filterbank(framing)
        self._network = network
        preset, self.stride = preset_of(framing)
        network.inputs["preset"][...] = 0
        network.inputs["preset"][0, preset] = 1
        self._hop_s = self.stride * framing.hop / framing.samplerate
        self.peaks, self.beam = PeakFinder(), AssignmentBeam(voices, self._hop_s, score is not None)
        self.guide = None if score is None else ScoreGuide(score, self._hop_s)
        self.reading = PeakReading(voices, self._hop_s)
        self.others = OtherReadings(voices)
        self._arrays = {name: getattr(self.beam, name) for name in OF_BEAM} | {
            name: getattr(self.reading, name) for name in OF_READING
        }
        self._arrays |= {name: getattr(self.others, array) for name, array in OF_OTHERS.items()}
        self._hops = 0
        self.reset()

    def step(self, amplitude: F32, f0_hz: F32, confident: NDArray[np.bool_]) -> None:
        """See `PitchTracker.step`."""
        if self.hear(amplitude):
            self.assign(self.found["salience"][0], self.found["offset"][0])
            bias = None if self.guide is None else self.guide.bias
            unison = self.found["unison"][0]
            place, log_odds = self.peaks.place, self.peaks.log_odds
            hypotheses, score = self.beam.hypotheses(), self.beam.score
            self.others.read(self.reading, place, log_odds, hypotheses, score, unison, bias)
            self.reading.read(place, log_odds, self.beam.chosen, unison, bias)
        f0_hz[...] = self.reading.f0_hz
        confident[...] = self.reading.confident

    def hear(self, amplitude: F32) -> bool:
        """The network's part of a step; whether it looked at this hop."""
        self._hops += 1
        if self._hops % self.stride:
            return False
        self._bank.apply(amplitude[None], self._network.inputs["bands"])
        self._network.run()
        return True

    def assign(self, salience: F32, offset: F32) -> None:
        """The peaks of what was found go to voices, in every hypothesis of the assignment.

        Shape:
            salience, offset: C-contiguous float32 [CANDIDATES], as of `PitchNet`.
        """
        count = self.peaks.find(salience, offset)
        known: tuple[F32, ...] = ()
        if self.guide is not None:
            self.guide.hear(salience, self.peaks.place, self.peaks.log_odds, count)
            known = (self.guide.bias, self.guide.pair_cost)
        self.beam.step(self.peaks, count, *known)

    @property
    def found(self) -> dict[str, F32]:
        """What the network found when it last looked: salience, offset, unison, float32 [1, CANDIDATES]."""
        return self._network.outputs

    def skip(self) -> None:
        """A hop passes unheard: the score goes on meanwhile."""
        if self.guide is not None:
            self._hops += 1
            if self._hops % self.stride == 0:
                self.guide.skip()

    def reset(self) -> None:
        """One hypothesis: all voices silent, no register known yet."""
        self._network.reset()
        self.beam.reset()
        self.reading.reset()
        self.others.reset()
        self._hops = 0
        if self.guide is not None:
            self.guide.reset()

    def state_dict(self) -> State:
        """The network's memory, the assignment's hypotheses, and the last pitches."""
        return {
            "hops": np.array(self._hops, np.int64),
            **{name: array.copy() for name, array in self._arrays.items()},
            **joined_state(self._parts()),
        }

    def _parts(self) -> dict[str, Stateful]:
        guide: dict[str, Stateful] = {} if self.guide is None else {GUIDE_PREFIX: self.guide}
        return {NETWORK_PREFIX: self._network, **guide}

    def load_state_dict(self, state: State) -> None:
        """Continues from `state_dict()`.

        Raises:
            ValueError: places outside the candidates, or another network's memory; nothing has changed then.
        """
        require_like(self.state_dict(), state, "tracker")
        for name in ("own_hz", "f0_hz", "silent_s", *OF_OTHERS):
            if (state[name] < 0).any() or (state[name] > HIGHEST_STATE).any():  # type: ignore[operator]
                raise ValueError(f"state 'tracker.{name}' holds values outside 0..{HIGHEST_STATE:g}")
        for name in ("sung", "register_centre", "observed_s"):
            if not np.all((state[name] >= -1) & (state[name] < CANDIDATES)):  # type: ignore[operator]
                raise ValueError(f"state 'tracker.{name}' holds values outside -1..{CANDIDATES}")
        load_joined(self._parts(), state)
        self._hops = int(state["hops"])
        for name, array in self._arrays.items():
            array[...] = state[name]

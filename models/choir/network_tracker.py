"""Streaming multi-F0 tracker: a network finds the pitches that are sung, an assignment gives them to voices.

The network (`pitch_net`) knows no voices, the assignment (kernels/src/assignment.cpp) no sound: it gets the
peaks of the salience with their log odds and decides for all voices together, in pitch order, with
continuity.
"""

import math

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.models.choir.pitch_grid import CANDIDATE_CENTS, CANDIDATES, LOWEST_CANDIDATE_HZ, pitch_filterbank
from rtsep.models.choir.score.score import Score
from rtsep.models.choir.score.score_guide import ScoreGuide
from rtsep.models.framing import Framing
from rtsep.models.mask_model import State, Stateful, load_all, require_like
from rtsep.models.runtimes.network_step import NetworkStep

F32 = NDArray[np.float32]

# The assignment takes pitches from log odds of about -2; below -4 not even a held one would be kept.
LEAST_LOG_ODDS = -4.0
SAME_VOICE = 0.75  # candidates: neighbours that point to the same place
REPORT_LOG_ODDS = -0.7  # from here on a pitch is reported; below, it only guides the masks
UNISON_LOG_ODDS = 0.0  # from here on a voice that is nowhere else joins its neighbour
# A voice that falls silent as near to a neighbour's pitch as this more likely sings in unison with it than
# has stopped. Half of what two sing is better for it than nothing, and costs the other little; a longer rest
# is a rest.
JOIN_CENTS = 230.0
JOIN_S = 1.0
# Where a score is followed, only who may sing a neighbour's pitch as far as is written joins it.
LEAST_JOIN_BIAS = -1.0
NETWORK_PREFIX, GUIDE_PREFIX = "network.", "written."
# At 5 ms the network looks at every other hop, as in training: nothing sung changes in 2.7 ms.
STRIDES = (2, 1, 1, 1)
# Of pitches in Hz and times in s that a state may hold: beyond, logarithms and sums lose their meaning.
HIGHEST_STATE = 1e5
STATES = ("sung", "register_centre", "observed_s", "score", "own_hz", "silent_s", "f0_hz", "confident")


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
    """

    def __init__(
        self, network: NetworkStep, voices: int, framing: Framing, score: Score | None = None
    ) -> None:
        self._bank = pitch_filterbank(framing)
        self._network = network
        preset, self._stride = preset_of(framing)
        network.inputs["preset"][...] = 0
        network.inputs["preset"][0, preset] = 1
        self._hop_s = self._stride * framing.hop / framing.samplerate
        self._assignment = _core.PitchAssignment(voices, self._hop_s, free_order=score is not None)
        self.guide = None if score is None else ScoreGuide(score, self._hop_s)
        beam, peaks = _core.PitchAssignment.SIZE, _core.PitchAssignment.PEAKS
        self._place = np.zeros(peaks, np.float32)
        self._log_odds = np.zeros(peaks, np.float32)
        self._chosen = np.zeros(voices, np.int32)
        self._sung, self._register_centre, self._observed_s = (
            np.empty((beam, voices), np.float32) for _ in range(3)
        )
        self._score = np.empty(beam, np.float32)
        self._own_hz = np.zeros(voices, np.float32)  # last pitch of each that was not a neighbour's
        self._silent_s = np.zeros(voices, np.float32)  # since then
        self._f0_hz = np.zeros(voices, np.float32)
        self._confident = np.zeros(voices, np.bool_)
        self._hops = 0
        self.reset()

    def step(self, amplitude: F32, f0_hz: F32, confident: NDArray[np.bool_]) -> None:
        """See `PitchTracker.step`."""
        self._hops += 1
        if self._hops % self._stride == 0:
            self._bank.apply(amplitude[None], self._network.inputs["bands"])
            self._network.run()
            found = self._network.outputs
            count = _core.salience_peaks(
                found["salience"][0],
                found["offset"][0],
                LEAST_LOG_ODDS,
                SAME_VOICE,
                self._place,
                self._log_odds,
            )
            known: tuple[F32, ...] = ()
            if self.guide is not None:
                self.guide.hear(found["salience"][0], self._place, self._log_odds, count)
                known = (self.guide.bias, self.guide.pair_cost)
            self._assignment.step(
                self._place,
                self._log_odds,
                count,
                self._sung,
                self._register_centre,
                self._observed_s,
                self._score,
                self._chosen,
                *known,
            )
            self._read()
            self._join(found["unison"][0])
        f0_hz[...] = self._f0_hz
        confident[...] = self._confident

    def _read(self) -> None:
        """Pitch and confidence of every voice in the best hypothesis."""
        for voice, peak in enumerate(self._chosen):
            sounding = peak != _core.PitchAssignment.SILENT
            self._f0_hz[voice] = _hz(self._place[peak]) if sounding else 0.0
            self._confident[voice] = sounding and self._log_odds[peak] >= REPORT_LOG_ODDS
            if sounding:
                self._own_hz[voice], self._silent_s[voice] = self._f0_hz[voice], 0.0
            else:
                self._silent_s[voice] = min(self._silent_s[voice] + self._hop_s, 2.0 * JOIN_S)

    def _join(self, unison: F32) -> None:
        """A peak goes to one voice. A silent neighbour joins it where the network finds two voices at one
        pitch, and, not confident, where its own last pitch was near."""
        sung_hz = self._f0_hz.tolist()
        joined = False
        for voice, own_hz in enumerate(sung_hz):
            if own_hz > 0:
                continue
            near_hz, nearest_cents = 0.0, JOIN_CENTS
            for other in (voice - 1, voice + 1):
                if not (0 <= other < len(sung_hz) and sung_hz[other] > 0):
                    continue
                if not self._may_join(voice, other):
                    continue
                hz = sung_hz[other]
                if not joined and self._confident[other]:
                    g = int(np.clip(np.round(_candidate(hz)), 0, CANDIDATES - 1))
                    if unison[g] >= UNISON_LOG_ODDS:
                        near_hz, self._confident[voice], joined = hz, True, True
                        break
                if self._silent_s[voice] <= JOIN_S and self._own_hz[voice] > 0:
                    cents = abs(1200.0 * math.log2(hz / float(self._own_hz[voice])))
                    if cents < nearest_cents:
                        near_hz, nearest_cents = hz, cents
            self._f0_hz[voice] = near_hz

    def _may_join(self, voice: int, other: int) -> bool:
        """Whether the score, where there is one, has a voice near the pitch of another."""
        peak = int(self._chosen[other])
        return self.guide is None or (peak >= 0 and self.guide.bias[voice, peak + 1] >= LEAST_JOIN_BIAS)

    def skip(self) -> None:
        """A hop passes unheard: the score goes on meanwhile."""
        if self.guide is not None:
            self._hops += 1
            if self._hops % self._stride == 0:
                self.guide.skip()

    def reset(self) -> None:
        """One hypothesis: all voices silent, no register known yet."""
        self._network.reset()
        self._sung[...] = _core.PitchAssignment.CONSTANTS["SILENT_PLACE"]
        self._register_centre[...] = 0
        self._observed_s[...] = 0
        self._score[...] = -np.inf
        self._score[0] = 0.0
        self._own_hz[...] = 0
        self._silent_s[...] = 0
        self._f0_hz[...] = 0
        self._confident[...] = False
        self._hops = 0
        if self.guide is not None:
            self.guide.reset()

    def state_dict(self) -> State:
        """The network's memory, the assignment's hypotheses, and the last pitches."""
        return {
            "hops": np.array(self._hops, np.int64),
            **{name: getattr(self, f"_{name}").copy() for name in STATES},
            **{
                prefix + name: value
                for prefix, part in self._parts()
                for name, value in part.state_dict().items()
            },
        }

    def _parts(self) -> list[tuple[str, Stateful]]:
        guide: list[tuple[str, Stateful]] = [] if self.guide is None else [(GUIDE_PREFIX, self.guide)]
        return [(NETWORK_PREFIX, self._network), *guide]

    def load_state_dict(self, state: State) -> None:
        """Continues from `state_dict()`.

        Raises:
            ValueError: places outside the candidates, or another network's memory; nothing has changed then.
        """
        require_like(self.state_dict(), state, "tracker")
        for name in ("own_hz", "f0_hz", "silent_s"):
            if (state[name] < 0).any() or (state[name] > HIGHEST_STATE).any():  # type: ignore[operator]
                raise ValueError(f"state 'tracker.{name}' holds values outside 0..{HIGHEST_STATE:g}")
        for name in ("sung", "register_centre", "observed_s"):
            if not np.all((state[name] >= -1) & (state[name] < CANDIDATES)):  # type: ignore[operator]
                raise ValueError(f"state 'tracker.{name}' holds values outside -1..{CANDIDATES}")
        load_all(
            [
                (part, {n.removeprefix(prefix): v for n, v in state.items() if n.startswith(prefix)})
                for prefix, part in self._parts()
            ]
        )
        self._hops = int(state["hops"])
        for name in STATES:
            getattr(self, f"_{name}")[...] = state[name]


def _hz(place: float) -> float:
    return float(LOWEST_CANDIDATE_HZ * 2.0 ** (place * CANDIDATE_CENTS / 1200.0))


def _candidate(f0_hz: float) -> float:
    return float(1200.0 / CANDIDATE_CENTS * np.log2(f0_hz / LOWEST_CANDIDATE_HZ))

"""Streaming multi-F0 tracker: a network says which pitches are sung, an assignment says who sings them.

The network (`pitch_net`) knows nothing of voices, the assignment (kernels/src/assignment.cpp) nothing of
sound: it gets the peaks of the salience with their log odds and decides for all voices together, in pitch
order, with continuity.
"""

import math

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.models.choir.pitch_grid import CANDIDATE_CENTS, CANDIDATES, LOWEST_CANDIDATE_HZ, pitch_filterbank
from rtsep.models.framing import Framing
from rtsep.models.mask_model import State, require_like
from rtsep.models.runtimes.network_step import NetworkStep

F32 = NDArray[np.float32]

# The assignment takes pitches from log odds of about -2; below -4 not even a held one would be kept.
LEAST_LOG_ODDS = -4.0
SAME_VOICE = 0.75  # candidates: neighbours that point to the same place
SURE_LOG_ODDS = -0.7  # from here on a pitch is reported; below, it only guides the masks
UNISON_LOG_ODDS = 0.0  # from here on a voice that is nowhere else joins its neighbour
# A voice that falls silent as near to a neighbour's pitch as this has more likely met it than stopped. Half
# of what two sing is worth more to it than nothing, and costs the other little; a longer rest is a rest.
JOIN_CENTS = 230.0
JOIN_S = 1.0
NETWORK_PREFIX = "network."
# At 5 ms the network looks at every other hop, as in training: nothing sung changes in 2.7 ms.
STRIDES = (2, 1, 1, 1)
# Of pitches in Hz and times in s that a state may hold: beyond, logarithms and sums lose their meaning.
HIGHEST_STATE = 1e5
STATES = ("sung", "home", "heard_s", "score", "own_hz", "silent_s", "f0_hz", "sure")


def preset_of(framing: Framing) -> tuple[int, int]:
    """Which of the network's presets is nearest, and at every how many hops the network looks."""
    return framing.preset, STRIDES[framing.preset]


class NetworkTracker:
    """Tracks 1..4 voices, highest first.

    Args:
        network: `PitchNet` at batch 1.
        voices: how many.
        framing: the spectrum's layout.
    """

    def __init__(self, network: NetworkStep, voices: int, framing: Framing) -> None:
        self._bank = pitch_filterbank(framing)
        self._network = network
        preset, self._stride = preset_of(framing)
        network.inputs["preset"][...] = 0
        network.inputs["preset"][0, preset] = 1
        self._hop_s = self._stride * framing.hop / framing.samplerate
        self._assignment = _core.PitchAssignment(voices, self._hop_s)
        beam, peaks = _core.PitchAssignment.SIZE, _core.PitchAssignment.PEAKS
        self._place = np.zeros(peaks, np.float32)
        self._log_odds = np.zeros(peaks, np.float32)
        self._chosen = np.zeros(voices, np.int32)
        self._sung, self._home, self._heard_s = (np.empty((beam, voices), np.float32) for _ in range(3))
        self._score = np.empty(beam, np.float32)
        self._own_hz = np.zeros(voices, np.float32)  # last pitch of each that was not a neighbour's
        self._silent_s = np.zeros(voices, np.float32)  # since then
        self._f0_hz = np.zeros(voices, np.float32)
        self._sure = np.zeros(voices, np.bool_)
        self._hops = 0
        self.reset()

    def step(self, amplitude: F32, f0_hz: F32, sure: NDArray[np.bool_]) -> None:
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
            self._assignment.step(
                self._place,
                self._log_odds,
                count,
                self._sung,
                self._home,
                self._heard_s,
                self._score,
                self._chosen,
            )
            self._read()
            self._join(found["unison"][0])
        f0_hz[...] = self._f0_hz
        sure[...] = self._sure

    def _read(self) -> None:
        """The peak that every voice sings in the best hypothesis."""
        for voice, peak in enumerate(self._chosen):
            sounding = peak != _core.PitchAssignment.SILENT
            self._f0_hz[voice] = _hz(self._place[peak]) if sounding else 0.0
            self._sure[voice] = sounding and self._log_odds[peak] >= SURE_LOG_ODDS
            if sounding:
                self._own_hz[voice], self._silent_s[voice] = self._f0_hz[voice], 0.0
            else:
                self._silent_s[voice] = min(self._silent_s[voice] + self._hop_s, 2.0 * JOIN_S)

    def _join(self, unison: F32) -> None:
        """A peak goes to one voice; a silent neighbour joins where the network hears two at one pitch, and,
        without being sure of it, where it has just been itself."""
        sung_hz = self._f0_hz.tolist()
        heard_twice = False
        for voice, own_hz in enumerate(sung_hz):
            if own_hz > 0:
                continue
            near_hz, nearest_cents = 0.0, JOIN_CENTS
            for other in (voice - 1, voice + 1):
                if not (0 <= other < len(sung_hz) and sung_hz[other] > 0):
                    continue
                hz = sung_hz[other]
                if not heard_twice and self._sure[other]:
                    g = int(np.clip(np.round(_candidate(hz)), 0, CANDIDATES - 1))
                    if unison[g] >= UNISON_LOG_ODDS:
                        near_hz, self._sure[voice], heard_twice = hz, True, True
                        break
                if self._silent_s[voice] <= JOIN_S and self._own_hz[voice] > 0:
                    cents = abs(1200.0 * math.log2(hz / float(self._own_hz[voice])))
                    if cents < nearest_cents:
                        near_hz, nearest_cents = hz, cents
            self._f0_hz[voice] = near_hz

    def reset(self) -> None:
        """One hypothesis: everybody silent, nobody heard yet."""
        self._network.reset()
        self._sung[...] = _core.PitchAssignment.CONSTANTS["SILENT_PLACE"]
        self._home[...] = 0
        self._heard_s[...] = 0
        self._score[...] = -np.inf
        self._score[0] = 0.0
        self._own_hz[...] = 0
        self._silent_s[...] = 0
        self._f0_hz[...] = 0
        self._sure[...] = False
        self._hops = 0

    def state_dict(self) -> State:
        """The network's memory, the assignment's hypotheses, and what was last said."""
        return {
            "hops": np.array(self._hops, np.int64),
            **{name: getattr(self, f"_{name}").copy() for name in STATES},
            **{NETWORK_PREFIX + name: value for name, value in self._network.state_dict().items()},
        }

    def load_state_dict(self, state: State) -> None:
        """Continues from `state_dict()`.

        Raises:
            ValueError: places outside the candidates, or another network's memory; nothing has changed then.
        """
        require_like(self.state_dict(), state, "tracker")
        for name in ("own_hz", "f0_hz", "silent_s"):
            if (state[name] < 0).any() or (state[name] > HIGHEST_STATE).any():  # type: ignore[operator]
                raise ValueError(f"state 'tracker.{name}' holds values outside 0..{HIGHEST_STATE:g}")
        for name in ("sung", "home", "heard_s"):
            if not np.all((state[name] >= -1) & (state[name] < CANDIDATES)):  # type: ignore[operator]
                raise ValueError(f"state 'tracker.{name}' holds values outside -1..{CANDIDATES}")
        start = len(NETWORK_PREFIX)
        self._network.load_state_dict(
            {name[start:]: value for name, value in state.items() if name.startswith(NETWORK_PREFIX)}
        )
        self._hops = int(state["hops"])
        for name in STATES:
            getattr(self, f"_{name}")[...] = state[name]


def _hz(place: float) -> float:
    return float(LOWEST_CANDIDATE_HZ * 2.0 ** (place * CANDIDATE_CENTS / 1200.0))


def _candidate(f0_hz: float) -> float:
    return float(1200.0 / CANDIDATE_CENTS * np.log2(f0_hz / LOWEST_CANDIDATE_HZ))

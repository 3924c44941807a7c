"""Streaming multi-F0 tracker: a network says which pitches are sung, a beam says who sings them.

The network (`pitch_net`) knows nothing of voices, the beam (kernels/src/beam.cpp) nothing of sound: it
gets the salience's peaks as evidence and decides for all voices together, in pitch order, with continuity.
"""

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.models.base import State
from rtsep.models.framing import Framing
from rtsep.models.onnx_step import OnnxStep
from rtsep.models.pitch_grid import (
    BANDS_PER_CANDIDATE,
    CANDIDATE_CENTS,
    CANDIDATES,
    LOWEST_CANDIDATE_HZ,
    pitch_filterbank,
)
from rtsep.models.tracker import candidate_grid, check_candidates

F32 = NDArray[np.float32]

MAX_PEAKS = 16  # of the salience; four voices, their octave doubts, and room for noise
# Evidence per log odds, and of a pitch as likely as not. A voice costs the beam 0.7 per hop (SOUNDING), so
# pitches from log odds of -3 on steer masks: 0.5 dB of SI-SDR more on a real quartet than from even odds on.
EVIDENCE_PER_LOG_ODDS = 0.5
EVIDENCE_AT_EVEN_ODDS = 2.2
MOST_EVIDENCE = 4.0
REACH_STEPS = 2.5  # a peak explains the beam's candidates within 50 cents
SAME_VOICE = 0.75  # candidates: neighbours that point to the same place
SURE_LOG_ODDS = 0.0  # from here on a pitch is reported; below, it only guides the masks
UNISON_LOG_ODDS = 0.0  # from here on a voice that is nowhere else joins its neighbour
NETWORK_PREFIX = "network."
PRESETS_MS = (5.33, 10.67, 21.33, 42.67)  # of the network's training, as `pitch_data.LATENCIES_MS` calls them
# At 5 ms the network looks at every other hop, as in training: nothing sung changes in 2.7 ms.
STRIDES = (2, 1, 1, 1)


class NetworkTracker:
    """Tracks 1..4 voices, highest first.

    Args:
        network: `PitchNet` at batch 1.
        voices: how many.
        framing: the spectrum's layout.
    """

    def __init__(self, network: OnnxStep, voices: int, framing: Framing) -> None:
        self._bank = pitch_filterbank(framing)
        self._network = network
        preset = int(np.argmin([abs(np.log(framing.latency_ms / ms)) for ms in PRESETS_MS]))
        self._stride = STRIDES[preset]
        network.inputs["preset"][...] = 0
        network.inputs["preset"][0, preset] = 1
        self._grid_size = candidate_grid().size
        self._steps = np.arange(self._grid_size, dtype=np.float32)
        self._beam = _core.PitchBeam(voices, self._grid_size, MAX_PEAKS)
        self._place = np.zeros(MAX_PEAKS, np.float32)
        self._candidate = np.zeros(MAX_PEAKS, np.intp)
        self._weight = np.zeros(MAX_PEAKS, np.float32)
        self._covered = np.zeros((self._grid_size, MAX_PEAKS), np.float32)
        self._missing = np.zeros(self._grid_size, np.float32)
        self._pitch = np.empty((_core.PitchBeam.SIZE, voices), np.int32)
        self._last = np.empty_like(self._pitch)
        self._score = np.empty(_core.PitchBeam.SIZE, np.float32)
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
            self._find_peaks(found["salience"][0], found["offset"][0])
            self._beam.step(self._weight, self._covered, self._missing, self._pitch, self._last, self._score)
            self._read(found["salience"][0])
            self._join(found["unison"][0])
        f0_hz[...] = self._f0_hz
        sure[...] = self._sure

    def _find_peaks(self, salience: F32, offset: F32) -> None:
        """Local maxima of the salience become the beam's peaks: what a voice may explain."""
        at = np.arange(CANDIDATES, dtype=np.float32) + np.clip(offset, -1.0, 1.0)
        likely = 1.0 / (1.0 + np.exp(-salience))
        evidence = EVIDENCE_AT_EVEN_ODDS + EVIDENCE_PER_LOG_ODDS * salience
        inner = salience[1:-1]
        peaks = 1 + np.flatnonzero((inner > salience[:-2]) & (inner >= salience[2:]) & (evidence[1:-1] > 0))
        if peaks.size > MAX_PEAKS:
            peaks = np.sort(peaks[np.argsort(-salience[peaks], kind="stable")[:MAX_PEAKS]])
        self._weight[...] = 0
        self._covered[...] = 0
        for p, g in enumerate(peaks):
            near = slice(g - 1, g + 2)
            share = likely[near] * (np.abs(at[near] - at[g]) < SAME_VOICE)
            self._candidate[p] = g
            self._place[p] = BANDS_PER_CANDIDATE * float((share * at[near]).sum() / share.sum())
            self._weight[p] = min(evidence[g], MOST_EVIDENCE)
            away = np.abs(self._steps - self._place[p]) / REACH_STEPS
            self._covered[:, p] = np.maximum(0.0, 1.0 - away * away)

    def _read(self, salience: F32) -> None:
        """The peak under every voice's place in the best hypothesis."""
        for voice, chosen in enumerate(self._pitch[0]):
            self._f0_hz[voice], self._sure[voice] = 0.0, False
            if chosen == _core.PitchBeam.SILENT:
                continue
            away = np.where(self._weight > 0, np.abs(self._place - chosen), np.inf)
            p = int(np.argmin(away))
            if away[p] <= REACH_STEPS:
                self._f0_hz[voice] = _hz(self._place[p])
                self._sure[voice] = salience[self._candidate[p]] >= SURE_LOG_ODDS
            else:  # held by continuity alone for a hop or two
                self._f0_hz[voice] = _hz(chosen)

    def _join(self, unison: F32) -> None:
        """The beam keeps voices apart; where the network hears two at one pitch, a silent neighbour joins."""
        voices = self._f0_hz.size
        for voice in range(voices):
            if self._f0_hz[voice] > 0:
                continue
            for other in (voice - 1, voice + 1):
                if 0 <= other < voices and self._sure[other]:
                    g = int(np.clip(np.round(_candidate(float(self._f0_hz[other]))), 0, CANDIDATES - 1))
                    if unison[g] >= UNISON_LOG_ODDS:
                        self._f0_hz[voice], self._sure[voice] = self._f0_hz[other], True
                        return

    def reset(self) -> None:
        """One hypothesis: everybody silent, nobody heard yet."""
        self._network.reset()
        self._pitch[...] = _core.PitchBeam.SILENT
        self._last[...] = _core.PitchBeam.SILENT
        self._score[...] = -np.inf
        self._score[0] = 0.0
        self._f0_hz[...] = 0
        self._sure[...] = False
        self._hops = 0

    def state_dict(self) -> State:
        """The network's memory, the beam, and what was last said."""
        return {
            "hops": np.array(self._hops, np.int64),
            "pitch": self._pitch.copy(),
            "last": self._last.copy(),
            "score": self._score.copy(),
            "f0_hz": self._f0_hz.copy(),
            "sure": self._sure.copy(),
            **{NETWORK_PREFIX + name: value for name, value in self._network.state_dict().items()},
        }

    def load_state_dict(self, state: State) -> None:
        """Continues from `state_dict()`.

        Raises:
            ValueError: pitches outside the grid, or another network's memory; nothing has changed then.
        """
        check_candidates(state, self._grid_size)
        start = len(NETWORK_PREFIX)
        self._network.load_state_dict(
            {name[start:]: value for name, value in state.items() if name.startswith(NETWORK_PREFIX)}
        )
        self._hops = int(state["hops"])
        for name in ("pitch", "last", "score", "f0_hz", "sure"):
            getattr(self, f"_{name}")[...] = state[name]


def _hz(step: float) -> float:
    return float(LOWEST_CANDIDATE_HZ * 2.0 ** (step / BANDS_PER_CANDIDATE * CANDIDATE_CENTS / 1200.0))


def _candidate(f0_hz: float) -> float:
    return float(1200.0 / CANDIDATE_CENTS * np.log2(f0_hz / LOWEST_CANDIDATE_HZ))

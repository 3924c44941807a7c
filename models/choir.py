"""Choir model without training: pitch of each voice -> levels at its partials -> soft masks."""

import numpy as np
from numpy.typing import NDArray

from rtsep.models.base import State
from rtsep.models.f0_track import F0Track
from rtsep.models.framing import Framing
from rtsep.models.report import VoiceReport


class ChoirModel:
    """Masks of `voices` voices, highest first."""

    def __init__(self, voices: int, framing: Framing, f0: F0Track) -> None:
        self._stems = tuple(f"voice-{i + 1}" for i in range(voices))
        self._framing = framing
        self._f0 = f0
        self._report = VoiceReport.empty(voices)
        self._hops = np.zeros((), np.int64)
        self._freqs = np.arange(framing.bins) * framing.bin_hz

    @property
    def stems(self) -> tuple[str, ...]:
        return self._stems

    @property
    def report(self) -> VoiceReport:
        return self._report

    def step(self, spectrum: NDArray[np.complex64], masks: NDArray[np.float32]) -> None:
        self._hops += 1
        time_s = (int(self._hops) * self._framing.hop - self._framing.half_overlap) / self._framing.samplerate
        self._f0.at(time_s, self._report.f0_hz)
        masks[...] = 0
        for voice, f0_hz in enumerate(self._report.f0_hz):
            if f0_hz > 0:
                k = np.maximum(1, np.round(self._freqs / f0_hz))
                distance = (self._freqs - k * f0_hz) / self._framing.bin_hz
                rolloff = 1 / np.maximum(1.0, k * f0_hz / 200.0)
                masks[voice] = rolloff * np.exp(-0.5 * (distance / 1.2) ** 2)
        masks /= masks.sum(0) + 1e-4

    def reset(self) -> None:
        self._hops[...] = 0

    def state_dict(self) -> State:
        return {"hops": self._hops.copy()}

    def load_state_dict(self, state: State) -> None:
        self._hops[...] = state["hops"]

"""Drums without learning: what sounds for longer than a hit is not drums, as far as the past can tell.

Median filtering (Fitzgerald 2010) made causal: a bin's harmonic level is its median over the last 200 ms, its
percussive level the median over the neighbouring frequencies of the newest frame.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from rtsep.models.framing import Framing
from rtsep.models.mask_model import State
from rtsep.models.voice_report import VoiceReport

PAST_S = 0.2
# Wide against a partial in a 64 ms window (about 60 Hz), narrow against the slopes of a drum's spectrum.
BAND_HZ = 500.0
FLOOR = 1e-12
STEMS = ("drums",)


class CausalHpss:
    """A `MaskModel` of one stem, the drums: P^2 / (H^2 + P^2) with both levels from medians.

    Args:
        framing: frame sizes.
    """

    def __init__(self, framing: Framing) -> None:
        frames = max(1, round(PAST_S * framing.samplerate / framing.hop))
        self._width_bins = 2 * round(0.5 * BAND_HZ / framing.bin_hz) + 1
        self._past = np.zeros((frames, framing.bins))
        self._report = VoiceReport.silent(STEMS)

    @property
    def stems(self) -> tuple[str, ...]:
        return STEMS

    @property
    def report(self) -> VoiceReport:
        return self._report

    def step(self, spectrum: NDArray[np.complex64], masks: NDArray[np.float32]) -> None:
        magnitude = np.sqrt(np.mean(np.abs(spectrum) ** 2, axis=0))
        self._past[:-1] = self._past[1:]
        self._past[-1] = magnitude
        harmonic = np.median(self._past, axis=0) ** 2
        percussive = median_filter(magnitude, self._width_bins, mode="reflect") ** 2
        masks[0] = percussive / (harmonic + percussive + FLOOR)

    def listen_to(self, heard: NDArray[np.bool_]) -> None:
        """Nothing to save."""

    def skip(self) -> None:
        """The past stays as it is."""

    def reset(self) -> None:
        self._past[...] = 0

    def state_dict(self) -> State:
        return {"past": self._past.copy()}

    def load_state_dict(self, state: State) -> None:
        self._past[...] = state["past"]

"""Masks that never move: equal shares, low-pass and high-pass filters. What they reach is no separation.

A filter is applied as a mask on the stage's frames, so it has the stage's latency and no phase of its own.
A causal Butterworth filter of the same slope is no rival at all: its phase alone costs more than 10 dB of
SI-SDR (bass +7.9 dB without phase, -17 dB with it).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtsep.models.framing import Framing
from rtsep.models.mask_model import State
from rtsep.models.voice_report import VoiceReport

# dB per octave do not matter much: 12 to 48 give within 0.7 dB of each other
ORDER = 8  # of Butterworth's magnitude
CORNERS_HZ = (100, 150, 200, 300, 450, 700, 1000, 2000, 4000, 7000)


@dataclass(frozen=True)
class FixedFilter:
    """A low-pass or high-pass filter.

    Attributes:
        kind: "low-pass" or "high-pass".
        corner_hz: where it lets half of the power through.
    """

    kind: str
    corner_hz: int

    @property
    def title(self) -> str:
        """As tables call it."""
        return f"{self.kind} {self.corner_hz} Hz"

    def mask(self, framing: Framing) -> NDArray[np.float64]:
        """Gain of every bin, float64 [bins]."""
        with np.errstate(divide="ignore"):
            octaves = np.log2(np.arange(framing.bins) * framing.bin_hz / self.corner_hz)
        side = 1.0 if self.kind == "low-pass" else -1.0
        return np.asarray(1.0 / np.sqrt(1.0 + 2.0 ** np.minimum(2.0 * ORDER * side * octaves, 1000.0)))


FILTERS = tuple(FixedFilter(kind, hz) for kind in ("low-pass", "high-pass") for hz in CORNERS_HZ)


class FixedMasks:
    """A `MaskModel` whose masks are the same in every hop.

    Args:
        names: of its outputs.
        masks: float [len(names), bins], each in 0..1; they need not sum to one.
    """

    def __init__(self, names: tuple[str, ...], masks: NDArray[np.floating]) -> None:
        self._names = names
        self._masks = masks.astype(np.float32)
        self._report = VoiceReport.silent(names)

    @property
    def stems(self) -> tuple[str, ...]:
        return self._names

    @property
    def report(self) -> VoiceReport:
        return self._report

    def step(self, spectrum: NDArray[np.complex64], masks: NDArray[np.float32]) -> None:
        masks[...] = self._masks

    def listen_to(self, heard: NDArray[np.bool_]) -> None:
        """Nothing to save."""

    def skip(self) -> None:
        """Nothing to remember."""

    def reset(self) -> None:
        """Nothing to forget."""

    def state_dict(self) -> State:
        return {}

    def load_state_dict(self, state: State) -> None:
        """Nothing to load."""


def filter_bank(framing: Framing) -> FixedMasks:
    """All of `FILTERS` at once, one output each."""
    return FixedMasks(tuple(f.title for f in FILTERS), np.stack([f.mask(framing) for f in FILTERS]))

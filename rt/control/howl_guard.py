"""Dims the output when a microphone and a loudspeaker howl, and lets go when it has been quiet."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rtsep.rt.audio.howl import HowlDetector

QUIET_S = 5.0  # without growth: whoever stands at the desk has moved a fader or a microphone meanwhile


class HowlGuard:
    """Watches the input of a running stream.

    Args:
        samplerate: Hz.
        dim: told True when a howl is found, and False after `QUIET_S` without one.
        howling: an engine before this one has dimmed already.
    """

    def __init__(self, samplerate: int, dim: Callable[[bool], None], *, howling: bool = False) -> None:
        self._detector, self._dim = HowlDetector(samplerate), dim
        self._quiet_frames = round(QUIET_S * samplerate)
        self._left = self._quiet_frames if howling else 0
        self._times = int(howling)
        self._limited_samples = 0

    def feed(self, hop: NDArray[np.float32], *, on: bool, limited_samples: int = 0) -> None:
        """Some of the input, float32 [frames, channels]. Where it is not `on`, a dim that is in force ends.
        `limited_samples`: of the output, so far, as the device callback counts them.
        """
        before = self._left
        limited, self._limited_samples = limited_samples != self._limited_samples, limited_samples
        if not on:
            self._left = 0
        elif self._detector.feed(hop[:, 0] if hop.shape[1] == 1 else hop.mean(axis=1), limited):
            self._left = self._quiet_frames
            self._times += before == 0
        else:
            self._left = max(0, self._left - len(hop))
        if (before == 0) != (self._left == 0):
            self._dim(self._left > 0)

    @property
    def dims(self) -> bool:
        """Whether a dim is in force."""
        return self._left > 0

    @property
    def notes(self) -> list[str]:
        """What the user should know."""
        if not self._times:
            return []
        at_hz = self._detector.frequency_hz  # 0 where an engine before this one has found it
        where = f"feedback at {at_hz:.0f} Hz" if at_hz else "feedback"
        if self._left:
            return [f"{where}: the output is dimmed by 20 dB; turn it down, or set output.howl-guard to off"]
        return [f"{where} was dimmed ({self._times} in all); the output is back"]

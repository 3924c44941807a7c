"""A tone played into rtsep without end, and the largest step between two samples of each output."""

from typing import Any

import numpy as np

from rtsep.bench.jack_rig import Rig, delay_samples


class ClickRig(Rig):
    """Plays a sine, or noise when asked to, and looks at every sample of every output.

    Args:
        outputs: how many of rtsep's outputs to look at.
        client: rtsep's name.

    Attributes:
        steps: float64 [outputs], largest step since `forget`, and `peaks`, the largest sample.
    """

    def __init__(self, outputs: int, client: str, tone_hz: float, level: float) -> None:
        super().__init__(outputs, 0.1, client)
        self.steps, self.peaks = np.zeros(outputs), np.zeros(outputs)
        self._before = np.zeros(outputs)
        self._hz, self._level = tone_hz, level
        self._at = 0
        self._noise: np.ndarray | None = None
        self._kept: list[np.ndarray] | None = None

    def _play(self, frames: int) -> None:
        out = self._source.get_array()
        if self._noise is not None:
            part = self._noise[:frames]
            out[:] = 0
            out[: len(part)] = part
            self._noise = self._noise[frames:]
            return
        t = (self._at + np.arange(frames)) / self._player.samplerate
        out[:] = self._level * np.sin(2 * np.pi * self._hz * t)
        self._at += frames

    def _record(self, frames: int) -> None:
        heard = np.stack([port.get_array() for port in self._sinks])
        outputs = heard[1:].astype(np.float64)
        joined = np.concatenate([self._before[:, None], outputs], axis=1)
        self.steps = np.maximum(self.steps, np.abs(np.diff(joined, axis=1)).max(axis=1))
        self.peaks = np.maximum(self.peaks, np.abs(outputs).max(axis=1))
        self._before = outputs[:, -1]
        if self._kept is not None:
            self._kept.append(heard.copy())
        self.recorded += frames

    def forget(self) -> None:
        """Begins anew."""
        self.steps = np.zeros_like(self.steps)
        self.peaks = np.zeros_like(self.peaks)

    def delay(self, wait: Any) -> int:
        """Samples from the input to the sum of the outputs, found with noise; the tone goes on afterwards.

        Args:
            wait: returns when so many more samples have been heard.
        """
        self._kept = []
        self._noise = np.random.default_rng(0).normal(0, 0.05, 9600).astype(np.float32)
        wait(48000)
        heard, self._kept = np.concatenate(self._kept, axis=1), None
        self._noise = None
        return delay_samples(heard[0], heard[1:].sum(axis=0))

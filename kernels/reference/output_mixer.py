"""NumPy reference of kernels/src/output_mixer.hpp and stem_delays.hpp, frame by frame, for one thread."""

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels.reference.gain_ramps import GainRamps

F32 = NDArray[np.float32]


class OutputMixer:
    """Stems and the delayed mixture of a frame to the outputs.

    Args:
        gains: float32 [outputs, (stems + 1) * channels] at the start, the mixture last.
        stems: S; channels: C.
        ramp: frames that a gain, or the cross-fade from one delay to the next, takes.
    """

    def __init__(self, gains: F32, stems: int, channels: int, ramp: int) -> None:
        self._shape, self._stems, self._channels, self._ramp = gains.shape, stems, channels, ramp
        self._ramps = GainRamps(gains.ravel(), ramp)
        self._command: tuple[F32, float] | None = None
        self._ceiling = np.inf
        self._past: list[F32] = []
        self._now, self._to, self._wanted = ([0] * stems for _ in range(3))
        self._step = [ramp] * stems
        self.limited_samples = 0

    def set(self, gains: F32, delays: F32, ceiling: float) -> None:
        """What `look` takes."""
        self._ramps.set(gains.ravel())
        self._command = (delays.copy(), ceiling)

    def look(self, *, at_once: bool) -> None:
        """Takes what was set last."""
        self._ramps.look(at_once=at_once)
        if self._command is not None:
            delays, self._ceiling = self._command
            self._command = None
            self._wanted = [int(d) for d in delays]
            if at_once:
                self._now, self._to = list(self._wanted), list(self._wanted)

    def skip(self) -> None:
        """A frame in which nothing is played."""
        self._ramps.next()

    def next(self, played: F32, delayed: F32) -> F32:
        """float32 [S * C] of the stems and [C] of the mixture; returns [outputs]."""
        self._past.append(played)
        stems = np.concatenate([self._tap(s) for s in range(self._stems)])
        gains = self._ramps.next().reshape(self._shape)
        sources = np.concatenate([stems, delayed])
        out: F32 = np.where(gains != 0, gains * sources, np.float32(0)).sum(axis=1)
        self.limited_samples += int((np.abs(out) > self._ceiling).sum())
        return np.clip(out, -self._ceiling, self._ceiling)

    def _tap(self, stem: int) -> F32:
        """One stem of the frame, delayed; a delay that is changed in a cross-fade waits for its end."""
        if self._step[stem] == self._ramp and self._wanted[stem] != self._to[stem]:
            self._to[stem], self._step[stem] = self._wanted[stem], 0
        if self._step[stem] < self._ramp:
            self._step[stem] += 1
            if self._step[stem] == self._ramp:
                self._now[stem] = self._to[stem]
        old, new = (self._back(stem, by[stem]) for by in (self._now, self._to))
        return old + (new - old) * np.float32(self._step[stem] / self._ramp)

    def _back(self, stem: int, frames: int) -> F32:
        at = len(self._past) - 1 - frames
        frame = self._past[at] if at >= 0 else 0 * self._past[0]
        return frame[stem * self._channels : (stem + 1) * self._channels]

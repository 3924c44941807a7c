"""NumPy reference of kernels/src/oscillator.cpp."""

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

FADE_START = 0.95
"""Of Nyquist: a partial fades out linearly from here to Nyquist, sample by sample."""


class HarmonicOscillator:
    """V voices of K partials: sum_k fade * amplitude_k sin(2 pi k phase), phase = running sum of F0 /
    samplerate.

    A call ramps F0 and amplitudes linearly from the last call's values and reaches the new ones at its last
    frame; the first call's F0 does not ramp. F0 that is 0, negative or not finite means unvoiced: the old F0
    is held while the amplitudes fall to zero, and the next voiced call starts at its own F0. Amplitudes that
    are not finite are 0. Equal-weight partials with roll-off (Schulze-Forster et al., arXiv 2201.09592) are a
    choice of `amplitudes`.
    """

    def __init__(self, voices: int, partials: int, samplerate: float) -> None:
        self.voices, self.partials, self.samplerate = voices, partials, samplerate
        self.reset()

    def reset(self) -> None:
        self.phase_turns: F64 = np.zeros(self.voices)
        self.f0_hz: F64 = np.zeros(self.voices)
        self.amplitudes: F64 = np.zeros((self.voices, self.partials))

    def _ramp(self, f0_hz: F32, frames: int) -> F64:
        """F0 of every frame [V, frames]; state F0 is set to the target, or to 0 when unvoiced."""
        voiced = np.isfinite(f0_hz) & (f0_hz > 0)
        target = np.where(voiced, np.minimum(f0_hz, self.samplerate / 2), self.f0_hz).astype(np.float64)
        start = np.where(self.f0_hz > 0, self.f0_hz, target)
        time = np.arange(1, frames + 1) / frames
        self.f0_hz = np.where(voiced, target, 0.0)
        return np.asarray(start[:, None] + (target - start)[:, None] * time)

    def render(self, f0_hz: F32, amplitudes: F32, out: F32) -> None:
        """Writes out [V, frames], any number of frames, from f0_hz [V] and amplitudes [V, K]."""
        frames = out.shape[1]
        f0 = self._ramp(f0_hz, frames)
        voiced = np.isfinite(f0_hz) & (f0_hz > 0)
        target = np.where(np.isfinite(amplitudes) & voiced[:, None], amplitudes, 0.0)
        phase = self.phase_turns[:, None] + np.cumsum(f0 / self.samplerate, axis=1)
        time = np.arange(1, frames + 1) / frames
        k = np.arange(1, self.partials + 1)[:, None]
        nyquist = self.samplerate / 2
        for v in range(self.voices):
            fade = np.clip((1.0 - k * f0[v] / nyquist) / (1.0 - FADE_START), 0.0, 1.0)
            amplitude = self.amplitudes[v][:, None] + (target[v] - self.amplitudes[v])[:, None] * time
            out[v] = (fade * amplitude * np.sin(2 * np.pi * k * phase[v])).sum(axis=0)
        self.phase_turns = phase[:, -1] % 1.0
        self.amplitudes = target.astype(np.float64)

    def advance(self, f0_hz: F32, frames: int) -> None:
        """Moves phase and F0 as `render` would, without sound; amplitudes stay."""
        self.phase_turns = (self.phase_turns + self._ramp(f0_hz, frames).sum(axis=1) / self.samplerate) % 1.0

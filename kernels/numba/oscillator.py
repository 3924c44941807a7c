"""Numba twin of kernels/src/oscillator.cpp."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

FADE_START = 0.95
"""Of Nyquist: a partial fades out linearly from here to Nyquist."""
GROUP = 16
"""Partials between two sines that are computed; those between are rotated by the fundamental."""
CHUNK = 256
"""Frames worked on at once: the scratch stays in the processor's first-level cache."""
LARGEST = np.float32(np.finfo(np.float32).max)
TURN = np.float32(2 * math.pi)
ZERO, ONE = np.float32(0), np.float32(1)


class HarmonicOscillator:
    """V voices of K partials, as `rtsep.kernels.reference.oscillator.HarmonicOscillator` defines them.

    A call ramps F0 and amplitudes linearly from the last call's values and reaches the new ones at its last
    frame. F0 that is 0, negative or not finite means unvoiced.

    Args:
        voices: V.
        partials: K.
        samplerate: Hz.
    """

    def __init__(self, voices: int, partials: int, samplerate: float) -> None:
        self.voices, self.partials, self.samplerate = voices, partials, samplerate
        self._group = np.empty((4, GROUP), np.float32)
        self._turns = np.empty(CHUNK)
        self._scratch = np.empty((6, CHUNK), np.float32)
        self.reset()

    def reset(self) -> None:
        self.phase_turns: F64 = np.zeros(self.voices)
        self.f0_hz: F64 = np.zeros(self.voices)
        self.amplitudes: F32 = np.zeros((self.voices, self.partials), np.float32)

    def render(self, f0_hz: F32, amplitudes: F32, out: F32) -> None:
        """Writes out [V, frames], any number of frames, from f0_hz [V] and amplitudes [V, K], all float32.

        Raises:
            ValueError: a shape does not fit.
        """
        if f0_hz.shape != (self.voices,) or amplitudes.shape != (self.voices, self.partials):
            raise ValueError(
                f"f0_hz {list(f0_hz.shape)} and amplitudes {list(amplitudes.shape)}, "
                f"expected {[self.voices]} and {[self.voices, self.partials]}"
            )
        if out.shape[0] != self.voices:
            raise ValueError(f"out has {out.shape[0]} rows, expected {self.voices}")
        _render(
            f0_hz,
            amplitudes,
            self.samplerate,
            self.phase_turns,
            self.f0_hz,
            self.amplitudes,
            self._turns,
            self._group,
            self._scratch,
            out,
        )

    def advance(self, f0_hz: F32, frames: int) -> None:
        """Moves phase and F0 as `render` would, without sound; amplitudes stay."""
        for v in range(self.voices):
            voiced = 0 < f0_hz[v] <= LARGEST
            end_hz = min(float(f0_hz[v]), self.samplerate / 2) if voiced else self.f0_hz[v]
            start_hz = self.f0_hz[v] if self.f0_hz[v] > 0 else end_hz
            cycles = (frames * start_hz + (end_hz - start_hz) * (frames + 1) / 2) / self.samplerate
            self.phase_turns[v] = (self.phase_turns[v] + cycles) % 1.0
            self.f0_hz[v] = end_hz if voiced else 0.0


@njit(nogil=True, inline="always")
def _finite_or_zero(x: np.float32) -> np.float32:
    return x if abs(x) <= LARGEST else ZERO


@njit(nogil=True, inline="always")
def _sine_and_cosine(turns: float) -> tuple[np.float32, np.float32]:
    """Sine and cosine of any number of turns: reduced to +-1/8 turn in float64, for at partial 60 float32
    would lose a tenth of a milliradian; there the C++ kernel's minimax polynomials, then quadrants.
    """
    quarter = math.floor(turns * 4 + 0.5)
    quadrant = np.int32(quarter)
    x = np.float32(turns - quarter * 0.25) * TURN
    z = x * x
    s = x + x * z * (
        np.float32(-0.1666665067) + z * (np.float32(0.0083319787) - z * np.float32(0.0001949564))
    )
    c = (
        ONE
        - np.float32(0.5) * z
        + z
        * z
        * (np.float32(4.1666646866e-2) + z * (np.float32(-1.3887367515e-3) + z * np.float32(2.4438451516e-5)))
    )
    swapped = (quadrant & 1) != 0
    sine, cosine = (c, s) if swapped else (s, c)
    if quadrant & 2:
        sine = -sine
    if (quadrant + 1) & 2:
        cosine = -cosine
    return sine, cosine


@njit(nogil=True, fastmath={"contract"})
def _add_group(
    count: int, group: F32, sine: F32, cosine: F32, first_sine: F32, first_cosine: F32, time: F32, total: F32
) -> None:
    """Adds up to 16 partials; `sine`, `cosine` are of the group's first one, `first_*` of the fundamental."""
    for j in range(GROUP):
        level, slope, fade_level, fade_slope = group[0, j], group[1, j], group[2, j], group[3, j]
        for i in range(count):
            fade = min(max(fade_level + fade_slope * time[i], ZERO), ONE)
            s, c = sine[i], cosine[i]
            total[i] += fade * (level + slope * time[i]) * s
            sine[i] = s * first_cosine[i] + c * first_sine[i]
            cosine[i] = c * first_cosine[i] - s * first_sine[i]


@njit(nogil=True, fastmath={"contract"})
def _render(
    f0_hz: F32,
    target: F32,
    samplerate: float,
    phase_turns: F64,
    last_f0_hz: F64,
    amplitudes: F32,
    turns: F64,
    group: F32,
    scratch: F32,
    out: F32,
) -> None:
    voices, partials = target.shape
    frames = out.shape[1]
    if frames < 1:
        return
    nyquist = samplerate / 2
    first_sine, first_cosine, time = scratch[0], scratch[1], scratch[2]
    sine, cosine, total = scratch[3], scratch[4], scratch[5]
    for v in range(voices):
        voiced = ZERO < f0_hz[v] <= LARGEST
        end_hz = min(np.float64(f0_hz[v]), nyquist) if voiced else last_f0_hz[v]
        start_hz = last_f0_hz[v] if last_f0_hz[v] > 0 else end_hz
        phase = phase_turns[v]
        for begin in range(0, frames, CHUNK):
            count = min(CHUNK, frames - begin)
            for i in range(count):
                ramp = (begin + i + 1) / frames
                phase += (start_hz + (end_hz - start_hz) * ramp) / samplerate
                phase -= math.floor(phase)
                turns[i] = phase
                time[i] = ramp
                total[i] = 0
            for i in range(count):
                first_sine[i], first_cosine[i] = _sine_and_cosine(turns[i])
            for k in range(0, partials, GROUP):
                if (k + 1) * min(start_hz, end_hz) >= nyquist:
                    break
                audible = False
                for j in range(GROUP):
                    here = k + j < partials
                    level = amplitudes[v, k + j] if here else ZERO
                    end = _finite_or_zero(target[v, k + j]) if here and voiced else ZERO
                    scale = (k + j + 1) / (nyquist * (1 - FADE_START))
                    group[0, j], group[1, j] = level, end - level
                    group[2, j] = 1 / (1 - FADE_START) - start_hz * scale
                    group[3, j] = (start_hz - end_hz) * scale
                    audible |= level != 0 or end != 0
                if not audible:
                    continue
                for i in range(count):
                    sine[i], cosine[i] = _sine_and_cosine((k + 1) * turns[i])
                _add_group(count, group, sine, cosine, first_sine, first_cosine, time, total)
            out[v, begin : begin + count] = total[:count]
        phase_turns[v] = phase
        last_f0_hz[v] = end_hz if voiced else 0
        for k in range(partials):
            amplitudes[v, k] = _finite_or_zero(target[v, k]) if voiced else ZERO

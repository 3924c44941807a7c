"""Tells acoustic feedback, a howl, from music: one narrow peak that grows in a straight line of dB."""

import math

import numpy as np
from numpy.typing import NDArray

from rtsep.rt.audio.levels import FLOOR_DB

FRAME_S = (
    2048 / 48_000
)  # long enough to part neighbouring notes from 100 Hz on, short against a loop's growth
FRAMES_APART = 4  # of a frame's length
LOWEST_HZ, HIGHEST_HZ = 80.0, 16_000.0  # what loudspeakers and microphones bring round
# A loop grows in a straight line of dB. So does no attack, whose first and last part differ, and hardly any
# crescendo; a crescendo has partials too. Spans in frames: 0.21 to 1.7 s, for growth from 7 dB/s on.
SPANS = (20, 40, 80, 160)
GROWTH_DB = 12.0
STRAIGHT_DB = 0.4  # RMS about the line; noise in the room moves the line
CLEAR_DB = 20.0  # over everything from half its frequency to past its third partial
LOWEST_DB = -50.0  # of the peak, dBFS: a howl so quiet has time
LOBE_BINS = 3  # a Hann window's main lobe and its first side lobe


class HowlDetector:
    """Looks at the input as it comes in.

    Args:
        samplerate: Hz.

    Example:
        >>> import numpy as np
        >>> seconds = np.arange(48_000) / 48_000
        >>> howl = 10 ** ((40 * seconds - 60) / 20) * np.sin(2 * np.pi * 1000 * seconds)
        >>> HowlDetector(48_000).feed(howl.astype(np.float32))
        True
    """

    def __init__(self, samplerate: int) -> None:
        size = 2 ** round(math.log2(FRAME_S * samplerate))
        self._step = size // FRAMES_APART
        self._window = np.hanning(size + 1)[:-1].astype(np.float32)
        self._scale = 2.0 / float(self._window.sum())
        self._frame = np.zeros(size, np.float32)
        self._waiting = 0  # samples of the step that is not whole yet
        bin_hz = samplerate / size
        self._first = max(LOBE_BINS + 1, math.ceil(LOWEST_HZ / bin_hz))
        self._last = min(size // 2 - LOBE_BINS - 1, int(HIGHEST_HZ / bin_hz))
        self._bin_hz = bin_hz
        self._levels = np.full((max(SPANS), size // 2 + 1), FLOOR_DB, np.float32)
        self._frames = 0
        self.frequency_hz = 0.0

    def feed(self, samples: NDArray[np.float32]) -> bool:
        """One channel, float32 [frames] of any number. True when a howl has been found in them; then
        `frequency_hz` says where.
        """
        found, at = False, 0
        while at < len(samples):
            taken = samples[at : at + self._step - self._waiting]
            at += len(taken)
            self._frame[: -len(taken)] = self._frame[len(taken) :]
            self._frame[-len(taken) :] = taken
            self._waiting += len(taken)
            if self._waiting == self._step:
                self._waiting = 0
                found = self._look() or found
        return found

    def _look(self) -> bool:
        """One frame more. The last ones are kept in a ring."""
        now = self._frames % len(self._levels)
        self._frames += 1
        magnitudes = np.abs(np.fft.rfft(self._frame * self._window)) * self._scale
        np.log10(np.maximum(magnitudes, 1e-10), out=self._levels[now], casting="same_kind")
        self._levels[now] *= 20.0
        levels = self._levels[now]
        peak = self._first + int(levels[self._first : self._last].argmax())
        if levels[peak] < LOWEST_DB or not self._stands_clear(levels, peak):
            return False
        for span in SPANS:
            if span <= self._frames and self._grows(now, span, peak):
                self.frequency_hz = peak * self._bin_hz
                return True
        return False

    def _stands_clear(self, levels: NDArray[np.float32], peak: int) -> bool:
        below = levels[max(1, peak // 2 - LOBE_BINS) : peak - LOBE_BINS]
        above = levels[peak + LOBE_BINS + 1 : 3 * peak + LOBE_BINS + 1]
        limit = levels[peak] - CLEAR_DB
        return bool(below.max(initial=FLOOR_DB) <= limit and above.max(initial=FLOOR_DB) <= limit)

    def _grows(self, now: int, span: int, peak: int) -> bool:
        order = np.arange(now - span + 1, now + 1) % len(self._levels)
        line = self._levels[order, peak]
        if line[-1] - line[0] < GROWTH_DB:
            return False
        places = np.linspace(-1.0, 1.0, span)
        rest = line - line.mean()
        rest -= places * (rest @ places) / (places @ places)
        return bool(np.sqrt(np.mean(rest**2)) < STRAIGHT_DB)

"""Tells acoustic feedback, a howl, from music: one narrow peak that grows in a straight line of dB, or that
stands still where everything is at full scale.
"""

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
# A loop of some dB a turn is at full scale before that. Over a shorter line an attack of a voice is straight
# now and then (once in ten minutes of solo singing), so that it is a suspicion: what follows decides.
SHORT_GROWTHS_DB = {6: 18.0, 10: 16.0, 20: 16.0}
SHORT_STRAIGHT = 0.05  # of the growth: the line has a step for each turn of the loop
SUSPECTED_FRAMES = 64  # 0.7 s
# Frames with samples at full scale, and how still the peak is there: a drum is over by then.
FULL_FRAMES, FULL_STILL_DB = 12, 1.5
# Where many frequencies grow at once one is left at full scale, and stands as still as no player or singer.
STILL_FRAMES, STILL_DB = 96, 0.5
FULL_SCALE = 0.99
CLEAR_DB = 20.0  # over everything from half its frequency to past its third partial, which a clipped sine has
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
        self._is_full, self._full_frames = False, 0
        self._suspect, self._suspected_left = 0, 0
        self._frames = 0
        self.frequency_hz = 0.0

    def feed(self, samples: NDArray[np.float32], limited: bool = False) -> bool:
        """One channel, float32 [frames] of any number. True when a howl has been found in them; then
        `frequency_hz` says where. `limited`: what is played meanwhile is at the output's ceiling.
        """
        found, at = False, 0
        while at < len(samples):
            taken = samples[at : at + self._step - self._waiting]
            at += len(taken)
            self._frame[: -len(taken)] = self._frame[len(taken) :]
            self._frame[-len(taken) :] = taken
            self._waiting += len(taken)
            self._is_full = self._is_full or limited or bool(np.abs(taken).max() > FULL_SCALE)
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
        self._full_frames = self._full_frames + 1 if self._is_full else 0
        self._is_full = False
        self._suspected_left = max(0, self._suspected_left - 1)
        levels = self._levels[now]
        peak = self._first + int(levels[self._first : self._last].argmax())
        found = levels[peak] >= LOWEST_DB and self._howls(now, peak)
        if found:
            self.frequency_hz = peak * self._bin_hz
        return bool(found)

    def _howls(self, now: int, peak: int) -> bool:
        if self._stands_clear(now, peak, past_third=True):
            if any(self._grows(now, span, peak, GROWTH_DB, STRAIGHT_DB, 0.0) for span in SPANS):
                return True
            short = SHORT_GROWTHS_DB.items()
            if any(self._grows(now, span, peak, db, 0.0, SHORT_STRAIGHT) for span, db in short):
                self._suspect, self._suspected_left = peak, SUSPECTED_FRAMES
        elif not self._stands_clear(now, peak, past_third=False):
            return False
        full = self._full_frames
        if full >= STILL_FRAMES and self._is_still(now, STILL_FRAMES, peak, STILL_DB):
            return True
        suspected = self._suspected_left > 0 and abs(peak - self._suspect) <= 1
        return suspected and full >= FULL_FRAMES and self._is_still(now, FULL_FRAMES, peak, FULL_STILL_DB)

    def _stands_clear(self, now: int, peak: int, past_third: bool) -> bool:
        """Of everything from half its frequency to its third partial, with that or up to it: a sine that is
        clipped has it.
        """
        levels, reach = self._levels[now], LOBE_BINS + 1 if past_third else -2 * LOBE_BINS
        below = levels[max(1, peak // 2 - LOBE_BINS) : peak - LOBE_BINS]
        above = levels[peak + LOBE_BINS + 1 : 3 * peak + reach]
        limit = levels[peak] - CLEAR_DB
        return bool(below.max(initial=FLOOR_DB) <= limit and above.max(initial=FLOOR_DB) <= limit)

    def _line(self, now: int, span: int, peak: int) -> NDArray[np.float32]:
        order = np.arange(now - span + 1, now + 1) % len(self._levels)
        return np.asarray(self._levels[order, peak])

    def _grows(
        self, now: int, span: int, peak: int, least_db: float, straight_db: float, straight: float
    ) -> bool:
        """By `least_db` and more, in a line that is straight to so much, or to a share of the growth."""
        if span > self._frames:
            return False
        line = self._line(now, span, peak)
        growth_db = float(line[-1] - line[0])
        if growth_db < least_db:
            return False
        places = np.linspace(-1.0, 1.0, span)
        rest = line - line.mean()
        rest -= places * (rest @ places) / (places @ places)
        return bool(np.sqrt(np.mean(rest**2)) < max(straight_db, straight * growth_db))

    def _is_still(self, now: int, span: int, peak: int, within_db: float) -> bool:
        line = self._line(now, span, peak)
        return bool(line.max() - line.min() < within_db)

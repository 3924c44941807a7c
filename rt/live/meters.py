"""Levels of the stems and times of the hops, gathered on the engine's thread without allocation that
grows.
"""

import math
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.rt.audio.levels import to_db
from rtsep.rt.live.status import rounded

HOP_TIME_SECONDS = 5.0
STEPS_PER_OCTAVE, OCTAVES = 32, 24  # of all hop times: 2 % wide, from 1 us to 16 s
TENTHS = np.arange(1, 10) / 10  # of a hop's time: where the bars of its histogram end, the last is open
FULL_SCALE = 1.0
# A reader that looks every 50 ms, as snapshots come, may be stalled for 150 ms and misses nothing.
KEPT_SNAPSHOTS = 4
# what is metered -> names in the status of its peaks, and of how many snapshots peaked at full scale
PEAK_NAMES = {
    "stem": ("peak_db", "clips"),
    "input": ("input_peak_db", "input_clips"),
    "output": ("output_peak_db", "output_clips"),
}
# One hop without numbers is silence of a hop; a network whose state holds them never gives a number again.
NO_NUMBERS_S = 0.25
NO_SIGNAL_S = 2.0  # a gate or a muted strip may give exact zeros between two songs, for a moment


class LevelMeters:
    """Peak and RMS of every stem since a reader last looked.

    What came after the last snapshot is kept apart until it is known whether that one was read, so that
    nothing is missed however rarely somebody looks.

    Attributes:
        latest: float64 [stems], peaks between the last two snapshots, whoever has read them.
    """

    def __init__(self, stems: int, hop: int, channels: int) -> None:
        self._scratch = np.zeros((stems, hop, channels), np.float32)
        self._peak, self._energy, self._samples = np.zeros((2, stems)), np.zeros((2, stems)), np.zeros(2)
        self._hop_peak, self._hop_energy = np.zeros(stems, np.float32), np.zeros(stems, np.float32)
        self.latest = np.zeros(stems)

    def add(self, stems: NDArray[np.float32]) -> None:
        """One hop, float32 [stems, H, channels]."""
        np.abs(stems, out=self._scratch)
        self._scratch.max(axis=(1, 2), out=self._hop_peak)
        np.einsum("shc,shc->s", stems, stems, out=self._hop_energy)
        np.maximum(self._peak[1], self._hop_peak, out=self._peak[1])
        self._energy[1] += self._hop_energy
        self._samples[1] += stems[0].size

    def publish(self, was_read: bool) -> dict[str, list[float] | list[bool]]:
        """Levels since the last read. `was_read`: the snapshot before this one was read."""
        if was_read:
            self._peak[0], self._energy[0], self._samples[0] = 0, 0, 0
        np.maximum(self._peak[0], self._peak[1], out=self._peak[0])
        self._energy[0] += self._energy[1]
        self._samples[0] += self._samples[1]
        self.latest[...] = self._peak[1]
        self._peak[1], self._energy[1], self._samples[1] = 0, 0, 0
        rms = np.sqrt(self._energy[0] / max(1.0, self._samples[0]))
        return {
            "peak_db": rounded(to_db(self._peak[0])),
            "rms_db": rounded(to_db(rms)),
            "clip": [bool(p >= FULL_SCALE) for p in self._peak[0]],
        }


class RecentPeaks:
    """The peaks of the last few snapshots, each apart, for any number of readers that keep what they have not
    shown yet (`rtsep.rt.process.peaks`): none of them takes a peak from another.

    Args:
        before: what the hop loop before this one published last; counts go on from it.
    """

    def __init__(self, before: dict[str, Any]) -> None:
        self._count = int(before.get("levels", {}).get("count", 0))
        self._peaks: dict[str, deque[list[float]]] = {}
        self._clips: dict[str, NDArray[np.int64]] = {}
        self._before = before

    def publish(self, **peaks: NDArray[np.float64]) -> dict[str, Any]:
        """With the peaks since the snapshot before: `stem`, `input`, `output`, float64, one for each."""
        self._count += 1
        counted = {}
        for kind, now in peaks.items():
            name, clips = PEAK_NAMES[kind]
            self._peaks.setdefault(name, deque(maxlen=KEPT_SNAPSHOTS)).append(rounded(to_db(now)))
            counts = self._clips.setdefault(clips, _counts(self._before.get(clips, ()), len(now)))
            counts += now >= FULL_SCALE
            counted[clips] = counts.tolist()
        kept = {name: list(recent) for name, recent in self._peaks.items()}
        return {"levels": {"count": self._count, **kept}, **counted}

    def go_over(self, before: Sequence[str], stems: Sequence[str], outputs: int) -> None:
        """From stems of these names to others; a stem that plays on keeps its count, and an output."""
        for kind in ("stem", "output"):
            self._peaks.pop(PEAK_NAMES[kind][0], None)  # a reader compares those of one number
        of_stems, of_outputs = (self._clips.get(PEAK_NAMES[kind][1]) for kind in ("stem", "output"))
        if of_stems is not None and of_outputs is not None:
            known = dict(zip(before, of_stems.tolist(), strict=True))
            of_stems = np.array([known.get(stem, 0) for stem in stems], np.int64)
            of_outputs = np.concatenate([of_outputs, np.zeros(outputs - len(of_outputs), np.int64)])
            self._clips |= {PEAK_NAMES["stem"][1]: of_stems, PEAK_NAMES["output"][1]: of_outputs}


def _counts(before: Sequence[int], size: int) -> NDArray[np.int64]:
    """Counts to go on from; of another number of stems there are none."""
    return np.array(before if len(before) == size else [0] * size, np.int64)


class HopTimes:
    """Percentiles of the last seconds of hop times."""

    def __init__(self, hop_s: float) -> None:
        self._hop_s = hop_s
        self._times = np.zeros(max(1, round(HOP_TIME_SECONDS / hop_s)))
        self._count = 0

    def add(self, seconds: float) -> None:
        """One hop."""
        self._times[self._count % len(self._times)] = seconds
        self._count += 1

    def publish(self) -> dict[str, float | list[int]]:
        """p50, p99 and maximum as share of the hop's time, and how many hops needed each tenth of it."""
        known = np.sort(self._times[: self._count]) / self._hop_s
        if not len(known):
            nothing: list[int] = []
            return dict.fromkeys(("hop_time_p50", "hop_time_p99", "hop_time_max"), 0.0) | {
                "hop_time_counts": nothing
            }
        below = [0, *np.searchsorted(known, TENTHS).tolist(), len(known)]
        at = [int(q * (len(known) - 1)) for q in (0.5, 0.99, 1.0)]
        return {
            "hop_time_p50": round(float(known[at[0]]), 4),
            "hop_time_p99": round(float(known[at[1]]), 4),
            "hop_time_max": round(float(known[at[2]]), 4),
            "hop_time_counts": np.diff(below).tolist(),
        }


class HopHistogram:
    """All hop times since the start, in buckets a 32nd octave wide: a reader takes the difference of two.

    Args:
        before: what the hop loop before this one published last; counts go on from it.
    """

    def __init__(self, before: dict[str, Any]) -> None:
        self._counts = np.zeros(STEPS_PER_OCTAVE * OCTAVES, np.int64)
        known = before.get("hop_histogram", {"first": 0, "counts": []})
        self._first, self._end = known["first"], known["first"] + len(known["counts"])
        self._counts[self._first : self._end] = known["counts"]

    def add(self, seconds: float) -> None:
        """One hop."""
        bucket = int(STEPS_PER_OCTAVE * math.log2(max(1.0, 1e6 * seconds)))
        bucket = min(bucket, len(self._counts) - 1)
        self._counts[bucket] += 1
        if self._first == self._end:
            self._first, self._end = bucket, bucket + 1
        self._first, self._end = min(self._first, bucket), max(self._end, bucket + 1)

    def publish(self) -> dict[str, Any]:
        """Counts from bucket `first` on; bucket k begins at 2^(k/32) us."""
        return {
            "hop_histogram": {"first": self._first, "counts": self._counts[self._first : self._end].tolist()}
        }


class SignalWatch:
    """Tells digital silence, which no microphone gives, from a quiet room."""

    def __init__(self) -> None:
        self._silent_since: float | None = None

    def is_missing(self, peak: float, now_s: float) -> bool:
        """Whether nothing has come in for `NO_SIGNAL_S`.

        Args:
            peak: largest magnitude since the last call.
            now_s: a clock that only goes on.
        """
        if peak > 0.0:
            self._silent_since = None
            return False
        if self._silent_since is None:
            self._silent_since = now_s
        return now_s - self._silent_since >= NO_SIGNAL_S


class NumberWatch:
    """Raises where a model gives no numbers any more."""

    def __init__(self) -> None:
        self._since: float | None = None

    def look(self, peaks: NDArray[np.float64], now_s: float) -> None:
        """Peaks of the stems since the last call.

        Raises:
            ArithmeticError: none of them has been a number for `NO_NUMBERS_S`: another engine is due.
        """
        if not np.isnan(peaks).any():
            self._since = None
        elif self._since is None:
            self._since = now_s
        elif now_s - self._since >= NO_NUMBERS_S:
            raise ArithmeticError("the model gives no numbers any more")

"""Hop times of a stretch of a live run, from the histogram that the engine publishes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from rtsep.bench.hop.hdr_file import write_hdr
from rtsep.rt.live.meters import OCTAVES, STEPS_PER_OCTAVE


@dataclass(frozen=True)
class Histogram:
    """Counts of hop times, int64 [buckets]: bucket k begins at 2^(k/32) us."""

    counts: NDArray[np.int64]

    @classmethod
    def of(cls, snapshot: dict[str, Any]) -> Self:
        """That of a status as the engine publishes it."""
        counts, found = np.zeros(STEPS_PER_OCTAVE * OCTAVES, np.int64), snapshot["hop_histogram"]
        counts[found["first"] : found["first"] + len(found["counts"])] = found["counts"]
        return cls(counts)

    def since(self, before: "Histogram") -> "Histogram":
        """Hops between two snapshots."""
        return Histogram(self.counts - before.counts)

    @property
    def hops(self) -> int:
        """How many."""
        return int(self.counts.sum())

    def percentile_us(self, share: float) -> float:
        """The time that `share` (0..1) of the hops did not exceed, interpolated within its bucket."""
        if not self.hops:
            return math.nan
        reached = np.cumsum(self.counts)
        rank = share * self.hops
        bucket = int(np.searchsorted(reached, rank))
        below = reached[bucket] - self.counts[bucket]
        within = (rank - below) / self.counts[bucket]
        return float(2.0 ** ((bucket + within) / STEPS_PER_OCTAVE))

    def told(self) -> dict[str, float]:
        """p50, p99, p99.9 and the largest in us."""
        shares = {"p50_us": 0.5, "p99_us": 0.99, "p99_9_us": 0.999, "max_us": 1.0}
        return {name: round(self.percentile_us(share), 1) for name, share in shares.items()}

    def write(self, file: Path) -> None:
        """As an HDR histogram (.hgrm); RtsepError where that cannot be."""
        present = np.flatnonzero(self.counts)
        times = [float(2.0 ** ((bucket + 0.5) / STEPS_PER_OCTAVE)) for bucket in present]
        write_hdr(file, times, self.counts[present].tolist())


def difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """What was counted between two moments."""
    return {
        "seconds": round(after["at"] - before["at"], 1),
        **{name: value - before["counters"][name] for name, value in after["counters"].items()},
        **{f"late_{name}": dict(late - before["late"][name]) for name, late in after["late"].items()},
    }


def joined(histograms: Sequence[Histogram]) -> Histogram:
    """Hops of all; one at least."""
    return Histogram(np.sum([one.counts for one in histograms], axis=0))


def ratio_of_pairs(before: Sequence[float], after: Sequence[float]) -> dict[str, float]:
    """What neighbours in time have in common cancels: the geometric mean of after / before, pair by pair, and
    where it is with 95 % (Student's t of its logarithm; NaN from one pair).
    """
    logarithms = np.log(np.asarray(after) / np.asarray(before))
    at, pairs = float(logarithms.mean()), len(logarithms)
    half = math.nan if pairs < 2 else float(t.ppf(0.975, pairs - 1) * logarithms.std(ddof=1) / pairs**0.5)
    return {
        "pairs": pairs,
        **{
            name: round(math.exp(value), 3)
            for name, value in (("ratio", at), ("lowest", at - half), ("highest", at + half))
        },
    }

"""How sure a tracker is of its pitches, against how often it is right: reliability of its log odds.

The network says of every pitch how likely it is sung. Who decides by that takes a number for a probability,
so of pitches that are said to be sung with 80 % four of five should be (DeGroot and Fienberg 1983).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels.errors import RtsepError
from rtsep.models.choir.build import build_tracker
from rtsep.models.choir.network_tracker import NetworkTracker
from rtsep.models.choir.peak_reading import PeakFinder
from rtsep.models.choir.pitch_grid import CANDIDATE_CENTS, LOWEST_CANDIDATE_HZ
from rtsep.rt.hop.presets import Preset
from rtsep.training.evaluation.streaming import looks
from rtsep.training.measures.stem_pitch import AGREED_CENTS, F0Truth

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

# Of log odds: 2 to 98 % in steps that hold enough pitches each; none below -4 is given to the assignment.
EDGES = (-4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, np.inf)


@dataclass(frozen=True)
class Pitches:
    """What a tracker's network heard, a row for each peak.

    Attributes:
        times_s: float64 [peaks], when it is meant.
        f0_hz: float64 [peaks].
        log_odds: float64 [peaks], that it is sung.
    """

    times_s: F64
    f0_hz: F64
    log_odds: F64


@dataclass(frozen=True)
class Bin:
    """Pitches whose log odds lie within two bounds.

    Attributes:
        low, high: the bounds; the last is infinite.
        pitches: how many.
        said: mean of the probabilities that the network gave, 0..1; 0 if there is none.
        right: share that was sung.
    """

    low: float
    high: float
    pitches: int
    said: float
    right: float


def heard(sound: F32, samplerate: int, latency_ms: int, model: str) -> Pitches:
    """All peaks of a recording, float32 [samples], as the stage's tracker gets them, of every voice.

    Raises:
        RtsepError: the model has no network for pitches at this latency.
    """
    preset = Preset(samplerate, latency_ms)
    tracker = build_tracker(model, voices=1, framing=preset.framing)
    if not isinstance(tracker, NetworkTracker):
        raise RtsepError(
            f"model {model} has no network for pitches at {latency_ms} ms", "choose --model choir"
        )
    peaks = PeakFinder()
    rows: list[F64] = []
    for time_s in looks(tracker, preset, sound):
        count = peaks.find(tracker.found["salience"][0], tracker.found["offset"][0])
        row = np.empty((3, count))
        row[0] = time_s
        row[1] = LOWEST_CANDIDATE_HZ * 2.0 ** (peaks.place[:count] * (CANDIDATE_CENTS / 1200.0))
        row[2] = peaks.log_odds[:count]
        rows.append(row)
    return Pitches(*np.concatenate([np.empty((3, 0)), *rows], axis=1))


def judged(pitches: Pitches, truth: F0Truth) -> tuple[F64, NDArray[np.bool_]]:
    """Log odds of the pitches of which the truth is known, and which of them somebody sings, within 50 cents.

    Where the two trackers of a voice differ, a pitch that is nobody else's is neither right nor wrong.
    """
    at = np.rint(pitches.times_s / (truth.times_s[1] - truth.times_s[0])).astype(int)
    inside = (at >= 0) & (at < len(truth.times_s))
    at, f0_hz, log_odds = at[inside], pitches.f0_hz[inside], pitches.log_odds[inside]
    voiced = truth.voiced[at]
    apart = 1200.0 * np.abs(np.log2(f0_hz[:, None] / np.where(voiced, truth.first_hz[at], 1.0)))
    right = (voiced & (apart <= AGREED_CENTS)).any(axis=1)
    known = right | (voiced | truth.silent[at]).all(axis=1)
    return log_odds[known], right[known]


def bins(log_odds: F64, right: NDArray[np.bool_], edges: Sequence[float] = EDGES) -> list[Bin]:
    """Pitches by how sure the network was of them."""
    said = 1.0 / (1.0 + np.exp(-log_odds))
    found = []
    for low, high in pairwise(edges):
        inside = (log_odds >= low) & (log_odds < high)
        some = bool(inside.any())
        found.append(
            Bin(
                low, high, int(inside.sum()),
                float(said[inside].mean()) if some else 0.0,
                float(right[inside].mean()) if some else 0.0,
            )
        )  # fmt: skip
    return found


def calibration_error(found: Sequence[Bin]) -> float:
    """Mean distance of what was said to what was right, each pitch counting as much: 0..1."""
    total = sum(each.pitches for each in found)
    return sum(each.pitches * abs(each.said - each.right) for each in found) / max(total, 1)

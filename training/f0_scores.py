"""How well tracked pitches follow those of the stems, per voice and for the mixture as a whole."""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TOLERANCE_CENTS = 50.0  # half a semitone: the tolerance of mir_eval's melody and multi-pitch scores

Contours = NDArray[np.float64]


@dataclass(frozen=True)
class VoiceF0Score:
    """One tracked voice against its stem; shares are None where their denominator is empty.

    Attributes:
        recall: share of the stem's voiced points at which the tracked F0 is within 50 cents.
        median_error_hz: median of |tracked - true| over points voiced in both.
        false_voicing: share of the stem's unvoiced points at which the tracker reports a pitch.
        wrong_voice: share of the stem's voiced points at which the tracked F0 misses this stem's, but is
            within 50 cents of another stem's: a swap, or two tracked voices on one singer.
    """

    recall: float | None
    median_error_hz: float | None
    false_voicing: float | None
    wrong_voice: float | None


@dataclass(frozen=True)
class F0Score:
    """All voices: per voice, and as an unordered set of pitches (mir_eval.multipitch; Bay et al. 2009)."""

    voices: tuple[VoiceF0Score, ...]
    multipitch_precision: float
    multipitch_recall: float
    multipitch_accuracy: float


def _cents(a_hz: Contours, b_hz: Contours) -> Contours:
    """Distance in cents, infinite where either is unvoiced."""
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = 1200.0 * np.abs(np.log2(a_hz / b_hz))
    return np.where((a_hz > 0) & (b_hz > 0), distance, np.inf)


def _share(hits: NDArray[np.bool_], of: NDArray[np.bool_]) -> float | None:
    return float(np.mean(hits[of])) if of.any() else None


def score_f0(true_hz: Contours, tracked_hz: Contours) -> F0Score:
    """Scores contours on one time grid.

    Shape:
        true_hz, tracked_hz: float64 [points, voices], 0 where unvoiced; voice j is compared with stem j.
    """
    from mir_eval import melody, multipitch

    if true_hz.shape != tracked_hz.shape:
        raise ValueError(f"true F0 is {true_hz.shape}, tracked F0 is {tracked_hz.shape}")
    voices = []
    for j in range(true_hz.shape[1]):
        true, tracked = true_hz[:, j], tracked_hz[:, j]
        voiced, found = true > 0, tracked > 0
        others = np.delete(true_hz, j, axis=1)
        near_other = (_cents(tracked[:, None], others) <= TOLERANCE_CENTS).any(axis=1)
        missed = _cents(tracked, true) > TOLERANCE_CENTS
        both = voiced & found
        recall = None
        if voiced.any():
            reference, estimate = melody.hz2cents(true), melody.hz2cents(tracked)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                share = melody.raw_pitch_accuracy(voiced, reference, found, estimate, TOLERANCE_CENTS)
            recall = float(share)
        voices.append(
            VoiceF0Score(
                recall=recall,
                median_error_hz=float(np.median(np.abs(tracked - true)[both])) if both.any() else None,
                false_voicing=_share(found, ~voiced),
                wrong_voice=_share(missed & near_other, voiced),
            )
        )
    grid = np.arange(len(true_hz), dtype=np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # mir_eval warns of silence, which is a result like any other
        scores = multipitch.evaluate(
            grid, [row[row > 0] for row in true_hz], grid, [row[row > 0] for row in tracked_hz]
        )
    return F0Score(
        tuple(voices), float(scores["Precision"]), float(scores["Recall"]), float(scores["Accuracy"])
    )

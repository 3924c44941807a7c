"""How well tracked pitches follow those of the stems, per voice and for the mixture as a whole."""

import warnings
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

TOLERANCE_CENTS = 50.0  # half a semitone: the tolerance of mir_eval's melody and multi-pitch scores
POINT_S = 1e-3

Hz = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class VoiceF0Score:
    """One tracked voice against its stem; shares are None where their denominator is empty.

    Attributes:
        voiced_points: points at which the stem is voiced, of which the shares are taken.
        silent_points: points at which it is silent.
        recall: share of the voiced points at which this voice's tracked F0 is within 50 cents.
        recall_any: share of the voiced points at which any voice's tracked F0 is within 50 cents.
        wrong_voice: share of the voiced points at which the tracked F0 misses this stem's, but is within 50
            cents of another stem's: a swap, or two tracked voices on one singer.
        false_voicing: share of the silent points at which the tracker reports a pitch.
        median_error_hz, median_error_cents: median of |tracked - true| over the voiced points at which the
            tracker reports a pitch for this voice.
    """

    voiced_points: int
    silent_points: int
    recall: float | None
    recall_any: float | None
    wrong_voice: float | None
    false_voicing: float | None
    median_error_hz: float | None
    median_error_cents: float | None


@dataclass(frozen=True)
class SetScore:
    """All voices as an unordered set of pitches (mir_eval.multipitch; Bay et al. 2009)."""

    precision: float
    recall: float
    accuracy: float


def cents_between(a_hz: Hz, b_hz: Hz) -> Hz:
    """Distance in cents, infinite where either is unvoiced."""
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = 1200.0 * np.abs(np.log2(a_hz / b_hz))
    return np.where((a_hz > 0) & (b_hz > 0), distance, np.inf)


@dataclass(frozen=True)
class VoicePoints:
    """One tracked voice against its stem, point by point: all bool or float64 [points].

    voiced, silent : where the stem is voiced and where it is silent; elsewhere nothing is scored
    found : the tracker reports a pitch for this voice
    hit, hit_any : this voice's, or any voice's, tracked pitch is within 50 cents of the stem's
    near_other : this voice's tracked pitch is within 50 cents of another stem's
    error_hz, error_cents : |tracked - true|, where both have a pitch
    """

    voiced: Flags
    silent: Flags
    found: Flags
    hit: Flags
    hit_any: Flags
    near_other: Flags
    error_hz: Hz
    error_cents: Hz


def points(
    true_hz: Hz, tracked_hz: Hz, voiced: Flags | None = None, silent: Flags | None = None
) -> list[VoicePoints]:
    """Compares contours on one time grid, voice by voice.

    Shape:
        true_hz, tracked_hz: float64 [points, voices], 0 where unvoiced; voice j is compared with stem j.
        voiced, silent: bool [points, voices], the points to score; by default where true_hz is above 0 and
            where it is not.
    """
    if true_hz.shape != tracked_hz.shape:
        raise ValueError(f"true F0 is {true_hz.shape}, tracked F0 is {tracked_hz.shape}")
    voiced = true_hz > 0 if voiced is None else voiced
    silent = true_hz <= 0 if silent is None else silent
    found = []
    for j in range(true_hz.shape[1]):
        true, tracked = true_hz[:, j], tracked_hz[:, j]
        error_cents = cents_between(tracked, true)
        others = np.delete(true_hz, j, axis=1)
        found.append(
            VoicePoints(
                voiced=voiced[:, j],
                silent=silent[:, j],
                found=tracked > 0,
                hit=error_cents <= TOLERANCE_CENTS,
                hit_any=_any_near(tracked_hz, true[:, None]),
                near_other=_any_near(others, tracked[:, None]),
                error_hz=np.abs(tracked - true),
                error_cents=error_cents,
            )
        )
    return found


def voice_score(parts: list[VoicePoints]) -> VoiceF0Score:
    """One score of all points of one voice, over any number of mixtures."""
    whole = {f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(VoicePoints)}
    voiced, silent, found, hit = (whole[name] for name in ("voiced", "silent", "found", "hit"))
    both = voiced & found
    return VoiceF0Score(
        voiced_points=int(voiced.sum()),
        silent_points=int(silent.sum()),
        recall=_share(hit, voiced),
        recall_any=_share(whole["hit_any"], voiced),
        wrong_voice=_share(~hit & whole["near_other"], voiced),
        false_voicing=_share(found, silent),
        median_error_hz=_median(whole["error_hz"][both]),
        median_error_cents=_median(whole["error_cents"][both]),
    )


def score_set(true_hz: Hz, tracked_hz: Hz) -> SetScore:
    """Scores pitches regardless of the voice they are given to.

    Shape:
        true_hz: float64 [points, voices], tracked_hz: float64 [points, pitches], 0 where there is none.
    """
    from mir_eval import multipitch

    # mir_eval takes no piece of more than 30000 s; which time a point has changes nothing here
    grid = POINT_S * np.arange(len(true_hz), dtype=np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # mir_eval warns of silence, which is a result like any other
        scores = multipitch.evaluate(
            grid, [row[row > 0] for row in true_hz], grid, [row[row > 0] for row in tracked_hz]
        )
    return SetScore(float(scores["Precision"]), float(scores["Recall"]), float(scores["Accuracy"]))


def nearest(true_hz: Hz, tracked_hz: Hz) -> Hz:
    """Of pitches in no order of voices, the one nearest to each true one; 0 where there is none.

    Shape:
        true_hz: float64 [points, voices], tracked_hz: float64 [points, pitches]; returns as true_hz.
    """
    distance = cents_between(tracked_hz[:, None, :], true_hz[:, :, None])
    chosen = np.take_along_axis(tracked_hz, distance.argmin(axis=2), axis=1)
    return np.where(np.isfinite(distance.min(axis=2)), chosen, 0.0)


def _any_near(pitches_hz: Hz, pitch_hz: Hz) -> Flags:
    return np.asarray((cents_between(pitches_hz, pitch_hz) <= TOLERANCE_CENTS).any(axis=1))


def _share(hits: Flags, of: Flags) -> float | None:
    return float(np.mean(hits[of])) if of.any() else None


def _median(values: Hz) -> float | None:
    return float(np.median(values)) if values.size else None

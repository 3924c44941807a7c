"""Pitch errors in the frames that SI-SDR is taken over: what a wrong pitch costs."""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtsep.training.evaluation.evaluate import Evaluation, Run
from rtsep.training.measures.pitch_scores import TOLERANCE_CENTS, cents_between
from rtsep.training.measures.protocol import FRAME_SAMPLES, SAMPLERATE

FRAME_S = FRAME_SAMPLES / SAMPLERATE

Frames = NDArray[np.float64]


@dataclass(frozen=True)
class FramePitch:
    """Of one mixture, both float64 [voices, frames], NaN where the stem is unvoiced throughout.

    missed : share of the stem's voiced points at which the tracked F0 is not within 50 cents
    error_cents : median of |tracked - true| over the points that are within 50 cents
    """

    missed: Frames
    error_cents: Frames


def frame_pitch(evaluation: Evaluation, run: Run, mixture: int) -> FramePitch:
    """Compares tracked and true F0 (swift-f0) second by second."""
    result, truth = evaluation.results[run][mixture], evaluation.truths[mixture]
    assert result.tracked is not None
    frames = result.scores.kept.shape[1]
    # the truth's points begin with the first scored excerpt
    frame = np.floor((truth.times_s - truth.times_s[0]) / FRAME_S).astype(int)
    distance = cents_between(result.tracked.f0_hz, truth.first_hz)
    voiced, hit = truth.first_hz > 0, distance <= TOLERANCE_CENTS
    missed = np.full((truth.first_hz.shape[1], frames), np.nan)
    error = np.full_like(missed, np.nan)
    for index in range(frames):
        here = frame == index
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # frames without a voiced point stay NaN
            missed[:, index] = np.mean(np.where(voiced[here], ~hit[here], np.nan), axis=0, where=voiced[here])
            error[:, index] = np.nanmedian(np.where(hit[here], distance[here], np.nan), axis=0)
    return FramePitch(missed, error)

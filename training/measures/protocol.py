"""The excerpts, frames and energy rule under which separated voices are scored.

The protocol of Schulze-Forster et al. 2022 ("Unsupervised Music Source Separation Using Differentiable
Parametric Source Models"): 16 kHz, non-overlapping 4 s excerpts of which the first is skipped, the mixture of
every excerpt normalised to a peak of one and its stems scaled alike, SI-SDR on the four 1 s frames of every
excerpt. A frame counts only if its normalised target holds an energy of at least 10.

SI-SDR ignores any gain, and stems and estimates of one excerpt share theirs, so peak normalisation *after*
separation changes one thing only: which frames the energy rule keeps. Normalising *before* separation is
another matter, because a separator that carries state and has level thresholds gets another input: that
is the strict variant, see `rtsep.training.evaluation.systems`.

Songs of bands keep their own sample rate: same seconds, same level of the energy rule.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels.errors import RtsepError
from rtsep.training.measures.si_sdr import si_sdr_db

SAMPLERATE = 16000
EXCERPT_SAMPLES = 4 * SAMPLERATE
FRAME_SAMPLES = SAMPLERATE
FRAMES_PER_EXCERPT = EXCERPT_SAMPLES // FRAME_SAMPLES
SKIPPED_EXCERPTS = 1
# Sum of squares of one second at 16 kHz: an RMS of 0.025 against a mixture peak of one.
MIN_TARGET_ENERGY = 10.0

Audio = NDArray[np.float32]


def excerpts(frames: int, samplerate: int = SAMPLERATE) -> list[slice]:
    """The excerpts of a piece of `frames` samples, the skipped one left out."""
    length = EXCERPT_SAMPLES * samplerate // SAMPLERATE
    count = frames // length
    if count <= SKIPPED_EXCERPTS:
        least_s = (SKIPPED_EXCERPTS + 1) * length // samplerate
        raise RtsepError(
            f"the stems last {frames / samplerate:.1f} s, the protocol needs at least {least_s} s",
            "give longer stems: excerpts last 4 s and the first is skipped",
        )
    return [slice(i * length, (i + 1) * length) for i in range(SKIPPED_EXCERPTS, count)]


def peak_gain(mixture: Audio) -> float:
    """The gain that brings an excerpt's mixture to a peak of one; 1 for silence."""
    peak = float(np.max(np.abs(mixture), initial=0.0))
    return 1.0 / peak if peak > 0.0 else 1.0


@dataclass(frozen=True)
class Scores:
    """SI-SDR of every frame of one mixture.

    si_sdr_db : float64 [voices, frames]; meaningless where not `kept`, NaN where the estimate is silent.
    kept : bool [voices, frames]; True where the energy rule keeps the frame.
    """

    si_sdr_db: NDArray[np.float64]
    kept: NDArray[np.bool_]

    def voice(self, voice: int) -> "Scores":
        """The frames of one voice."""
        return Scores(self.si_sdr_db[voice : voice + 1], self.kept[voice : voice + 1])


def score(
    stems: Audio, estimates: Audio, samplerate: int = SAMPLERATE, mixture: Audio | None = None
) -> Scores:
    """Score estimates that are aligned with their stems.

    Parameters
    ----------
    stems, estimates : float32 [voices, samples]
    samplerate : Hz; the energy that the rule asks for grows with the samples of a second
    mixture : float32 [samples]; the sum of the stems where left out, more where other stems sound too
    """
    if stems.shape != estimates.shape:
        raise ValueError(f"stems are {stems.shape}, estimates are {estimates.shape}")
    if mixture is None:
        mixture = stems.sum(axis=0)
    frame_samples = FRAME_SAMPLES * samplerate // SAMPLERATE
    least_energy = MIN_TARGET_ENERGY * samplerate / SAMPLERATE
    ratios, kept = [], []
    for excerpt in excerpts(stems.shape[1], samplerate):
        shape = (len(stems), FRAMES_PER_EXCERPT, frame_samples)
        target = peak_gain(mixture[excerpt]) * stems[:, excerpt].reshape(shape).astype(np.float64)
        ratios.append(si_sdr_db(target, estimates[:, excerpt].reshape(shape)))
        kept.append(np.sum(target * target, axis=-1) >= least_energy)
    return Scores(np.concatenate(ratios, axis=1), np.concatenate(kept, axis=1))


def pool(scores: list[Scores]) -> Scores:
    """All frames of several mixtures with the same number of voices, as one."""
    return Scores(
        np.concatenate([s.si_sdr_db for s in scores], axis=1),
        np.concatenate([s.kept for s in scores], axis=1),
    )


@dataclass(frozen=True)
class Summary:
    """Mean and median over the frames that count, in dB (None where no frame counts)."""

    mean_db: float | None
    median_db: float | None
    frames: int  # the energy rule kept them
    nan_frames: int  # kept, but without a ratio (a silent estimate): skipped in mean and median


def summarise(scores: Scores, voice: int | None = None) -> Summary:
    """Over one voice, or over all frames of all voices."""
    select = slice(None) if voice is None else voice
    values = scores.si_sdr_db[select][scores.kept[select]]
    numbers = values[~np.isnan(values)]
    return Summary(
        mean_db=float(np.mean(numbers)) if numbers.size else None,
        median_db=float(np.median(numbers)) if numbers.size else None,
        frames=int(values.size),
        nan_frames=int(values.size - numbers.size),
    )

"""How wrong a stem's gains are: decibels of error per second where it sounds, quiet where it does not."""

from typing import NamedTuple

import torch
from torch import Tensor

from rtsep.training.band.spectra import BandPowers

# Power re the mixture from which a stem's second is scored in decibels: while learning, and where it is
# measured, there as the evaluation's rule of energy has it for usual mixtures.
SOUNDING = 10.0 ** (-25.0 / 10.0)
SCORED = 10.0 ** (-17.0 / 10.0)
# Errors below count as equal, re the stem's power: without it a stem that sounds alone dominates the loss.
SMALLEST_ERROR = 1e-3
SMALLEST_LEAK = 1e-3  # of a silent stem, re the mixture
# Most of the loss does not depend on how loud the estimate is, like SI-SDR. Where a stem is hard to find, the
# error alone is smallest (0 dB) with gains of 0, and gains that have become 0 give no gradient to leave it.
SHAPE_SHARE = 0.7
SMALLEST_LIKENESS = 0.03  # share of an estimate's power that is the stem; below it, it has not been found
# Re the stem: what is nearer to it than 20 dB counts as equally near. A bass that plays all but alone would
# otherwise decide the mean over all seconds: any gain but 1 makes it 30 dB worse than its mixture.
LEAST_DISTORTION = 1e-2
SILENCE_WEIGHT = 0.15  # at full weight the network learns to mute the vocals
MASK_WEIGHT = 12.0
MASK_POWER = 0.3  # of the mixture's power in the weight of a band: quiet bands are heard too


class StemLoss(NamedTuple):
    """Loss of one stem.

    Attributes:
        loss: scalar.
        error_db: scalar, mean over seconds in which the stem sounds, re the stem: what `loss` is about.
    """

    loss: Tensor
    error_db: Tensor


def stem_loss(
    gain: Tensor, powers: BandPowers, stem: int, weight: Tensor, counted: Tensor, second: int
) -> StemLoss:
    """Loss of one stem's gains.

    Args:
        gain: float32 [batch, time, BANDS], 0..1.
        powers: of the batch.
        stem: which.
        weight: float32 [batch]: 0 where the stem is unknown.
        counted: float32 [batch, BANDS]: 0 where a band says nothing.
        second: hops that are scored together; divides time.
    """
    mixture = powers.mixture[:, 0] * counted[:, None]
    own = powers.stems[:, stem] * counted[:, None]
    cross = powers.cross[:, stem] * counted[:, None]
    error = own - 2.0 * gain * cross + gain * gain * mixture

    whole = _per_second(mixture, second) + 1e-9
    power, wrong = _per_second(own, second), _per_second(error, second).clamp(min=0.0)
    there = weight[:, None].expand_as(power)
    sounds = (power > SOUNDING * whole).float() * there
    silent = there - sounds
    # the floor keeps gradients bounded where a stem is nearly the whole mixture, or nearly nothing
    in_db = 10.0 * torch.log10((wrong + SMALLEST_ERROR * power + 1e-12) / (power + 1e-12))
    error_db = (in_db * sounds).sum() / sounds.sum().clamp(min=1.0)
    along, estimate = _per_second(gain * cross, second), _per_second(gain * gain * mixture, second)
    like = along.clamp(min=0.0) ** 2 / (power * estimate + 1e-12)
    unlike_db = 10.0 * torch.log10((1.0 - like).clamp(min=0.0) + SMALLEST_ERROR) - 10.0 * torch.log10(
        like + SMALLEST_LIKENESS
    )
    shape_db = (unlike_db * sounds).sum() / sounds.sum().clamp(min=1.0)
    leak_db = 10.0 * torch.log10(wrong / whole + SMALLEST_LEAK)
    quiet = (leak_db * silent).sum() / there.sum().clamp(min=1.0)
    ideal = (cross / (mixture + 1e-12)).clamp(0.0, 1.0)
    loudness = mixture**MASK_POWER
    loudness = loudness / loudness.mean(dim=(1, 2), keepdim=True).clamp(min=1e-6)
    apart = (loudness * (gain - ideal) ** 2).mean(dim=(1, 2))
    by_mask = (apart * weight).sum() / weight.sum().clamp(min=1.0)
    share = sounds.sum() / there.sum().clamp(min=1.0)
    of_both = (1.0 - SHAPE_SHARE) * error_db + SHAPE_SHARE * shape_db
    loss = share * of_both + SILENCE_WEIGHT * quiet + MASK_WEIGHT * by_mask
    return StemLoss(loss, error_db.detach())


def improvement_db(gain: Tensor, powers: BandPowers, stem: int, counted: Tensor, second: int) -> Tensor:
    """Error re the stem of the mixture, less that of the gains: dB, of the seconds in which it sounds.

    Arguments as of `stem_loss`.

    Shape:
        returns float32 [seconds that count].
    """
    mixture = powers.mixture[:, 0] * counted[:, None]
    own = powers.stems[:, stem] * counted[:, None]
    cross = powers.cross[:, stem] * counted[:, None]

    power, whole = _per_second(own, second), _per_second(mixture, second)

    # the best scale of an estimate is free, as in SI-SDR
    def distortion(along: Tensor, estimate: Tensor) -> Tensor:
        share = along**2 / (power * estimate).clamp(min=1e-20)
        return share / (1.0 - share).clamp(min=1e-6)

    before = distortion(_per_second(cross, second), whole)
    after = distortion(_per_second(gain * cross, second), _per_second(gain * gain * mixture, second))
    sounds = power > SCORED * whole + 1e-9
    return (10.0 * torch.log10((after + LEAST_DISTORTION) / (before + LEAST_DISTORTION)))[sounds]


def _per_second(x: Tensor, second: int) -> Tensor:
    """[batch, time, BANDS] -> sums [batch, time / second]."""
    return x.reshape(len(x), -1, second * x.shape[2]).sum(dim=2)

"""The combs (kernels/src/comb_model.hpp) as tensor operations: many streams at once, static shapes,
differentiable.

S streams, V voices, K partials, W bins of a lobe, B bins. Lobes are laid onto the bins in layers in which no
two of a voice overlap, so that nothing is added twice to one place: sums come out the same on every run, on a
GPU too.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rtsep.kernels import _core
from rtsep.models.choir.comb_masks import FLOOR_POWER, HOLD_S, LEARN_S, LOBE_BINS, LOBE_PHASES, partial_lobe
from rtsep.models.framing import Framing

_C = _core.AdaptiveComb.CONSTANTS
BANDS, PARTIALS, ITERATIONS = int(_C["BANDS"]), int(_C["MAX_PARTIALS"]), int(_C["ITERATIONS"])
TINY, LOUDEST, UNSEEN, LOWEST_F0_HZ = _C["TINY"], _C["LOUDEST"], _C["UNSEEN"], _C["LOWEST_F0_HZ"]
BAND_REACH = int(3.0 * _C["BAND_SPREAD"]) + 1
WIDTH = 2 * LOBE_BINS + 1


class PartialGrid(NamedTuple):
    """Partials of all voices on the bins of one frame."""

    there: Tensor  # bool [S, V, K]
    weights: Tensor  # [S, V, K, W], 0 where there is no partial
    at: Tensor  # int64 [S, V, K, W], place among the padded bins
    band: Tensor  # int64 [S, V, K], lower band of the envelope
    fraction: Tensor  # [S, V, K], how far to the next one
    levels: Tensor  # [S, V, K], power


class TensorComb(nn.Module):
    """Places lobes, fits their levels to a frame, learns envelopes and turns all that into masks.

    Args:
        framing: the spectrum's layout.
    """

    number: Tensor
    lobe: Tensor
    bin_band: Tensor
    bin_fraction: Tensor
    layer: Tensor

    def __init__(self, framing: Framing) -> None:
        super().__init__()
        self.bins, self.bin_hz = framing.bins, framing.bin_hz
        hop_s = framing.hop / framing.samplerate
        self.learning = 1.0 - math.exp(-hop_s / LEARN_S)
        self.hold = math.exp(-hop_s / HOLD_S)
        # partials of one layer lie at least a lobe apart, at the lowest pitch too
        layers = math.ceil((WIDTH + 1) * self.bin_hz / LOWEST_F0_HZ)
        self.padded = self.bins + 2 * LOBE_BINS + 2
        self.layers = layers
        number = torch.arange(1, PARTIALS + 1)
        band, fraction = _band_of(torch.arange(self.bins) * self.bin_hz)
        for name, value in {
            "number": number.float(),
            "lobe": torch.from_numpy(partial_lobe(framing)),
            "bin_band": band,
            "bin_fraction": fraction,
            "layer": (number % layers)[:, None] * self.padded,
        }.items():
            self.register_buffer(name, value, persistent=False)

    def clean(self, power: Tensor) -> Tensor:
        """Power [S, B] without what is no number, between margins for lobes that stick out: [S, padded]."""
        usable = torch.where(power > 0, power, 0.0).nan_to_num(0.0, 0.0, 0.0).clamp(max=LOUDEST)
        return nn.functional.pad(usable, (LOBE_BINS, self.padded - self.bins - LOBE_BINS))

    def ground(self, power: Tensor) -> Tensor:
        """What is added to the model of every bin so that ratios stay bounded: [S, padded] -> the same."""
        return (_C["FLOOR_SHARE"] * power.sum(-1, keepdim=True) / self.bins + TINY).expand_as(power)

    def place(self, power: Tensor, f0_hz: Tensor, before_hz: Tensor, envelope: Tensor) -> PartialGrid:
        """Where lobes lie, how wide the moving pitch makes them, and what level the envelope predicts.

        power [S, padded], f0_hz and before_hz [S, V] (0 = unvoiced), envelope [S, V, BANDS].
        """
        voiced = (f0_hz >= LOWEST_F0_HZ) & torch.isfinite(f0_hz)
        f0_hz = torch.where(voiced, f0_hz, LOWEST_F0_HZ)
        top_hz = min(_C["HIGHEST_PARTIAL_HZ"], (self.bins - 1) * self.bin_hz)
        count = (top_hz / f0_hz).int().clamp(max=PARTIALS)
        there = (self.number <= count[..., None]) & voiced[..., None]
        moved = torch.where(before_hz > 0, (f0_hz - before_hz).abs() / self.bin_hz, 0.0)
        stretch = 1.0 / (1.0 + (_C["WIDEN"] * self.number * moved[..., None]).clamp(max=_C["MAX_WIDEN"]))
        partial_hz = torch.where(there, self.number * f0_hz[..., None], 0.0)
        centre = partial_hz / self.bin_hz
        nearest = (centre + 0.5).long()
        offset = torch.arange(-LOBE_BINS, LOBE_BINS + 1, device=power.device)
        at_bin = nearest[..., None] + offset
        x = (at_bin - centre[..., None]).abs() * stretch[..., None] * LOBE_PHASES
        entry = x.long()
        inside = (entry + 1 < self.lobe.numel()) & (at_bin >= 0) & (at_bin < self.bins) & there[..., None]
        entry = entry.clamp(max=self.lobe.numel() - 2)
        lower = self.lobe[entry]
        weights = torch.where(inside, lower + (x - entry) * (self.lobe[entry + 1] - lower), 0.0)
        band, fraction = _band_of(partial_hz)
        seen = power.gather(1, (nearest + LOBE_BINS).flatten(1)).view(nearest.shape)
        unseen = torch.log(_C["HALF"] * seen + TINY)
        levels = torch.exp(read_envelope(envelope, band, fraction, unseen))
        return PartialGrid(there, weights, at_bin + LOBE_BINS, band, fraction, levels)

    def lay(self, partials: PartialGrid, levels: Tensor) -> Tensor:
        """Power of every voice at its partials: [S, V, padded]."""
        # absent partials would all write to one place: they have a layer of their own that is dropped
        target = torch.where(partials.there[..., None], partials.at + self.layer, self.layers * self.padded)
        shape = (*levels.shape[:2], (self.layers + 1) * self.padded)
        source = (levels[..., None] * partials.weights).flatten(2)
        laid = source.new_zeros(shape).scatter(2, target.flatten(2), source)
        return laid.view(*levels.shape[:2], self.layers + 1, self.padded)[:, :, : self.layers].sum(2)

    def fit(self, partials: PartialGrid, power: Tensor, base: Tensor) -> tuple[PartialGrid, Tensor]:
        """Multiplicative updates of levels towards `power` over `base` [S, padded], and the last model."""
        total = partials.weights.sum(-1).clamp(min=1e-6)
        levels = partials.levels
        for _ in range(ITERATIONS):
            model = base + self.lay(partials, levels).sum(1)
            ratio = (partials.weights * _at(power / model, partials.at)).sum(-1) / total
            levels = (levels * ratio).clamp(min=TINY)
        return partials._replace(levels=levels), model

    def own_share(self, partials: PartialGrid, model: Tensor) -> Tensor:
        """How much of the power under every partial's lobe is its own: [S, V, K]."""
        own = partials.levels * partials.weights.square().sum(-1)
        everybody = (_at(model, partials.at) * partials.weights).sum(-1)
        return torch.where(partials.there, (own / everybody.clamp(min=TINY)).clamp(max=1.0), 0.0)

    def learn(self, partials: PartialGrid, model: Tensor, envelope: Tensor) -> Tensor:
        """The envelopes [S, V, BANDS] in log power, after what this frame says of them."""
        j = torch.arange(BANDS, device=model.device)
        place = partials.band + partials.fraction
        distance = (j - place[..., None]) / _C["BAND_SPREAD"]
        near = (j - partials.band[..., None]).abs() <= BAND_REACH
        teaches = near & (partials.there & (partials.levels >= FLOOR_POWER))[..., None]
        share = self.own_share(partials, model)[..., None]
        g = torch.where(teaches, share * torch.exp(-0.5 * distance.square()), 0.0)
        weight = g.sum(2)
        informed = weight >= _C["LEAST_WEIGHT"]
        reading = (g * torch.log(partials.levels)[..., None]).sum(2) / torch.where(informed, weight, 1.0)
        rate = torch.where(envelope > UNSEEN, self.learning * weight.clamp(max=1.0), 1.0)
        return torch.where(informed, envelope + rate * (reading - envelope), envelope)

    def interharmonic_floor(self, linear: Tensor) -> Tensor:
        """Power between partials from bands [S, V, BANDS]: [S, V, padded]."""
        lower = linear[..., self.bin_band]
        on_bins = lower + self.bin_fraction * (linear[..., self.bin_band + 1] - lower)
        return nn.functional.pad(on_bins, (LOBE_BINS, self.padded - self.bins - LOBE_BINS))

    def masks(self, source: Tensor, power: Tensor) -> Tensor:
        """Wiener masks [S, V, B] of sources [S, V, padded]; what voices do not explain belongs to none."""
        inner = slice(LOBE_BINS, LOBE_BINS + self.bins)
        voices = FLOOR_POWER + source[..., inner].sum(1)
        excess = (power[:, inner] - _C["UNEXPLAINED"] * voices).clamp(min=0.0)
        return source[..., inner] / (voices + excess)[:, None]


def level_db(partials: PartialGrid) -> Tensor:
    """Power of all partials together: [S, V]."""
    power = torch.where(partials.there, partials.levels, 0.0).sum(-1)
    return 10.0 * torch.log10(power + 1e-12)


def read_envelope(envelope: Tensor, band: Tensor, fraction: Tensor, unseen: Tensor) -> Tensor:
    """Log power [S, V, K] that envelopes [S, V, BANDS] predict; `unseen` where they never held a partial."""
    lower, upper = envelope.gather(2, band), envelope.gather(2, band + 1)
    return torch.where((lower > UNSEEN) & (upper > UNSEEN), lower + fraction * (upper - lower), unseen)


def _band_of(hz: Tensor) -> tuple[Tensor, Tensor]:
    """Lower band and how far to the next one."""
    lowest = _C["LOWEST_BAND_HZ"]
    x = _C["BANDS_PER_OCTAVE"] * torch.log2(hz.clamp(min=lowest) / lowest)
    index = x.long().clamp(max=BANDS - 2)
    return index, (x - index).clamp(max=1.0)


def _at(values: Tensor, at: Tensor) -> Tensor:
    """values [S, padded] at places [S, V, K, W]."""
    return values.gather(1, at.flatten(1)).view(at.shape)


class TensorAdaptiveComb(nn.Module):
    """`AdaptiveCombMasks` for S independent streams.

    Args:
        voices: V.
        framing: the spectrum's layout.
    """

    def __init__(self, voices: int, framing: Framing) -> None:
        super().__init__()
        self.voices = voices
        self.comb = TensorComb(framing)

    def initial_state(self, streams: int) -> tuple[Tensor, ...]:
        """As before any input: envelope [S, V, BANDS], active [S, V], before_hz [S, V]."""
        zeros = torch.zeros(streams, self.voices)
        return torch.full((streams, self.voices, BANDS), UNSEEN), zeros, zeros.clone()

    def forward(
        self, power: Tensor, f0_hz: Tensor, envelope: Tensor, active: Tensor, before_hz: Tensor
    ) -> tuple[Tensor, ...]:
        """power [S, B], f0_hz [S, V] and the state -> masks [S, V, B], level_db [S, V] and the state."""
        comb = self.comb
        power = comb.clean(power)
        partials = comb.place(power, f0_hz, before_hz, envelope)
        partials, model = comb.fit(partials, power, comb.ground(power))
        envelope = comb.learn(partials, model, envelope)
        active = torch.where(partials.there[..., 0], 1.0, active * comb.hold)
        linear = torch.where(
            envelope > UNSEEN, _C["INTERHARMONIC_FLOOR"] * active[..., None] * torch.exp(envelope), 0.0
        )
        fitted = torch.log(partials.levels)
        prior = read_envelope(envelope, partials.band, partials.fraction, fitted)
        levels = torch.exp(fitted + _C["PRIOR_SHARE"] * (prior - fitted))
        levels = torch.where(partials.there, levels, 0.0)
        source = comb.interharmonic_floor(linear) + comb.lay(partials, levels)
        f0_hz = f0_hz.nan_to_num(0.0, 0.0, 0.0)
        return comb.masks(source, power), level_db(partials), envelope, active, f0_hz

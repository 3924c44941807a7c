"""Masks from a network's levels, differentiable: the twin of kernels/src/guided_comb.cpp for training, many
frames at once.

Only partials that sound are worked on: the lobes of all frames and voices lie in one list of L entries.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rtsep.kernels import comb_model as comb
from rtsep.kernels.comb_model import LOUDEST_LOG, QUIETEST
from rtsep.models.choir.comb_masks import FLOOR_POWER, LOBE_BINS, LOBE_PHASES, partial_lobe
from rtsep.models.framing import Framing


@dataclass(frozen=True)
class PartialList:
    """Partials on the bins, as a list.

    Attributes:
        frame, voice, partial: int64 [L]; partial counts from 0.
        number: float32 [L], 1, 2, ...: the partial's number.
        bins: int64 [L, W], where it lies in a padded frame.
        weights: float32 [L, W], power response of the window.
    """

    frame: Tensor
    voice: Tensor
    partial: Tensor
    number: Tensor
    bins: Tensor
    weights: Tensor


class TorchRenderer:
    """`GuidedComb.mask` on tensors.

    Args:
        framing: of the spectra.
    """

    def __init__(self, framing: Framing) -> None:
        self._lobe = torch.from_numpy(partial_lobe(framing))
        self.bins, self._bin_hz = framing.bins, float(np.float32(framing.bin_hz))
        self._padded = framing.bins + 2 * LOBE_BINS + 2
        index, fraction = comb.band_of(np.arange(self.bins, dtype=np.float32) * np.float32(self._bin_hz))
        spread = np.zeros((comb.BANDS, self.bins), np.float32)
        spread[index, np.arange(self.bins)] = 1.0 - fraction
        spread[index + 1, np.arange(self.bins)] += fraction
        self._spread = torch.from_numpy(spread)

    def place(self, f0_hz: Tensor, before_hz: Tensor) -> PartialList:
        """Where the partials of f0_hz [frames, V] lie; before_hz is that of the hop before."""
        device, lobe = f0_hz.device, self._lobe.to(f0_hz.device)
        f0_hz = torch.where(torch.isfinite(f0_hz) & (f0_hz >= comb.LOWEST_F0_HZ), f0_hz, 0.0)
        top_hz = min(comb.HIGHEST_PARTIAL_HZ, float(np.float32(self.bins - 1) * np.float32(self._bin_hz)))
        count = torch.where(f0_hz > 0, (top_hz / f0_hz.clamp(min=1.0)).floor(), 0.0).clamp(
            max=comb.MAX_PARTIALS
        )
        below_top = torch.arange(comb.MAX_PARTIALS, device=device) < count.unsqueeze(-1)
        frame, voice, partial = below_top.nonzero(as_tuple=True)
        number = (partial + 1).float()
        centre = number * f0_hz[frame, voice] / self._bin_hz
        nearest = (centre + 0.5).long()
        moved = torch.where(before_hz > 0, (f0_hz - before_hz).abs() / self._bin_hz, 0.0)[frame, voice]
        stretch = 1.0 / (1.0 + (comb.WIDEN * number * moved).clamp(max=comb.MAX_WIDEN))
        at = nearest.unsqueeze(1) + torch.arange(-LOBE_BINS, LOBE_BINS + 1, device=device)
        x = (at - centre.unsqueeze(1)).abs() * stretch.unsqueeze(1) * LOBE_PHASES
        lower = x.long().clamp(max=lobe.numel() - 2)
        value = torch.lerp(lobe[lower], lobe[lower + 1], x - lower)
        inside = (x < lobe.numel() - 1) & (at >= 0) & (at < self.bins)
        return PartialList(frame, voice, partial, number, at + LOBE_BINS, torch.where(inside, value, 0.0))

    def masks(
        self, power: Tensor, partials: PartialList, level: Tensor, trust: Tensor, noise: Tensor
    ) -> Tensor:
        """Masks [frames, V, bins].

        Args:
            power: [frames, bins], 1 = full-scale sine.
            partials: of these frames.
            level, trust: [L].
            noise: [frames, V, BANDS].
        """
        frames, voices = noise.shape[:2]
        level = level.clamp(QUIETEST, LOUDEST_LOG)
        observed = torch.nn.functional.pad(power, (LOBE_BINS, LOBE_BINS + 2)).reshape(-1)
        floors = torch.exp(noise.clamp(QUIETEST, LOUDEST_LOG)) @ self._spread.to(noise.device)
        ground = comb.FLOOR_SHARE * power.mean(dim=-1, keepdim=True) + comb.TINY
        base = torch.nn.functional.pad(floors.sum(dim=1), (LOBE_BINS, LOBE_BINS + 2)) + ground
        at = partials.bins + partials.frame.unsqueeze(1) * self._padded
        norm = partials.weights.sum(dim=1).clamp(min=1e-6)
        fitted = torch.exp(level)
        for _ in range(comb.ITERATIONS):
            model = _add(base.reshape(-1), at, fitted.unsqueeze(1) * partials.weights)
            share = (partials.weights * (observed / model)[at]).sum(dim=1) / norm
            fitted = (fitted * share).clamp(min=comb.TINY)
        log_fitted = torch.log(fitted)
        blended = torch.exp(log_fitted + trust * (level - log_fitted))
        rows = partials.bins + (partials.frame * voices + partials.voice).unsqueeze(1) * self._padded
        sources = torch.nn.functional.pad(floors, (LOBE_BINS, LOBE_BINS + 2)).reshape(-1)
        sources = _add(sources, rows, blended.unsqueeze(1) * partials.weights)
        source = sources.view(frames, voices, self._padded)[..., LOBE_BINS : LOBE_BINS + self.bins]
        everybody = FLOOR_POWER + source.sum(dim=1)
        excess = (power - comb.UNEXPLAINED * everybody).clamp(min=0.0)
        return source / (everybody + excess).unsqueeze(1)


def _add(onto: Tensor, at: Tensor, values: Tensor) -> Tensor:
    """A copy of `onto` [n] with values added at places, both [L, W]."""
    return onto.index_add(0, at.reshape(-1), values.reshape(-1))

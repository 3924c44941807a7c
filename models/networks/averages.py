"""Exponential averages over fixed times: the same memory at every hop length."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

HOP_S = (256 / 96000, 512 / 96000, 1024 / 96000, 2048 / 96000)  # of the presets, at 48 kHz


def decays(times_s: Sequence[float]) -> Tensor:
    """What a hop leaves of averages over these times: float32 [presets, times]."""
    return torch.exp(-torch.tensor(HOP_S)[:, None] / torch.tensor(times_s))


class Spans(NamedTuple):
    """How much every hop counts in the averages after every hop.

    Attributes:
        weights: [batch, kinds, time, time], of the hops so far.
        faded: [batch, kinds, time, 1], of the averages before the first hop.
    """

    weights: Tensor
    faded: Tensor


def spans(decay: Tensor, time: int) -> Spans:
    """Of averages that keep `decay` [batch, kinds] of themselves in a hop, over so many hops."""
    hop = torch.arange(time, device=decay.device)
    apart = (hop[:, None] - hop[None, :]).clamp(min=0)
    d = decay[:, :, None, None]
    return Spans(torch.tril((1.0 - d) * d**apart), d ** (hop[:, None] + 1))


def averages(x: Tensor, over: Spans, start: Tensor) -> Tensor:
    """Averages after every hop, all hops at once: `now + decay * (before - now)`, hop by hop.

    Args:
        x: [batch, kinds, time, values].
        over: of that time.
        start: [batch, kinds, values], the averages before the first hop.

    Shape:
        returns [batch, kinds, time, values].
    """
    return over.weights @ x + over.faded * start[:, :, None]

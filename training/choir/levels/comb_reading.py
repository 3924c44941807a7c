"""Inputs of the source-filter network, hop by hop, from the kernels that compute them on stage."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtsep.kernels.filterbank import LogFilterbank
from rtsep.models.choir.source_filter_input import MIXTURE_BANDS, guided_comb, mixture_bands
from rtsep.models.framing import Framing


class NetworkInputs(NamedTuple):
    """Inputs of `SourceFilterNet.sequence` in its own order, time first (a batch in front of it): bands [T,
    85], partials [T, V, 80, 3], envelope [T, V, 36], f0_hz [T, V], hop_s [T, 1]."""

    bands: Tensor
    partials: Tensor
    envelope: Tensor
    f0_hz: Tensor
    hop_s: Tensor


@dataclass(frozen=True)
class Reading:
    """What the comb reads off one mixture.

    Attributes:
        inputs: of the network.
        before_hz: float32 [T, V], the pitch of the hop before.
    """

    inputs: NetworkInputs
    before_hz: Tensor


def read(power: NDArray[np.float32], f0_hz: NDArray[np.floating], framing: Framing) -> Reading:
    """A whole signal through a fresh comb.

    Args:
        power: float32 [T, bins], 1 = full-scale sine.
        f0_hz: [T, V], 0 = unvoiced.
        framing: of the spectra.
    """
    hops, voices = f0_hz.shape
    comb = guided_comb(voices, framing)
    pitches = np.ascontiguousarray(f0_hz, np.float32)
    state = np.full((voices, comb.BANDS), comb.UNSEEN, np.float32)
    before = np.zeros(voices, np.float32)
    partials = np.empty((hops, voices, comb.PARTIALS, 3), np.float32)
    envelope = np.empty((hops, voices, comb.BANDS), np.float32)
    before_hz = np.empty((hops, voices), np.float32)
    for t in range(hops):
        before_hz[t] = before
        comb.observe(power[t], pitches[t], state, before, partials[t])
        envelope[t] = state
    bands = np.empty((hops, MIXTURE_BANDS), np.float32)
    _bands_of(framing).apply(np.sqrt(power), bands)
    hop_s = np.full((hops, 1), framing.hop / framing.samplerate, np.float32)
    inputs = NetworkInputs(
        bands=torch.from_numpy(bands),
        partials=torch.from_numpy(partials),
        envelope=torch.from_numpy(envelope),
        f0_hz=torch.from_numpy(pitches),
        hop_s=torch.from_numpy(hop_s),
    )
    return Reading(inputs, torch.from_numpy(before_hz))


def stacked(inputs: Sequence[NetworkInputs]) -> NetworkInputs:
    """Inputs of many streams as a batch [B, T, ...]."""
    return NetworkInputs(*(torch.stack(tensors) for tensors in zip(*inputs, strict=True)))


@cache
def _bands_of(framing: Framing) -> LogFilterbank:
    """One for each preset: to compute its weights again for every stream took a sixth of a batch's time."""
    return mixture_bands(framing)

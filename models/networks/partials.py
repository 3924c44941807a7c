"""Bands at multiples of every band's frequency."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def at_partials(centres_hz: NDArray[np.float64], multiples: Sequence[float]) -> Tensor:
    """A matrix from values of bands to those at multiples of their frequencies, linear between centres.

    Args:
        centres_hz: float64 [bands], ascending.
        multiples: of a band's frequency.

    Shape:
        returns float32 [bands, multiples * bands], multiple by multiple; columns of 0 where a multiple lies
        outside the bands.

    Example:
        Values of 60, 120, 240 Hz; beside them those at half the frequency:

        >>> torch.tensor([1.0, 2.0, 3.0]) @ at_partials(np.array([60.0, 120.0, 240.0]), [0.5])
        tensor([0., 1., 2.])
    """
    bands = len(centres_hz)
    places = np.arange(bands)
    out = np.zeros((bands, len(multiples), bands), np.float32)
    for k, multiple in enumerate(multiples):
        at = np.interp(multiple * centres_hz, centres_hz, places, left=-1.0, right=-1.0)
        inside = places[at >= 0.0]
        lower = np.minimum(at[inside].astype(int), bands - 2)
        share = at[inside] - lower
        out[lower, k, inside] = 1.0 - share
        out[lower + 1, k, inside] += share
    return torch.from_numpy(out.reshape(bands, -1))

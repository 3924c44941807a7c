"""NumPy reference of kernels/src/filterbank.cpp."""

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels.filterbank import SparseBands, dense_weights

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]


class Filterbank:
    """Sparse band weights: band b is spectrum[first_bin[b] : ...] times weights[offset[b] : offset[b + 1]].

    Args:
        first_bin: int32 [bands].
        offset: int32 [bands + 1], from 0 to the number of weights.
        weights: float32 [offset[-1]].
        bins: length of a spectrum.
        floor: added before the logarithm.
    """

    def __init__(self, first_bin: I32, offset: I32, weights: F32, bins: int, floor: float) -> None:
        self.floor = floor
        self.dense = dense_weights(SparseBands(first_bin, offset, weights), bins)

    def apply(self, spectrum: F32, out: F32) -> None:
        """out [channels, bands] = log(bands of spectrum [channels, bins] + floor); NaN, Inf, negative bins
        are 0."""
        clean = np.where(np.isfinite(spectrum) & (spectrum > 0), spectrum, np.float32(0))
        out[...] = np.log(np.minimum(clean.astype(np.float64) @ self.dense.T, 3e38) + self.floor)

"""NumPy reference of kernels/src/soft_masks.cpp."""

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

SILENCE = 1e-30
"""Magnitudes below are taken as 0."""


def soft_masks(sources: F32, floor: F32, exponent: float, masks: F32) -> None:
    """masks [V, bins] = sources^p / (sum over voices of sources^p + floor^p): every source's share of every
    bin.

    Args:
        sources: [V, bins], magnitudes.
        floor: [bins], what belongs to no source (noise, residual).
        exponent: p, 0.1 to 16; 1 is the magnitude ratio, 2 the Wiener mask.
        masks: [V, bins], written; columns sum to at most 1, and to 0 where everything is silent. NaN, Inf and
            negative inputs are 0.
    """
    low, x = (np.where(np.isfinite(a) & (a >= SILENCE), a, 0.0).astype(np.float64) for a in (floor, sources))
    largest = np.maximum(low, x.max(axis=0, initial=0.0))
    safe = np.where(largest > 0, largest, 1.0)
    power = (x / safe) ** exponent
    total = power.sum(axis=0) + (low / safe) ** exponent
    masks[...] = power / np.where(total > 0, total, 1.0)

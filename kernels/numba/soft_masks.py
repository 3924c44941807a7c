"""Numba twin of kernels/src/soft_masks.cpp."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

F32 = NDArray[np.float32]

CHUNK = 512
"""Bins worked on at once: the sums stay in the processor's first-level cache."""
SILENCE = np.float32(1e-30)
LARGEST = np.float32(np.finfo(np.float32).max)
ZERO, ONE = np.float32(0), np.float32(1)
HALF_ULP = np.float32(2.0**-24)


@njit(nogil=True, inline="always")
def _clean(x: np.float32) -> np.float32:
    """NaN, Inf, negative and vanishing magnitudes are 0."""
    return x if SILENCE <= x <= LARGEST else ZERO


@njit(nogil=True, fastmath={"contract"})
def soft_masks(sources: F32, floor: F32, exponent: float, masks: F32) -> None:
    """masks [V, bins] = sources^p / (sum over voices of sources^p + floor^p): every source's share of every
    bin.

    Args:
        sources: [V, bins], magnitudes, float32.
        floor: [bins], what belongs to no source (noise, residual), float32.
        exponent: p, 0.1 to 16; 1 is the magnitude ratio, 2 the Wiener mask.
        masks: [V, bins], written; columns sum to at most 1, and to 0 where everything is silent. NaN, Inf and
            negative inputs are 0.

    Raises:
        ValueError: sizes disagree, or the exponent is out of range.
    """
    voices, bins = sources.shape
    if floor.shape[0] != bins or masks.shape != (voices, bins):
        raise ValueError("soft_masks: sizes of sources, floor and masks disagree")
    if not 0.1 <= exponent <= 16.0:
        raise ValueError("soft_masks: exponent is outside 0.1 to 16")
    p = np.float32(exponent)
    # Rounding of V sums, a division and V products: a column's float32 sum must never exceed 1.
    share = ONE - np.float32(2 * voices + 4) * HALF_ULP
    scale, total = np.empty(CHUNK, np.float32), np.empty(CHUNK, np.float32)
    for start in range(0, bins, CHUNK):
        count = min(CHUNK, bins - start)
        low = floor[start : start + count]
        for b in range(count):
            scale[b] = _clean(low[b])
        for v in range(voices):
            source = sources[v, start : start + count]
            for b in range(count):
                scale[b] = max(scale[b], _clean(source[b]))
        # Relative to the largest no power overflows, and at least one term of the sum is 1.
        for b in range(count):
            scale[b] = ONE / (scale[b] if scale[b] > ZERO else ONE)
            total[b] = _clean(low[b]) * scale[b]
        _raise_all(total[:count], p)
        for v in range(voices):
            source, mask = sources[v, start : start + count], masks[v, start : start + count]
            for b in range(count):
                mask[b] = _clean(source[b]) * scale[b]
            _raise_all(mask, p)
            for b in range(count):
                total[b] += mask[b]
        for b in range(count):
            total[b] = share / total[b] if total[b] > ZERO else ZERO
        for v in range(voices):
            mask = masks[v, start : start + count]
            for b in range(count):
                mask[b] *= total[b]


@njit(nogil=True)
def _raise_all(x: F32, exponent: np.float32) -> None:
    """x ** exponent in place; 1 and 2, the common ones, without a power."""
    if exponent == ONE:
        return
    if exponent == ONE + ONE:
        for b in range(x.shape[0]):
            x[b] *= x[b]
        return
    for b in range(x.shape[0]):
        x[b] = x[b] ** exponent

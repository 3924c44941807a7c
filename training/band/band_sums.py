"""Powers of a mixture and its stems, summed over bins into bands, in one pass over the spectra.

Written out in loops: array operations would carry every spectrum to memory and back a dozen times, which was
a fifth of all training time.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, fastmath=True)
def band_sums(
    spectra: NDArray[np.complex64],
    gains: NDArray[np.float32],
    lower: NDArray[np.int32],
    share: NDArray[np.float32],
    power: NDArray[np.float32],
    mixture: NDArray[np.float32],
    own: NDArray[np.float32],
    cross: NDArray[np.float32],
) -> Any:
    """Sums of one batch; all outputs are written.

    Args:
        spectra: complex64 [batch, sources, time, bins].
        gains: float32 [batch, sources, bins], applied to the spectra.
        lower, share: [bins]: a bin gives 1 - share of itself to the band `lower`, the rest to the next; the
            last bins may have `lower` at the last band, and share 0.
        power: [batch, time, bins], |sum of sources|^2.
        mixture: [batch, time, bands], the same in bands.
        own, cross: [batch, stems, time, bands]: |S|^2 and Re(S X*) of the first sources.
    """
    batch, sources, time, bins = spectra.shape
    stems, bands = own.shape[1], own.shape[3]
    scaled = np.empty((sources, bins), np.complex64)
    whole = np.empty(bins, np.complex64)
    for row in range(batch):
        for hop in range(time):
            whole[:] = 0.0
            for source in range(sources):
                for k in range(bins):
                    value = spectra[row, source, hop, k] * gains[row, source, k]
                    scaled[source, k] = value
                    whole[k] += value
            mixture[row, hop, :] = 0.0
            for k in range(bins):
                x = whole[k].real * whole[k].real + whole[k].imag * whole[k].imag
                power[row, hop, k] = x
                above = x * share[k]
                mixture[row, hop, lower[k]] += x - above
                mixture[row, hop, min(lower[k] + 1, bands - 1)] += above
            for stem in range(stems):
                own[row, stem, hop, :] = 0.0
                cross[row, stem, hop, :] = 0.0
                for k in range(bins):
                    s, x_k = scaled[stem, k], whole[k]
                    p = s.real * s.real + s.imag * s.imag
                    c = s.real * x_k.real + s.imag * x_k.imag
                    at, next_to = lower[k], min(lower[k] + 1, bands - 1)
                    own[row, stem, hop, at] += p * (1.0 - share[k])
                    own[row, stem, hop, next_to] += p * share[k]
                    cross[row, stem, hop, at] += c * (1.0 - share[k])
                    cross[row, stem, hop, next_to] += c * share[k]

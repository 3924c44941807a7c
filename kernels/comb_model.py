"""Numbers of the combs (kernels/src/comb_model.hpp), shared by the NumPy reference and the tensors."""

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

BANDS_PER_OCTAVE = 4
"""A minor third: finer than a formant, coarser than partials of a high voice."""
LOWEST_BAND_HZ = 60.0
"""Below the lowest F0 tracked."""
BANDS = 36
"""Nine octaves up from there: past Nyquist at 48 kHz."""
BAND_SPREAD = 0.7
"""Bands over which one partial informs the envelope (standard deviation)."""
MAX_PARTIALS, HIGHEST_PARTIAL_HZ = 80, 12e3
"""Above them the inter-harmonic floor takes over."""
ITERATIONS = 2
"""One leaves 0.4 dB of SI-SDR on real quartets, three gain nothing."""
WIDEN, MAX_WIDEN = 0.4, 2.0
"""Lobe widening per bin of partial movement since the last hop, and the most of it."""
PRIOR_SHARE = 0.8
"""Of the envelope against the fitted level, in log power."""
INTERHARMONIC_FLOOR = 1e-3
"""-30 dB: breath and consonants of a voice between its partials."""
UNEXPLAINED = 30.0
"""15 dB over all voices: at 10 dB vibrato already fell into the residual."""
FLOOR_SHARE = 1e-3
"""Of the mean bin power, added to the model so that ratios stay bounded."""
TINY, LOUDEST = 1e-14, 1e30
"""Power of one bin, at least and at most."""
UNSEEN = -100.0
"""Log power of a band that never held a partial."""
LOWEST_F0_HZ = 20.0
"""Below hearing: unvoiced."""
HALF = 0.5
"""Of the power at hand, where a band held no partial before: as likely its own as another voice's."""
LEAST_WEIGHT = 1e-6
"""A band with less than this to learn from keeps what it has."""
QUIETEST, LOUDEST_LOG = -32.0, 69.0
"""Log power: about that of `TINY` and of `LOUDEST`; what is predicted lies between these two."""


def band_of(hz: NDArray[np.floating]) -> tuple[NDArray[np.intp], F64]:
    """Lower band and how far to the next one, for frequencies in Hz."""
    x = BANDS_PER_OCTAVE * np.log2(np.maximum(hz, LOWEST_BAND_HZ) / LOWEST_BAND_HZ)
    index = np.minimum(x.astype(int), BANDS - 2)
    return index, np.minimum(x - index, 1.0)

"""NumPy reference of kernels/src/band_gains.cpp."""

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]


class BandGains:
    """Gains per band, interpolated linearly to bins: bin i lies between bands lower[i] and lower[i] + 1.

    Args:
        lower: int32 [bins], 0 to bands - 2.
        share: float32 [bins], 0 to 1; how much of the upper band a bin takes.
        bands: number of gains.
    """

    def __init__(self, lower: I32, share: F32, bands: int) -> None:
        self.lower, self.share, self.bands = lower.copy(), share.copy(), bands

    def render(self, gains: F32, masks: F32) -> None:
        """masks [S, bins] from gains [S, bands]; gains below 0 and NaN count as 0, above 1 as 1."""
        clean = np.clip(np.nan_to_num(gains, nan=0.0, posinf=1.0, neginf=0.0).astype(np.float64), 0.0, 1.0)
        low, high = clean[:, self.lower], clean[:, self.lower + 1]
        masks[...] = low + self.share * (high - low)

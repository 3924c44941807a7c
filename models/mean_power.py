"""Power of a spectrum, averaged over channels: what every family looks at."""

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels.windows import amplitude_scale, analysis_window
from rtsep.models.framing import Framing


class MeanPower:
    """Mean power over channels: unlike the power of a downmix it cannot cancel.

    Args:
        framing: the spectrum's layout.

    Attributes:
        power: float32 [bins], written by `read`; 1 is a full-scale sine, at every rate and preset.
    """

    def __init__(self, framing: Framing) -> None:
        self.power = np.zeros(framing.bins, np.float32)
        self._square = np.zeros(framing.bins, np.float32)
        window = analysis_window(framing.window_samples, framing.half_overlap)
        self._scale = np.float32(amplitude_scale(window) ** 2)

    def read(self, spectrum: NDArray[np.complex64]) -> None:
        """Takes spectrum complex64 [channels, bins] of a windowed frame, unscaled."""
        self.power[...] = 0
        for channel in spectrum:
            for part in (channel.real, channel.imag):
                np.multiply(part, part, out=self._square)
                self.power += self._square
        self.power *= self._scale / np.float32(spectrum.shape[0])

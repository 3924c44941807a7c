"""What a tracker looks at, from hops of audio, where it is not the frame that is masked."""

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.kernels.windows import analysis_window
from rtsep.models.framing import Framing
from rtsep.models.mean_power import MeanPower

F32 = NDArray[np.float32]


class HopAmplitude:
    """Takes hops, and gives the amplitude of the frame that ends with the last one.

    Args:
        framing: the spectrum's layout.
        channels: of the audio, which are heard by their mean power.

    Attributes:
        history: float32 [channels, N], the input that the frame holds.
    """

    def __init__(self, framing: Framing, channels: int) -> None:
        n = framing.window_samples
        self.history = np.zeros((channels, n), np.float32)
        self._window = analysis_window(n, framing.half_overlap)
        self._frame = np.zeros((channels, n), np.float32)
        self._spectrum = np.zeros((channels, framing.bins), np.complex64)
        self._mean_power = MeanPower(framing)
        self._amplitude = np.zeros(framing.bins, np.float32)

    def take(self, hop: F32) -> int:
        """The next hop float32 [H, channels]; how many of its samples were no sound, and set to zero."""
        return _core.push_frame(self.history, hop, self._window, self._frame)

    def read(self) -> F32:
        """Amplitude float32 [bins] of the frame, 1 = a full-scale sine; valid until the next `read`."""
        np.fft.rfft(self._frame, out=self._spectrum)  # type: ignore[arg-type]  # stubs know float64 only
        self._mean_power.read(self._spectrum)
        np.sqrt(self._mean_power.power, out=self._amplitude)
        return self._amplitude

    def reset(self) -> None:
        """As before any input."""
        self.history[...] = 0

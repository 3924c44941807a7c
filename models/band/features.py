"""What a band model's networks see and give: one grid of bands in Hz, the same at every sample rate.

Half of the bands are as wide as a bin of the stage's spectrum, where the bass and the lowest partials lie
close together; the other half widen with frequency. Ideal masks on these 128 bands lose 0 (bass) to 1 dB
(vocals) of what ideal masks on bins reach; 64 bands lose up to 2.6 dB.
"""

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.kernels.filterbank import Filterbank, band_interpolation
from rtsep.models.framing import Framing
from rtsep.models.mean_power import MeanPower

F32 = NDArray[np.float32]

LINEAR_BANDS = 64
# Between the bins of 44.1 kHz (14.4 Hz) and of 48 and 16 kHz (15.6 Hz): neither rate is the one whose bands
# are sharper than at the other.
LINEAR_STEP_HZ = 15.0
LOG_BANDS = 64
TOP_HZ = (
    16000.0  # above it lies little that tells one stem from another; bins there take the last band's gain
)
BANDS = LINEAR_BANDS + LOG_BANDS
# Power of -100 dB of a full-scale sine: the noise of a good microphone. Also what bands above Nyquist hold.
FLOOR_POWER = 1e-10
# The inputs of the encoder and the output of a decoder, by the names in their ONNX files.
BANDS_INPUT, PRESET_INPUT, GAIN_OUTPUT = "bands", "preset", "gain"


def band_centres_hz() -> NDArray[np.float64]:
    """Centres of the bands in Hz, ascending: 15, 30 ... 960, then logarithmic to 16000.

    Shape:
        returns float64 [BANDS].
    """
    linear = LINEAR_STEP_HZ * np.arange(1, LINEAR_BANDS + 1)
    octaves = np.log2(TOP_HZ / linear[-1])
    logarithmic = linear[-1] * 2.0 ** (octaves * np.arange(1, LOG_BANDS + 1) / LOG_BANDS)
    return np.concatenate((linear, logarithmic))


class BandFeatures:
    """Log power of the mixture per band.

    Args:
        framing: the spectrum's layout.
    """

    def __init__(self, framing: Framing) -> None:
        self._mean_power = MeanPower(framing)
        self._bank = Filterbank(
            band_centres_hz(), framing.samplerate, framing.window_samples, floor=FLOOR_POWER
        )

    def read(self, spectrum: NDArray[np.complex64], bands: F32) -> None:
        """bands = log(power per band of the mean power over channels + FLOOR_POWER).

        Args:
            spectrum: complex64 [channels, bins], unscaled spectrum of the windowed frame.
            bands: float32 [1, BANDS], written; natural logarithms, -23.0 for silence.
        """
        self._mean_power.read(spectrum)
        self._bank.apply(self._mean_power.power[None], bands)


class BandMasks:
    """Gains per band -> masks per bin, linear in frequency between centres.

    Args:
        framing: the spectrum's layout.
    """

    def __init__(self, framing: Framing) -> None:
        lower, share = band_interpolation(band_centres_hz(), framing.samplerate, framing.window_samples)
        self._kernel = _core.BandGains(lower, share, BANDS)

    def render(self, gains: F32, masks: F32) -> None:
        """masks = gains at every bin; NaN and gains outside 0..1 are brought into it.

        Args:
            gains: float32 [stems, BANDS].
            masks: float32 [stems, bins], written, 0..1.
        """
        self._kernel.render(gains, masks)

"""Frame sizes a model is built for."""

import math
from dataclasses import dataclass

from rtsep.kernels.windows import energy_centre_samples

# A mask must fit the partials of the spectrum, whose energy lies in the long rise of the analysis window, and
# is applied to the sound in the synthesis window at its end. The best time for F0 lies between the two, at
# this share of the distance from the middle of the synthesis window to the centre of energy: with true F0 on
# a real quartet SI-SDR gains 0.5, 0.4, 0.2 and 0 dB over the middle of the synthesis window at 5, 11, 21 and
# 43 ms.
PITCH_DELAY_SHARE = 0.45
# Latencies that a network may be told apart by, in the order of its one-hot input `preset`.
PRESETS_MS = (5.33, 10.67, 21.33, 42.67)


@dataclass(frozen=True)
class Framing:
    """One STFT layout, all lengths in samples.

    Attributes:
        samplerate: Hz.
        window_samples: N, analysis window; the spectrum has N // 2 + 1 bins.
        half_overlap: M, the synthesis window is 2M.
        hop: H.
    """

    samplerate: int
    window_samples: int
    half_overlap: int
    hop: int

    @property
    def bins(self) -> int:
        """Bins of a spectrum frame, DC and Nyquist included."""
        return self.window_samples // 2 + 1

    @property
    def bin_hz(self) -> float:
        """Distance of bins."""
        return self.samplerate / self.window_samples

    @property
    def pitch_delay_s(self) -> float:
        """Pitch delay: how long before the end of a frame the time of its F0 lies, see
        `PITCH_DELAY_SHARE`."""
        centre = energy_centre_samples(self.window_samples, self.half_overlap)
        return (self.half_overlap + PITCH_DELAY_SHARE * (centre - self.half_overlap)) / self.samplerate

    @property
    def latency_ms(self) -> float:
        """Algorithmic latency, 2M."""
        return 2000.0 * self.half_overlap / self.samplerate

    @property
    def preset(self) -> int:
        """Index of the nearest of `PRESETS_MS`: rates between the usual ones round their frames."""
        return min(range(len(PRESETS_MS)), key=lambda i: abs(math.log(self.latency_ms / PRESETS_MS[i])))

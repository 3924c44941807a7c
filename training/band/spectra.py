"""The stage's spectrum and bands in torch, and what a mask's error needs to know of a stem, band by band.

The error of a mask that is linear in frequency between bands, sum |S - M X|^2, is at most the sum over bands
of |S|^2 - 2 M C + M^2 P with P = |X|^2, C = Re(S X*) and |S|^2 shared out over the two nearest bands: no
inverse transform is needed to learn.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rtsep.kernels.filterbank import band_interpolation, hat_weights
from rtsep.kernels.windows import amplitude_scale, analysis_window
from rtsep.models.band.features import BANDS, FLOOR_POWER, band_centres_hz
from rtsep.models.framing import Framing
from rtsep.training.band.band_sums import band_sums


class BandPowers(NamedTuple):
    """A batch, seen in bands.

    Attributes:
        bands: float32 [batch, time, BANDS], what the encoder is given.
        mixture: float32 [batch, 1, time, BANDS], P.
        stems: float32 [batch, stems, time, BANDS], |S|^2.
        cross: float32 [batch, stems, time, BANDS], C.
    """

    bands: Tensor
    mixture: Tensor
    stems: Tensor
    cross: Tensor


class BandSpectra:
    """From samples to `BandPowers` at one preset.

    Args:
        framing: the spectrum's layout.
    """

    def __init__(self, framing: Framing) -> None:
        self.framing = framing
        window = analysis_window(framing.window_samples, framing.half_overlap)
        self._window = torch.from_numpy(window * amplitude_scale(window))
        centres_hz = band_centres_hz()
        dense = hat_weights(centres_hz, framing.samplerate, framing.window_samples)
        dense[centres_hz > framing.samplerate / 2] = 0.0
        totals = dense.sum(axis=1, keepdims=True)
        means = np.divide(dense, totals, out=np.zeros_like(dense), where=totals > 0)
        lower, share = band_interpolation(centres_hz, framing.samplerate, framing.window_samples)
        self._lower, self._share = lower.astype(np.int32), share.astype(np.float32)
        self._means = torch.from_numpy(means.T.astype(np.float32))

    def samples(self, hops: int) -> int:
        """Length of what `read` needs for a number of hops."""
        return self.framing.window_samples + (hops - 1) * self.framing.hop

    def read(self, sources: Tensor, gains: Tensor, stems: int) -> BandPowers:
        """Bands of the sum of all sources, and of the first `stems` of them in it.

        Args:
            sources: float32 [batch, sources, samples].
            gains: float32 [batch, sources, bins], equalisers.
            stems: how many are to be told apart.
        """
        batch = sources.shape[0]
        frames = sources.unfold(2, self.framing.window_samples, self.framing.hop)
        spectra = torch.fft.rfft(frames * self._window)
        time = spectra.shape[2]
        power = np.empty((batch, time, self.framing.bins), np.float32)
        mixture = np.empty((batch, time, BANDS), np.float32)
        own, cross = (np.empty((batch, stems, time, BANDS), np.float32) for _ in range(2))
        band_sums(spectra.numpy(), gains.numpy(), self._lower, self._share, power, mixture, own, cross)
        bands = torch.log(torch.from_numpy(power) @ self._means + FLOOR_POWER)
        return BandPowers(
            bands, torch.from_numpy(mixture)[:, None], torch.from_numpy(own), torch.from_numpy(cross)
        )

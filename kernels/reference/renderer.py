"""NumPy reference of kernels/src/renderer.cpp."""

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels.reference.lpc import AllPoleEnvelope

F32 = NDArray[np.float32]

LOWEST_F0_HZ = 20.0
"""Below hearing: taken as unvoiced, which also bounds the number of partials."""


class SourceFilterRenderer:
    """Magnitudes of V voices on STFT bins, in the unit of an STFT with the lobe's window:

    |S(f)| = (a / K sum_k lobe(f - k F0) rolloff(k F0) + g noise(f)) / |A(f)|, K the number of partials below
    Nyquist (Schulze-Forster et al., arXiv 2201.09592, drawn on the bins). Magnitudes of neighbouring lobes
    add, as masks need them; nothing is drawn beyond the reach of the lobe table.

    Args:
        bins: n_fft // 2 + 1.
        samplerate: Hz.
        order: of the all-pole filter, even.
        noise_bands: B, magnitudes interpolated linearly over 0..Nyquist.
        lobe, lobe_left, noise_level: the three fields of `kernels.lobe.window_lobe`.
        rolloff_start_hz: flat below, falling above.
        rolloff_db_per_octave: positive.
    """

    def __init__(
        self,
        bins: int,
        samplerate: float,
        order: int,
        noise_bands: int,
        lobe: F32,
        lobe_left: int,
        noise_level: float,
        rolloff_start_hz: float = 200.0,
        rolloff_db_per_octave: float = 6.0,
    ) -> None:
        self.bins, self.nyquist, self.noise_bands = bins, samplerate / 2, noise_bands
        self.lobe, self.left, self.noise_level = lobe, lobe_left, noise_level
        self.rolloff_start_hz, self.rolloff_db_per_octave = rolloff_start_hz, rolloff_db_per_octave
        self.envelope = AllPoleEnvelope(order, bins)

    def render(
        self, f0_hz: F32, amplitude: F32, lsf: F32, noise_gain: F32, noise_bands: F32, out: F32
    ) -> None:
        """Writes out [V, bins].

        Args:
            f0_hz: [V]; below 20 Hz, above Nyquist or not finite: no harmonic part.
            amplitude: [V], of the whole harmonic source.
            lsf: [V, order], rad.
            noise_gain: [V], on white noise uniform in [-1, 1).
            noise_bands: [V, B], magnitudes.
            out: [V, bins]. Gains and magnitudes that are negative or not finite are 0.
        """
        self.envelope.apply(lsf, out)
        at = np.linspace(0.0, self.noise_bands - 1.0, self.bins)
        for v in range(f0_hz.size):
            source = np.zeros(self.bins)
            f0, a, g = float(f0_hz[v]), float(amplitude[v]), float(noise_gain[v])
            if LOWEST_F0_HZ <= f0 < self.nyquist and 0 < a < np.inf:
                self._add_harmonics(f0, a, source)
            if 0 < g < np.inf:
                bands = np.where(np.isfinite(noise_bands[v]) & (noise_bands[v] > 0), noise_bands[v], 0.0)
                source += g * self.noise_level * np.interp(at, np.arange(self.noise_bands), bands)
            out[v] *= source

    def _add_harmonics(self, f0: float, amplitude: float, source: NDArray[np.float64]) -> None:
        count = int(np.ceil(self.nyquist / f0)) - 1
        k = np.arange(1, count + 1)
        octaves = np.maximum(0.0, np.log2(k * f0 / self.rolloff_start_hz))
        weight = amplitude / count * 10.0 ** (-self.rolloff_db_per_octave / 20.0 * octaves)
        phases = self.lobe.shape[0] - 1
        place, base = np.modf(k * f0 / self.nyquist * (self.bins - 1))
        phase = (place * phases).astype(int)
        blend = (place * phases - phase)[:, None]
        shape = (1.0 - blend) * self.lobe[phase] + blend * self.lobe[phase + 1]
        where = base.astype(int)[:, None] + np.arange(self.lobe.shape[1]) - self.left
        inside = (where >= 0) & (where < self.bins)
        np.add.at(source, where[inside], (weight[:, None] * shape)[inside])

"""Log-frequency features on a grid fixed in Hz: the same shape and meaning at every sample rate.

A network trained at 16 kHz meets the same bands at 48 kHz; bands above the lower Nyquist frequency hold the
floor.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels import _core

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]


class SparseBands(NamedTuple):
    """Band b weighs bins first_bin[b] ... with weights[offset[b] : offset[b + 1]]."""

    first_bin: I32
    offset: I32
    weights: F32


def log_centres_hz(f_min_hz: float, f_max_hz: float, bands_per_octave: int) -> F64:
    """Band centres f_min * 2^(b / bands_per_octave), up to f_max.

    Shape:
        returns float64 [bands], ascending.
    """
    if not 0 < f_min_hz < f_max_hz:
        raise ValueError(f"f_min_hz {f_min_hz} and f_max_hz {f_max_hz}: expected 0 < f_min_hz < f_max_hz")
    if bands_per_octave < 1:
        raise ValueError(f"bands_per_octave is {bands_per_octave}, expected at least 1")
    # A hair of slack, so that a whole number of octaves includes its last centre whatever log2 rounds to.
    count = int(np.floor(np.log2(f_max_hz / f_min_hz) * bands_per_octave + 1e-9)) + 1
    return np.asarray(f_min_hz * 2.0 ** (np.arange(count) / bands_per_octave), dtype=np.float64)


def hat_weights(centres_hz: F64, samplerate: float, n_fft: int) -> F64:
    """Triangles from centre to centre, never narrower than one bin to each side.

    Where bands are wider than bins the triangles sum to one over the bands at every bin between the outer
    centres; where bins are wider the two nearest bins are interpolated linearly.

    Args:
        centres_hz: float64 [bands], ascending.
        samplerate: Hz.
        n_fft: FFT length; bins are n_fft // 2 + 1.

    Shape:
        returns float64 [bands, bins], before normalisation.
    """
    bin_hz = samplerate / n_fft
    f = np.arange(n_fft // 2 + 1) * bin_hz
    ratios = centres_hz[1:] / centres_hz[:-1] if centres_hz.size > 1 else np.array([2.0])
    edges = np.concatenate(([centres_hz[0] / ratios[0]], centres_hz, [centres_hz[-1] * ratios[-1]]))
    below = np.maximum(np.diff(edges)[:-1], bin_hz)[:, None]
    above = np.maximum(np.diff(edges)[1:], bin_hz)[:, None]
    distance = f[None, :] - centres_hz[:, None]
    return np.asarray(np.maximum(0.0, 1.0 - np.where(distance < 0, -distance / below, distance / above)))


def band_weights(centres_hz: F64, samplerate: float, n_fft: int) -> SparseBands:
    """`hat_weights` with every band's weights scaled to sum to one: a flat spectrum gives flat features.

    Bands centred above Nyquist are empty.
    """
    dense = hat_weights(centres_hz, samplerate, n_fft)
    dense[centres_hz > samplerate / 2] = 0.0
    first_bin = np.zeros(centres_hz.size, np.int32)
    offset = np.zeros(centres_hz.size + 1, np.int32)
    weights: list[F64] = []
    for band, row in enumerate(dense):
        used = np.flatnonzero(row)
        if used.size:
            first_bin[band] = used[0]
            weights.append(row[used[0] : used[-1] + 1] / row.sum())
        offset[band + 1] = offset[band] + (used[-1] + 1 - used[0] if used.size else 0)
    flat = np.concatenate(weights) if weights else np.zeros(0)
    return SparseBands(first_bin, offset, flat.astype(np.float32))


def dense_weights(bands: SparseBands, bins: int) -> F64:
    """The weights of `band_weights` as a matrix [bands, bins]."""
    dense = np.zeros((bands.first_bin.size, bins))
    for band, first in enumerate(bands.first_bin):
        row = bands.weights[bands.offset[band] : bands.offset[band + 1]]
        dense[band, first : first + row.size] = row
    return dense


def band_interpolation(centres_hz: F64, samplerate: float, n_fft: int) -> tuple[I32, F32]:
    """Where each bin lies between two band centres: the layout of `_core.BandGains`.

    Bins below the first centre take the first band, bins above the last centre the last band.

    Args:
        centres_hz: float64 [bands], ascending, at least two.
        samplerate: Hz.
        n_fft: FFT length; bins are n_fft // 2 + 1.

    Shape:
        returns int32 [bins], the lower band; float32 [bins], 0..1, the share of the band above it.
    """
    f = np.arange(n_fft // 2 + 1) * (samplerate / n_fft)
    lower = np.clip(np.searchsorted(centres_hz, f, side="right") - 1, 0, centres_hz.size - 2)
    share = (f - centres_hz[lower]) / (centres_hz[lower + 1] - centres_hz[lower])
    return lower.astype(np.int32), np.clip(share, 0.0, 1.0).astype(np.float32)


class Filterbank:
    """Band averages of a magnitude or power spectrum and their natural logarithm, on any ascending centres.

    Args:
        centres_hz: float64 [bands], ascending; may lie above Nyquist, where bands hold the floor.
        samplerate: Hz.
        n_fft: FFT length.
        floor: added before the logarithm, in the unit of the spectrum; sets the value of silence, log(floor).
    """

    def __init__(self, centres_hz: F64, samplerate: float, n_fft: int, *, floor: float) -> None:
        self.centres_hz = centres_hz
        self.floor = floor
        self._kernel = _core.Filterbank(
            *band_weights(self.centres_hz, samplerate, n_fft), n_fft // 2 + 1, floor
        )

    def apply(self, spectrum: F32, out: F32) -> None:
        """out = log(bands of `spectrum` + floor); NaN, Inf and negative bins count as 0.

        Args:
            spectrum: float32 [channels, bins], magnitude or power.
            out: float32 [channels, bands], written.

        Raises:
            ValueError: a shape differs; names both.
        """
        self._kernel.apply(spectrum, out)


class LogFilterbank(Filterbank):
    """A `Filterbank` on logarithmic centres.

    Args:
        samplerate: Hz.
        n_fft: FFT length.
        f_min_hz: centre of the first band.
        f_max_hz: upper bound of the last centre; may lie above Nyquist.
        bands_per_octave: resolution; 12 is semitones.
        floor: added before the logarithm, in the unit of the spectrum; sets the value of silence, log(floor).
    """

    def __init__(
        self,
        samplerate: float,
        n_fft: int,
        *,
        f_min_hz: float = 55.0,
        f_max_hz: float = 14080.0,
        bands_per_octave: int = 24,
        floor: float = 1e-5,
    ) -> None:
        centres_hz = log_centres_hz(f_min_hz, f_max_hz, bands_per_octave)
        super().__init__(centres_hz, samplerate, n_fft, floor=floor)

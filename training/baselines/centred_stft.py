"""The STFT of offline separators: Hann, frames centred and so half a window ahead, edges reflected.

Published separators mask with 2048/256 at 16 kHz (Schulze-Forster et al. 2022, section III-C).
"""

import numpy as np
from numpy.typing import NDArray

from rtsep.training.measures.protocol import Audio

WINDOW_SAMPLES = 2048
HOP = 256
BINS = WINDOW_SAMPLES // 2 + 1

Spectra = NDArray[np.complex128]


def _hann(length: int) -> NDArray[np.float64]:
    return 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / length)


def centred_stft(signals: Audio, window_samples: int = WINDOW_SAMPLES, hop: int = HOP) -> Spectra:
    """Frame n is centred on sample n * hop.

    Shape:
        signals: float32 [..., samples], more samples than half a window.
        returns complex128 [..., 1 + samples // hop, window_samples // 2 + 1].
    """
    half = window_samples // 2
    widths = [(0, 0)] * (signals.ndim - 1) + [(half, half)]
    padded = np.pad(signals.astype(np.float64), widths, mode="reflect")
    frames = 1 + signals.shape[-1] // hop
    cut = np.lib.stride_tricks.sliding_window_view(padded, window_samples, axis=-1)
    return np.asarray(np.fft.rfft(cut[..., : frames * hop : hop, :] * _hann(window_samples)))


def centred_istft(
    spectra: Spectra, samples: int, window_samples: int = WINDOW_SAMPLES, hop: int = HOP
) -> Audio:
    """The signals whose spectra come closest to these in the least squares.

    Shape:
        spectra: complex128 [voices, frames, bins] of signals of `samples` samples.
        returns float32 [voices, samples].
    """
    window, half = _hann(window_samples), window_samples // 2
    cut = np.fft.irfft(spectra, n=window_samples) * window
    frames = spectra.shape[1]
    summed = np.zeros((len(spectra), samples + window_samples))
    weight = np.zeros(samples + window_samples)
    for frame in range(frames):
        span = slice(frame * hop, frame * hop + window_samples)
        summed[:, span] += cut[:, frame]
        weight[span] += window * window
    inner = slice(half, half + samples)
    return (summed[:, inner] / weight[inner]).astype(np.float32)

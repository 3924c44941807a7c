"""The STFT on which the published separators mask: 2048/256 Hann at 16 kHz, frames centred and so 128 ms
ahead, edges reflected (Schulze-Forster et al. 2022, section III-C)."""

import numpy as np
from numpy.typing import NDArray

from rtsep.training.protocol import Audio

WINDOW_SAMPLES = 2048
HOP = 256
BINS = WINDOW_SAMPLES // 2 + 1

Spectra = NDArray[np.complex128]


def _window() -> NDArray[np.float64]:
    return 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(WINDOW_SAMPLES) / WINDOW_SAMPLES)


def centred_stft(signals: Audio) -> Spectra:
    """Frame n is centred on sample 256 n.

    Shape:
        signals: float32 [..., samples], at least 1025 samples.
        returns complex128 [..., 1 + samples // 256, 1025].
    """
    half = WINDOW_SAMPLES // 2
    widths = [(0, 0)] * (signals.ndim - 1) + [(half, half)]
    padded = np.pad(signals.astype(np.float64), widths, mode="reflect")
    frames = 1 + signals.shape[-1] // HOP
    cut = np.lib.stride_tricks.sliding_window_view(padded, WINDOW_SAMPLES, axis=-1)
    return np.asarray(np.fft.rfft(cut[..., : frames * HOP : HOP, :] * _window()))


def centred_istft(spectra: Spectra, samples: int) -> Audio:
    """The signals whose spectra come closest to these in the least squares.

    Shape:
        spectra: complex128 [voices, frames, 1025] of signals of `samples` samples.
        returns float32 [voices, samples].
    """
    window, half = _window(), WINDOW_SAMPLES // 2
    cut = np.fft.irfft(spectra, n=WINDOW_SAMPLES) * window
    frames = spectra.shape[1]
    summed = np.zeros((len(spectra), samples + WINDOW_SAMPLES))
    weight = np.zeros(samples + WINDOW_SAMPLES)
    for frame in range(frames):
        span = slice(frame * HOP, frame * HOP + WINDOW_SAMPLES)
        summed[:, span] += cut[:, frame]
        weight[span] += window * window
    inner = slice(half, half + samples)
    return (summed[:, inner] / weight[inner]).astype(np.float32)

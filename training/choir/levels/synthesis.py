"""Differentiable synthesis of voices in the time domain, from a source-filter network's parameters.

The signal model of Schulze-Forster et al. (arXiv 2201.09592): harmonics that fall by 6 dB per octave from 200
Hz on, noise shaped by 40 bands, and in every frame an all-pole filter from a zero state, Hann-weighted and
overlap-added. Controls lie at the frames' centres. Differentiable in all parameters but F0, which is given;
so the harmonics come from the stage's oscillators.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtsep.kernels import _core
from rtsep.models.networks import source_filter_physics as physics
from rtsep.training.measures.protocol import SAMPLERATE

FFT = 2048  # holds a frame and what its filter rings on
LOWEST_F0_HZ = 60.0  # of what is sung: bounds the number of oscillators


def harmonics(f0_hz: NDArray[np.floating], hop: int) -> NDArray[np.float32]:
    """Harmonics at amplitude 1, shared equally by all partials below 8 kHz, for F0 [V, T] at samples 0, hop,
    2 hop, ...

    Silent where unvoiced. Returns float32 [V, (T - 1) hop].
    """
    voices, hops = f0_hz.shape
    count = int(SAMPLERATE / 2 / LOWEST_F0_HZ)
    number = np.arange(1, count + 1)
    bank = _core.HarmonicOscillator(voices, count, SAMPLERATE)
    out = np.zeros((voices, hops, hop), np.float32)
    f0 = np.ascontiguousarray(f0_hz.T, np.float32)
    block = np.empty((voices, hop), np.float32)
    for t in range(hops):  # a call ramps from the last call's values to its own
        partials_hz = number * np.maximum(f0[t, :, None], LOWEST_F0_HZ)
        below = partials_hz < SAMPLERATE / 2
        weight = (
            np.minimum(1.0, physics.ROLLOFF_START_HZ / partials_hz) * below / below.sum(axis=1, keepdims=True)
        )
        bank.render(f0[t], (weight * (f0[t, :, None] > 0)).astype(np.float32), block)
        out[:, t] = block
    return out[:, 1:].reshape(voices, -1)


def all_pole_response(lsf: Tensor) -> Tensor:
    """A on the bins of an FFT of 2048, complex64 [..., 1025], from lsf [..., 20].

    By its coefficients, in float64 as published: A = 1/2 [(1 + 1/z) P' + (1 - 1/z) Q'].
    """
    cosine = 2.0 * torch.cos(lsf.double())
    pad = torch.nn.functional.pad
    p = q = torch.ones_like(cosine[..., :1])
    for i in range(0, physics.ORDER, 2):
        odd, even = cosine[..., i : i + 1], cosine[..., i + 1 : i + 2]
        p = pad(p, (0, 2)) - odd * pad(p, (1, 1)) + pad(p, (2, 0))
        q = pad(q, (0, 2)) - even * pad(q, (1, 1)) + pad(q, (2, 0))
    lpc = 0.5 * (pad(p, (0, 1)) + pad(p, (1, 0)) + pad(q, (0, 1)) - pad(q, (1, 0)))[..., : physics.ORDER + 1]
    response: Tensor = torch.fft.rfft(lpc.float(), FFT)
    return response


def synthesise(
    excitation: Tensor, amplitude: Tensor, noise_gain: Tensor, noise_bands: Tensor, lsf: Tensor, noise: Tensor
) -> Tensor:
    """Voices [n, (J - 1) R] from controls at samples 0, R, 2 R, ..., (J - 1) R.

    Args:
        excitation: [n, (J - 1) R], see `harmonics`.
        amplitude, noise_gain: [n, J]; noise_bands: [n, J, 40]; lsf: [n, J, 20].
        noise: [n, (J - 1) R], uniform in [-1, 1).
    """
    frames = amplitude.shape[1]
    hop = excitation.shape[1] // (frames - 1)
    rise = torch.arange(hop, device=amplitude.device) / hop
    swell = torch.lerp(amplitude[:, :-1, None], amplitude[:, 1:, None], rise)
    sounded = excitation * swell.reshape(excitation.shape)

    def spectra(signal: Tensor) -> Tensor:
        framed = torch.nn.functional.pad(signal, (hop, hop)).unfold(-1, 2 * hop, hop)
        found: Tensor = torch.fft.rfft(framed, FFT)
        return found

    shape = torch.nn.functional.interpolate(
        noise_bands * noise_gain.unsqueeze(-1), size=FFT // 2 + 1, mode="linear", align_corners=True
    )
    spectrum = (spectra(sounded) + shape * spectra(noise)) / all_pole_response(lsf)
    window = torch.hann_window(2 * hop, device=amplitude.device)
    frames_of: Tensor = torch.fft.irfft(spectrum)[..., : 2 * hop] * window
    return (frames_of[:, :-1, hop:] + frames_of[:, 1:, :hop]).flatten(1)

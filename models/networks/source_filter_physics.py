"""What a voice sounds like, in the parameters of a source-filter model: from a network's raw numbers to
levels.

Source and filter of Schulze-Forster et al. (arXiv 2201.09592): harmonics
of equal weight that fall by 6 dB per octave from 200 Hz on, noise in 40 bands, both through one all-pole
filter of order 20. All of it is defined for 0..8 kHz, the band it was published for, whatever the sample
rate; above, filter and noise keep their last value.
"""

import math

import torch
from torch import Tensor

TOP_HZ = 8000.0
ORDER = 20
NOISE_BANDS = 40
ROLLOFF_START_HZ = 200.0
LOWEST_F0_HZ = 20.0  # below hearing: unvoiced, and no division by zero
LEAST_POWER = 1e-12  # added to |A|^2, 0 where two line frequencies meet: at most +120 dB
LEAST_GAIN = 1e-7
# rad, 19 Hz: half the bandwidth of the sharpest formants. Lines that crowd are a resonance without end.
LEAST_GAP = 0.015
# Log power of a bin under white noise, uniform in [-1, 1), when a full-scale sine has 0: ln((2/sum w)^2 sum
# w^2 / 3) of the stage's analysis windows, which last 64 ms at every rate (44.1 kHz, with 70 ms, has 0.4 dB
# less).
WHITE_NOISE_LOG_POWER = -6.434


def exp_sigmoid(x: Tensor, maximum: float | Tensor) -> Tensor:
    """maximum * sigmoid(x)^ln(10) + 1e-7: gains over many decades (Engel et al. 2020)."""
    return maximum * torch.exp(math.log(10.0) * torch.nn.functional.logsigmoid(x)) + LEAST_GAIN


def line_frequencies(gaps: Tensor) -> Tensor:
    """Positive numbers [..., 21] in the ratio of the gaps to line spectral frequencies [..., 20] in rad,
    ascending in 0..pi: a stable filter by construction."""
    free = (math.pi - LEAST_GAP * gaps.shape[-1]) / gaps.sum(dim=-1, keepdim=True)
    return torch.cumsum(LEAST_GAP + free * gaps, dim=-1)[..., :ORDER]


def envelope_log_power(lsf: Tensor, frequency_hz: Tensor) -> Tensor:
    """ln 1/|A|^2 at frequencies [..., n] for lsf [..., 20].

    |A|^2 = cos^2(w/2) prod_odd (2 cos w - 2 cos w_i)^2 + sin^2(w/2) prod_even (2 cos w - 2 cos w_i)^2.
    """
    # Differences of cosines vanish where lines crowd at either end of the band: there those of 4 sin^2(w/2)
    # or of 4 cos^2(w/2) are exact. They differ in sign alone, and of ten factors signs cancel.
    half_w = (frequency_hz.clamp(max=TOP_HZ) * (0.5 * math.pi / TOP_HZ)).unsqueeze(-2)
    low = half_w < 0.25 * math.pi
    sine, cosine = torch.sin(half_w).square(), torch.cos(half_w).square()
    half_lines = (0.5 * lsf).unsqueeze(-1)
    lines = torch.where(low, torch.sin(half_lines).square(), torch.cos(half_lines).square())
    # all lines at once: one operation of a graph in place of twenty
    apart = lines - torch.where(low, sine, cosine)
    odd_even = apart.reshape(*apart.shape[:-2], ORDER // 2, 2, apart.shape[-1]).prod(dim=-3)
    # a 4 of every factor, squared; that of cosine and sine is gone with the quarter before the sum
    power = (torch.cat((cosine, sine), dim=-2) * odd_even * odd_even).sum(dim=-2)
    # -ln(power + least), scaled: exporters to ONNX take a sum with 1e-12 for one with 0 and leave it out
    return -math.log(LEAST_POWER) - torch.log(power * (4.0**ORDER / LEAST_POWER) + 1.0)


def harmonic_log_power(frequency_hz: Tensor, f0_hz: Tensor, amplitude: Tensor, lsf: Tensor) -> Tensor:
    """Log power of partials at frequency_hz [..., n] of a voice with f0_hz [...], amplitude [...] and lsf
    [..., 20].

    1 is a full-scale sine. The amplitude is shared equally by all partials below 8 kHz, as published.
    """
    count = torch.ceil(TOP_HZ / f0_hz.clamp(min=LOWEST_F0_HZ)) - 1.0
    each = torch.log(amplitude / count.clamp(min=1.0)).unsqueeze(-1)
    rolloff = torch.log((frequency_hz / ROLLOFF_START_HZ).clamp(min=1.0))
    return 2.0 * (each - rolloff) + envelope_log_power(lsf, frequency_hz)


def noise_log_power(frequency_hz: Tensor, gain: Tensor, bands: Tensor, lsf: Tensor) -> Tensor:
    """Log power of a bin at constant frequency_hz [n] for gain [...], noise magnitudes [..., 40] (linear,
    0..8 kHz) and lsf."""
    place = frequency_hz.clamp(max=TOP_HZ) * ((NOISE_BANDS - 1) / TOP_HZ)
    hats = (
        1.0 - (place.unsqueeze(0) - torch.arange(NOISE_BANDS, device=place.device).unsqueeze(1)).abs()
    ).clamp(min=0.0)
    magnitude = gain.unsqueeze(-1) * (bands @ hats)
    return (
        WHITE_NOISE_LOG_POWER
        + 2.0 * torch.log(magnitude.clamp(min=1e-12))
        + envelope_log_power(lsf, frequency_hz)
    )

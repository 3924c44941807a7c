"""The torch twin of the guided comb: parity with the kernel, gradients that are right."""

import numpy as np
import pytest
import torch

from rtsep.kernels import _core
from rtsep.models.choir.comb_masks import FLOOR_POWER, LOBE_PHASES, partial_lobe
from rtsep.rt.hop.presets import Preset
from rtsep.training.choir.levels.renderer import TorchRenderer

VOICES, FRAMES = 3, 12


def observations(samplerate: int, latency_ms: int, seed: int) -> tuple[np.ndarray, ...]:
    """Spectra of noise with a few peaks, and pitches that glide, rest and enter."""
    rng = np.random.default_rng(seed)
    framing = Preset(samplerate, latency_ms).framing
    power = (1e-8 * rng.exponential(size=(FRAMES, framing.bins))).astype(np.float32)
    f0_hz = np.array([430.0, 260.0, 110.0]) * 2 ** np.cumsum(
        0.02 * rng.standard_normal((FRAMES, VOICES)), axis=0
    )
    f0_hz = np.where(rng.random((FRAMES, VOICES)) < 0.25, 0.0, f0_hz).astype(np.float32)
    for frame, voice in np.ndindex(FRAMES, VOICES):
        for k in range(1, 12 if f0_hz[frame, voice] else 0):
            power[frame, round(k * f0_hz[frame, voice] / framing.bin_hz)] += 0.01 * rng.random() / k
    return power, f0_hz


@pytest.mark.parametrize(("samplerate", "latency_ms"), [(16000, 11), (16000, 43), (48000, 21)])
def test_masks_are_the_kernels(samplerate: int, latency_ms: int) -> None:
    power, f0_hz = observations(samplerate, latency_ms, latency_ms)
    rng = np.random.default_rng(1)
    framing = Preset(samplerate, latency_ms).framing
    kernel = _core.GuidedComb(
        VOICES, framing.bins, framing.bin_hz, partial_lobe(framing), LOBE_PHASES, 0.1, FLOOR_POWER
    )
    level = rng.uniform(-16, -4, (FRAMES, VOICES, kernel.PARTIALS)).astype(np.float32)
    trust = rng.random(level.shape, np.float32)
    noise = rng.uniform(-24, -14, (FRAMES, VOICES, kernel.BANDS)).astype(np.float32)
    envelope = np.full((VOICES, kernel.BANDS), kernel.UNSEEN, np.float32)
    before_hz, readings = np.zeros(VOICES, np.float32), np.zeros((VOICES, kernel.PARTIALS, 3), np.float32)
    masks, levels_db = np.zeros((FRAMES, VOICES, framing.bins), np.float32), np.zeros(VOICES, np.float32)
    for t in range(FRAMES):
        kernel.observe(power[t], f0_hz[t], envelope, before_hz, readings)
        kernel.mask(level[t], trust[t], noise[t], masks[t], levels_db)
    renderer = TorchRenderer(framing)
    before = np.concatenate([np.zeros((1, VOICES), np.float32), f0_hz[:-1]])
    partials = renderer.place(torch.from_numpy(f0_hz), torch.from_numpy(before))
    at = (partials.frame, partials.voice, partials.partial)
    twin = renderer.masks(
        torch.from_numpy(power),
        partials,
        torch.from_numpy(level)[at],
        torch.from_numpy(trust)[at],
        torch.from_numpy(noise),
    )
    np.testing.assert_allclose(twin.numpy(), masks, atol=5e-4)


def test_gradients_are_those_of_finite_differences() -> None:
    power, f0_hz = observations(16000, 21, 3)
    framing = Preset(16000, 21).framing
    renderer = TorchRenderer(framing)
    partials = renderer.place(torch.from_numpy(f0_hz[:2]), torch.from_numpy(f0_hz[:2]))
    rng = np.random.default_rng(2)
    level = torch.from_numpy(rng.uniform(-9, -4, partials.frame.shape)).float().requires_grad_()
    trust = torch.full_like(level, 0.6).requires_grad_()
    noise = torch.full((2, VOICES, 36), -12.0).requires_grad_()
    target = torch.from_numpy(rng.random((2, VOICES, framing.bins))).float()

    def loss(*parameters: torch.Tensor) -> torch.Tensor:
        return (renderer.masks(torch.from_numpy(power[:2]), partials, *parameters) * target).double().sum()

    parameters = (level, trust, noise)
    loss(*parameters).backward()
    for parameter in parameters:
        direction = torch.from_numpy(rng.standard_normal(parameter.shape)).float()
        ahead, behind = (
            loss(*(p.detach() + s * 1e-2 * direction if p is parameter else p.detach() for p in parameters))
            for s in (1.0, -1.0)
        )
        assert parameter.grad is not None
        slope = float((parameter.grad * direction).sum())
        assert float(ahead - behind) / 2e-2 == pytest.approx(slope, rel=0.02, abs=0.02)

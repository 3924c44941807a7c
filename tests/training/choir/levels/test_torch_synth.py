"""Voices synthesised in the time domain: against the engine's filter, and against the levels that masks are
made from."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.kernels.lobe import window_lobe
from rtsep.kernels.windows import analysis_window
from rtsep.models.choir.source_filter_input import BAND_HZ
from rtsep.models.networks import source_filter_physics as physics
from rtsep.rt.hop.presets import Preset
from rtsep.training.choir.frontend import TorchFrontend
from rtsep.training.choir.levels.renderer import TorchRenderer
from rtsep.training.choir.levels.synthesis import harmonics, synthesise
from rtsep.training.measures.protocol import SAMPLERATE

HOP, CONTROLS = 341, 60


def vocal_lsf(seed: int) -> torch.Tensor:
    gaps = np.random.default_rng(seed).random(physics.ORDER + 1) + 0.3
    return torch.from_numpy(np.cumsum(gaps / gaps.sum() * np.pi)[: physics.ORDER]).float()


def sung(f0_hz: float, lsf: torch.Tensor, amplitude: float, noise_gain: float, seed: int = 0) -> torch.Tensor:
    """A steady voice, [samples]; its noise has all bands at 1."""
    excitation = torch.from_numpy(harmonics(np.full((1, CONTROLS), f0_hz), HOP))
    noise = 2.0 * torch.rand(excitation.shape, generator=torch.Generator().manual_seed(seed)) - 1.0
    shape = (1, CONTROLS)
    return synthesise(
        excitation,
        torch.full(shape, amplitude),
        torch.full(shape, noise_gain),
        torch.ones(*shape, physics.NOISE_BANDS),
        lsf.expand(*shape, -1),
        noise,
    )[0]


def powers(signal: torch.Tensor, latency_ms: int) -> NDArray[np.float64]:
    """The engine's spectra of what sounds steadily, [frames, bins], 1 = full-scale sine."""
    framing = Preset(SAMPLERATE, latency_ms).framing
    frames = signal.numel() // framing.hop - 1
    spectra = TorchFrontend(framing).spectra(signal, 0, frames)
    settled = 2 * framing.window_samples // framing.hop
    return np.asarray(spectra.abs().square()[settled:].double().numpy())


@pytest.mark.parametrize("seed", [0, 1])
def test_filters_as_the_engines_kernel_does(seed: int) -> None:
    """Frame by frame from a zero state, Hann-weighted and overlap-added: the recursion and the FFT agree."""
    lsf = vocal_lsf(seed)
    excitation = harmonics(np.full((1, CONTROLS), 180.0), HOP)
    twin = sung(180.0, lsf, 1.0, 0.0).numpy()
    out = np.empty_like(excitation)
    # the kernel's frame f begins at f hop, the synthesis's control j is the middle of the frame before it
    frames = -(-excitation.shape[1] // HOP)
    _core.AllPoleFilter(physics.ORDER, HOP).apply(excitation, np.tile(lsf.numpy(), (1, frames, 1)), out)
    inner = slice(2 * HOP, -2 * HOP)
    error = np.sqrt(np.mean((twin[inner] - out[0, inner]) ** 2) / np.mean(out[0, inner] ** 2))
    assert 20 * np.log10(error) < -80


@pytest.mark.parametrize("latency_ms", [11, 43])
@pytest.mark.parametrize(("f0_hz", "seed"), [(110.0, 0), (220.0, 1), (523.3, 2)])
def test_partials_are_as_loud_as_the_masks_take_them_for(f0_hz: float, seed: int, latency_ms: int) -> None:
    """Oscillators, filter and the engine's window on one side, levels at partials on the other: within 0.2 dB
    on average and 1 dB at every partial below 7 kHz (above, the engine's oscillators fade out before
    Nyquist)."""
    lsf, framing = vocal_lsf(seed), Preset(SAMPLERATE, latency_ms).framing
    number = torch.arange(1.0, int(7000 / f0_hz) + 1)
    level = physics.harmonic_log_power(number * f0_hz, torch.tensor(f0_hz), torch.tensor(0.5), lsf)
    heard = powers(sung(f0_hz, lsf, 0.5, 0.0), latency_ms).mean(axis=0)
    # read as the comb does: the lobe's share of the bins around the partial
    renderer = TorchRenderer(framing)
    partials = renderer.place(torch.tensor([[f0_hz]]), torch.tensor([[f0_hz]]))
    weights = partials.weights[: number.numel()].double().numpy()
    bins = partials.bins[: number.numel()].numpy() - 5
    around = np.where((bins >= 0) & (bins < heard.size), heard[np.clip(bins, 0, heard.size - 1)], 0.0)
    read = (weights * around).sum(axis=1) / (weights**2).sum(axis=1)
    error_db = 10 * np.log10(read) - 10 / np.log(10) * level.double().numpy()
    assert np.abs(error_db).mean() < 0.2
    assert np.abs(error_db).max() < 1.0


def test_levels_are_the_renderers() -> None:
    """The same partials drawn by the engine's `SourceFilterRenderer`, at whose peaks they are read; it falls
    by 6, the network's source by 6.02 dB per octave."""
    lsf, framing = vocal_lsf(5), Preset(SAMPLERATE, 21).framing
    window = analysis_window(framing.window_samples, framing.half_overlap)
    kernel = _core.SourceFilterRenderer(
        framing.bins, SAMPLERATE, physics.ORDER, physics.NOISE_BANDS, *window_lobe(window)
    )
    f0_hz = 16 * framing.bin_hz  # partials on bins
    drawn = np.empty((1, framing.bins), np.float32)
    one = np.ones(1, np.float32)
    kernel.render(
        np.full(1, f0_hz, np.float32),
        0.5 * one,
        lsf.numpy()[None],
        0.0 * one,
        np.ones((1, physics.NOISE_BANDS), np.float32),
        drawn,
    )
    number = np.arange(1, 30)
    drawn_db = 20 * np.log10(drawn[0, 16 * number] * 2.0 / window.sum(dtype=np.float64))
    hz = torch.from_numpy(number * f0_hz).float()
    level = physics.harmonic_log_power(hz, torch.tensor(f0_hz), torch.tensor(0.5), lsf)
    np.testing.assert_allclose(10 / np.log(10) * level.numpy(), drawn_db, atol=0.15)


def test_noise_is_as_loud_as_the_masks_take_it_for() -> None:
    """White noise through the filter: within 0.6 dB in every band of the envelope that holds enough bins."""
    lsf = vocal_lsf(3)
    several = [powers(sung(0.0, lsf, 0.0, 0.3, seed), 11) for seed in range(12)]
    heard = np.concatenate(several).mean(axis=0)
    bands = torch.ones(physics.NOISE_BANDS)
    hz = torch.arange(heard.size) * Preset(SAMPLERATE, 11).framing.bin_hz
    level = physics.noise_log_power(hz, torch.tensor(0.3), bands, lsf)
    error_db = 10 * np.log10(heard) - 10 / np.log(10) * level.double().numpy()
    for centre in BAND_HZ[12:28]:  # 480 Hz to 6.5 kHz
        inside = (hz.numpy() > centre / 1.09) & (hz.numpy() < centre * 1.09)
        assert abs(error_db[inside].mean()) < 0.6, centre


def test_unvoiced_is_silent_but_for_its_noise() -> None:
    assert not sung(0.0, vocal_lsf(0), 1.0, 0.0).any()
    assert sung(0.0, vocal_lsf(0), 1.0, 0.1).any()

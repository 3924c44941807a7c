"""The loss in bands against errors of masked spectra, computed from samples."""

import numpy as np
import pytest
import torch

from rtsep.models.band.features import BANDS, BandFeatures, BandMasks
from rtsep.rt.hop.presets import Preset
from rtsep.training.band.loss import improvement_db, stem_loss
from rtsep.training.band.spectra import BandPowers, BandSpectra

FRAMING = Preset(24000, 43).framing
HOPS = 42


def _sources(batch: int = 2, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    samples = BandSpectra(FRAMING).samples(HOPS)
    return torch.from_numpy(rng.normal(size=(batch, 3, samples)).astype(np.float32) * 0.1)


def _gains(sources: torch.Tensor) -> torch.Tensor:
    return torch.ones(len(sources), sources.shape[1], FRAMING.bins)


def test_bands_are_those_of_the_stage() -> None:
    sources = _sources(1)
    powers = BandSpectra(FRAMING).read(sources, _gains(sources), 2)
    features = BandFeatures(FRAMING)
    from rtsep.kernels.windows import analysis_window

    window = analysis_window(FRAMING.window_samples, FRAMING.half_overlap)
    mixture = sources[0].sum(dim=0).numpy()
    out = np.zeros((1, BANDS), np.float32)
    for hop in (0, HOPS - 1):
        at = hop * FRAMING.hop
        spectrum = np.fft.rfft(mixture[at : at + FRAMING.window_samples] * window).astype(np.complex64)
        features.read(spectrum[None], out)
        np.testing.assert_allclose(powers.bands[0, hop], out[0], atol=1e-3)


def test_the_error_is_that_of_the_stage_s_masks_where_gains_are_alike() -> None:
    """With one gain in all bands nothing is shared out: sum |S - g X|^2 over bins, to the bit of float32."""
    sources = _sources(1)
    powers = BandSpectra(FRAMING).read(sources, _gains(sources), 2)
    parts = torch.fft.rfft(
        sources.unfold(2, FRAMING.window_samples, FRAMING.hop) * BandSpectra(FRAMING)._window
    )
    error = (parts[:, 1] - 0.3 * parts.sum(dim=1)).abs().square().sum()
    in_bands = (powers.stems[:, 1] - 0.6 * powers.cross[:, 1] + 0.09 * powers.mixture[:, 0]).sum()
    assert float(in_bands) == pytest.approx(float(error), rel=1e-4)


def test_the_error_in_bands_is_never_below_the_stage_s() -> None:
    """Gains that jump from band to band: the stage interpolates them, which can only be better."""
    sources = _sources(1)
    powers = BandSpectra(FRAMING).read(sources, _gains(sources), 2)
    gain = torch.rand(BANDS, generator=torch.Generator().manual_seed(0))
    masks = np.zeros((1, FRAMING.bins), np.float32)
    BandMasks(FRAMING).render(gain[None].numpy(), masks)
    parts = torch.fft.rfft(
        sources.unfold(2, FRAMING.window_samples, FRAMING.hop) * BandSpectra(FRAMING)._window
    )
    error = (parts[:, 0] - torch.from_numpy(masks) * parts.sum(dim=1)).abs().square().sum()
    in_bands = (powers.stems[:, 0] - 2 * gain * powers.cross[:, 0] + gain**2 * powers.mixture[:, 0]).sum()
    assert float(error) <= float(in_bands) <= 1.15 * float(error)


def _powers(stem_level: float) -> BandPowers:
    sources = _sources()
    sources[:, 0] *= stem_level
    return BandSpectra(FRAMING).read(sources, _gains(sources), 2)


def _loss(powers: BandPowers, gain: torch.Tensor, weight: list[float], counted: torch.Tensor) -> torch.Tensor:
    return stem_loss(gain, powers, 0, torch.tensor(weight), counted, HOPS).loss


def test_unknown_rows_and_uncounted_bands_teach_nothing() -> None:
    powers = _powers(1.0)
    gain = torch.full((2, HOPS, BANDS), 0.5, requires_grad=True)
    counted = torch.ones(2, BANDS)
    counted[:, 100:] = 0.0
    _loss(powers, gain, [1.0, 0.0], counted).backward()
    assert gain.grad is not None
    assert gain.grad[0, :, :100].any()
    assert not gain.grad[1].any()
    assert not gain.grad[:, :, 100:].any()


def test_the_ideal_gain_is_the_best() -> None:
    powers = _powers(1.0)
    counted = torch.ones(2, BANDS)
    ideal = (powers.cross[:, 0] / (powers.mixture[:, 0] + 1e-12)).clamp(0, 1)
    best = _loss(powers, ideal, [1.0, 1.0], counted)
    for other in (torch.zeros_like(ideal), torch.ones_like(ideal), torch.rand_like(ideal)):
        assert _loss(powers, other, [1.0, 1.0], counted) > best
    assert improvement_db(ideal, powers, 0, counted, HOPS).min() > 0.0


def test_a_silent_stem_is_told_to_be_silent() -> None:
    """Its error re itself has no decibels; the leak re the mixture counts, and stays finite at zero."""
    powers = _powers(0.0)
    counted = torch.ones(2, BANDS)
    losses = [
        float(_loss(powers, torch.full((2, HOPS, BANDS), g), [1.0, 1.0], counted)) for g in (0.0, 0.1, 0.9)
    ]
    assert np.isfinite(losses).all()
    assert losses == sorted(losses)

"""Every term of the losses of levels is there, pulls the right way, and counts in the sum."""

import numpy as np
import pytest
import torch
from torch import Tensor

from rtsep.models.networks.source_filter_net import SourceFilterNet
from rtsep.training.choir.levels.mask_loss import MaskLoss
from rtsep.training.choir.levels.multi_resolution import WINDOWS, multi_resolution_loss
from rtsep.training.measures.protocol import SAMPLERATE

SECONDS = 1


def noise(seed: int, *shape: int) -> Tensor:
    return 0.1 * torch.randn(*shape, SECONDS * SAMPLERATE, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.2, 2.0])
def test_both_halves_of_the_multi_resolution_loss_count(factor: float) -> None:
    """Of a signal a factor too loud, at each of six windows: the magnitudes' mean times |1 - factor|, and
    |ln factor|."""
    target = noise(1, 2)
    means = []
    for window in WINDOWS:
        padded = np.pad(target.numpy(), ((0, 0), (0, window)))
        frames = np.lib.stride_tricks.sliding_window_view(padded, window, axis=1)[:, :: window // 4]
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
        means.append(np.abs(np.fft.rfft(frames * hann)).mean())
    expected = sum(means) * abs(1 - factor) + len(WINDOWS) * abs(np.log(factor))
    loss = multi_resolution_loss(target, factor * target)
    assert float(loss) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_the_multi_resolution_loss_pulls_towards_the_target(factor: float) -> None:
    loudness = torch.tensor(factor, requires_grad=True)
    multi_resolution_loss(noise(1, 1), loudness * noise(1, 1)).backward()
    assert loudness.grad is not None
    assert np.sign(float(loudness.grad)) == np.sign(factor - 1.0)


class OfGiven(MaskLoss):
    """The loss of given estimates."""

    def __init__(self, found: Tensor, target: Tensor) -> None:
        super().__init__(SourceFilterNet(2, 8), (43,))
        self._given = found, target

    def _scored(self, batch: object) -> tuple[Tensor, Tensor]:
        return self._given


def terms(found: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The loss, its SI-SDR in dB and its difference of spectra."""
    loss, logs, _ = OfGiven(found, target).loss(None)  # type: ignore[arg-type]
    ratio_db, spectral = logs["si_sdr_db"], logs["spectral"]
    assert isinstance(ratio_db, Tensor)
    assert isinstance(spectral, Tensor)
    return loss, ratio_db, spectral


def slope(of: Tensor, by: Tensor) -> float:
    (gradient,) = torch.autograd.grad(of, by, retain_graph=True)
    return float(gradient)


def test_the_mask_loss_is_its_two_terms() -> None:
    target = noise(1, 1, 2)
    loss, ratio_db, spectral = terms(target + 0.3 * noise(2, 1, 2), target)
    assert float(spectral) > 0.05
    assert float(ratio_db) == pytest.approx(-20 * np.log10(0.3), abs=0.5)
    assert float(loss) == pytest.approx(float(spectral - ratio_db))


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_the_spectral_term_hears_loudness(factor: float) -> None:
    """SI-SDR takes no notice of a gain, but for its floors: what pulls the loudness is the other term."""
    target = noise(1, 1, 2)
    loudness = torch.tensor(factor, requires_grad=True)
    loss, ratio_db, spectral = terms(loudness * (target + 0.3 * noise(2, 1, 2)), target)
    assert np.sign(slope(spectral, loudness)) == np.sign(factor - 1.0)
    assert abs(slope(spectral, loudness)) > abs(slope(ratio_db, loudness))
    assert slope(loss, loudness) == pytest.approx(slope(spectral, loudness) - slope(ratio_db, loudness))


def test_an_error_costs_both_terms() -> None:
    target = noise(1, 1, 2)
    error = torch.tensor(0.3, requires_grad=True)
    loss, ratio_db, spectral = terms(target + error * noise(2, 1, 2), target)
    assert slope(ratio_db, error) == pytest.approx(-20 / np.log(10) / 0.3, rel=0.05)
    assert slope(spectral, error) > 0.1
    assert slope(loss, error) == pytest.approx(slope(spectral, error) - slope(ratio_db, error))


def test_a_voice_that_is_not_heard_counts_for_nothing_in_si_sdr() -> None:
    target = noise(1, 1, 2)
    target[0, 1] *= 1e-4
    found = (target + 0.3 * noise(2, 1, 2)).requires_grad_()
    _, ratio_db, _ = terms(found, target)
    (gradient,) = torch.autograd.grad(ratio_db, found)
    assert gradient[0, 0].abs().max() > 0
    assert not gradient[0, 1].any()

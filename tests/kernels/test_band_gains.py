"""Band gains at bins: parity with the reference, a straight line stays one, refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtsep.kernels import _core
from rtsep.kernels.filterbank import band_interpolation
from rtsep.kernels.reference import band_gains as reference


@given(
    samplerate=st.sampled_from((8000, 44100, 48000)),
    n_fft=st.integers(16, 600).map(lambda half: 2 * half),
    stems=st.integers(0, 5),
    bands=st.integers(2, 40),
    seed=st.integers(0, 2**32 - 1),
)
def test_matches_reference(samplerate: int, n_fft: int, stems: int, bands: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    layout = band_interpolation(np.sort(rng.uniform(10, 20000, bands)), samplerate, n_fft)
    gains = rng.uniform(-0.5, 1.5, (stems, bands)).astype(np.float32)
    gains[rng.random(gains.shape) < 0.05] = rng.choice([np.nan, np.inf, -np.inf])
    masks = np.full((stems, n_fft // 2 + 1), np.nan, np.float32)
    expected = masks.copy()
    _core.BandGains(*layout, bands).render(gains, masks)
    reference.BandGains(*layout, bands).render(gains, expected)
    np.testing.assert_allclose(masks, expected, rtol=0, atol=2e-7)
    assert ((masks >= 0) & (masks <= 1)).all()


def test_gains_that_rise_with_frequency_do_so_at_bins_and_hold_beyond_the_outer_centres() -> None:
    centres = np.array([100.0, 250.0, 1000.0, 3000.0])
    layout = band_interpolation(centres, 8000, 160)
    masks = np.empty((1, 81), np.float32)
    _core.BandGains(*layout, 4).render((centres / 4000).astype(np.float32)[None], masks)
    f = np.arange(81) * 50.0
    np.testing.assert_allclose(masks[0], np.clip(f, 100, 3000) / 4000, atol=1e-6)


def test_a_stem_s_masks_do_not_depend_on_the_other_stems() -> None:
    rng = np.random.default_rng(0)
    layout = band_interpolation(np.linspace(50, 20000, 32), 48000, 3072)
    kernel = _core.BandGains(*layout, 32)
    gains = rng.random((5, 32)).astype(np.float32)
    together, alone = np.empty((5, 1537), np.float32), np.empty((1, 1537), np.float32)
    kernel.render(gains, together)
    for stem in range(5):
        kernel.render(gains[stem : stem + 1], alone)
        np.testing.assert_array_equal(alone[0], together[stem])


def test_wrong_layouts_and_shapes_are_refused() -> None:
    lower, share = np.array([0, 1], np.int32), np.array([0.0, 0.5], np.float32)
    with pytest.raises(ValueError, match="bands that are not there"):
        _core.BandGains(lower, share, 2)
    with pytest.raises(ValueError, match="bands that are not there"):
        _core.BandGains(np.array([0, -1], np.int32), share, 3)
    with pytest.raises(ValueError, match="share is outside"):
        _core.BandGains(lower, np.array([0, np.nan], np.float32), 3)
    kernel = _core.BandGains(lower, share, 3)
    with pytest.raises(ValueError, match=r"gains has shape \[1, 4\], expected \[1, 3\]"):
        kernel.render(np.zeros((1, 4), np.float32), np.zeros((1, 2), np.float32))
    with pytest.raises(ValueError, match=r"masks has shape \[1, 3\], expected \[1, 2\]"):
        kernel.render(np.zeros((1, 3), np.float32), np.zeros((1, 3), np.float32))
    with pytest.raises(TypeError):
        kernel.render(np.zeros((1, 3)), np.zeros((1, 2), np.float32))

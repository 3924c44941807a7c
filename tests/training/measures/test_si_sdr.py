"""SI-SDR: by hand, by physics, and against another implementation."""

import numpy as np
import pytest
from fast_bss_eval import sdr
from hypothesis import given
from hypothesis import strategies as st

from rtsep.training.measures.si_sdr import si_sdr_db


def test_by_hand() -> None:
    # alpha = (1*1 + 1*0) / 2 = 1/2; alpha s = (1/2, 1/2); distortion = (-1/2, 1/2): ratio 1
    assert si_sdr_db([1.0, 1.0], [1.0, 0.0]) == pytest.approx(0.0, abs=1e-12)
    # alpha = 12/10, alpha s = (3.6, 1.2), distortion = (-0.4, 1.2): 14.4 / 1.6 = 9
    assert si_sdr_db([3.0, 1.0], [4.0, 0.0]) == pytest.approx(10 * np.log10(9.0), abs=1e-12)


@pytest.mark.parametrize("snr_db", [-20.0, 0.0, 13.0, 40.0])
def test_orthogonal_noise_of_known_level_gives_its_snr(snr_db: float) -> None:
    t = np.arange(16000) / 16000
    target = np.sin(2 * np.pi * 220 * t)
    noise = np.cos(2 * np.pi * 330 * t) * 10 ** (-snr_db / 20)
    assert si_sdr_db(target, target + noise) == pytest.approx(snr_db, abs=1e-9)


@given(seed=st.integers(0, 2**32 - 1), gain_db=st.floats(-40, 40), estimate_gain_db=st.floats(-40, 40))
def test_no_gain_changes_it(seed: int, gain_db: float, estimate_gain_db: float) -> None:
    rng = np.random.default_rng(seed)
    target = rng.standard_normal(500)
    estimate = target + rng.standard_normal(500)
    scaled = si_sdr_db(10 ** (gain_db / 20) * target, -(10 ** (estimate_gain_db / 20)) * estimate)
    assert scaled == pytest.approx(si_sdr_db(target, estimate), abs=1e-9)


def test_agrees_with_fast_bss_eval() -> None:
    # SDR whose allowed distortion filter has one tap is SI-SDR, found by another way: a normal equation
    rng = np.random.default_rng(5)
    targets = rng.standard_normal((6, 16000))
    noise = rng.standard_normal((6, 16000)) * rng.uniform(0.01, 3.0, (6, 1))
    estimates = targets * rng.uniform(0.1, 2.0, (6, 1)) + noise
    expected = sdr(targets, estimates, filter_length=1, zero_mean=False)
    np.testing.assert_allclose(si_sdr_db(targets, estimates), expected, atol=1e-6)


def test_silence_has_no_ratio_and_a_copy_has_no_distortion() -> None:
    assert np.isnan(si_sdr_db([1.0, 2.0], [0.0, 0.0]))
    assert np.isnan(si_sdr_db([0.0, 0.0], [1.0, 2.0]))
    assert si_sdr_db([1.0, 2.0], [1.0, 2.0]) == np.inf


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="3 samples, estimate has 2"):
        si_sdr_db(np.ones(3), np.ones(2))

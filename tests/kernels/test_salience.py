"""Peaks of a salience: the kernel against its reference, and what a peak is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtsep.kernels import _core
from rtsep.kernels.reference import salience as reference

LEAST, SAME_VOICE = -4.0, 0.75


@given(st.integers(0, 10_000), st.integers(3, 130), st.integers(1, 8))
def test_kernel_is_its_reference(seed: int, candidates: int, room: int) -> None:
    rng = np.random.default_rng(seed)
    # in steps of a half: ties of neighbours and of peaks
    salience = (0.5 * np.round(rng.normal(-4.0, 6.0, candidates))).astype(np.float32)
    offset = rng.normal(0.0, 0.7, candidates).astype(np.float32)
    found = np.zeros((2, room), np.float32)
    expected = found.copy()
    count = _core.salience_peaks(salience, offset, LEAST, SAME_VOICE, *found)
    assert count == reference.salience_peaks(salience, offset, LEAST, SAME_VOICE, *expected)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-5)


def test_the_likeliest_are_kept_and_the_highest_comes_first() -> None:
    salience, offset = np.full(40, -9.0, np.float32), np.zeros(40, np.float32)
    salience[[5, 11, 20, 33]] = 1.0, 3.0, -3.0, 2.0
    place, log_odds = np.zeros((2, 3), np.float32)
    assert _core.salience_peaks(salience, offset, LEAST, SAME_VOICE, place, log_odds) == 3
    np.testing.assert_allclose(place, [33, 11, 5])
    np.testing.assert_array_equal(log_odds, [2.0, 3.0, 1.0])


def test_neighbours_that_point_elsewhere_have_no_say() -> None:
    salience, offset = np.full(9, -9.0, np.float32), np.zeros(9, np.float32)
    salience[3:6], offset[3:6] = (2.0, 3.0, 2.0), (0.9, 0.2, 0.9)  # places 3.9, 4.2 and 5.9
    place, log_odds = np.zeros((2, 4), np.float32)
    assert _core.salience_peaks(salience, offset, LEAST, SAME_VOICE, place, log_odds) == 1
    assert 3.9 < place[0] < 4.2


def test_no_number_makes_no_peak() -> None:
    salience, offset = np.full((2, 9), np.nan, np.float32)
    place, log_odds = np.zeros((2, 4), np.float32)
    assert _core.salience_peaks(salience, offset, LEAST, SAME_VOICE, place, log_odds) == 0
    salience[4] = 1.0
    salience[[3, 5]] = -1.0
    assert _core.salience_peaks(salience, offset, LEAST, SAME_VOICE, place, log_odds) == 1
    assert np.isfinite(place).all()


def test_wrong_sizes_are_named() -> None:
    four, five = np.zeros(4, np.float32), np.zeros(5, np.float32)
    with pytest.raises(ValueError, match=r"offset has shape \[4\], expected \[5\]"):
        _core.salience_peaks(five, four, LEAST, SAME_VOICE, four, four.copy())

"""Coverage of peaks by candidate pitches: parity, what a harmonic tone is worth, broken peaks."""

import numpy as np
import pytest
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.kernels.reference import coverage as reference

F32 = NDArray[np.float32]
BIN_HZ, TOP_HZ, ROOM = 15.625, 5000.0, 96
GRID = (65.406 * 2.0 ** (np.arange(241) / 60)).astype(np.float32)


def compute(peak_hz: F32, weight: F32, peaks: int | None = None) -> tuple[F32, F32]:
    """Of the kernel, after its reference has given the same."""
    results = []
    for module in (_core, reference):
        covered, missing = (
            np.full((GRID.size, ROOM), np.nan, np.float32),
            np.full(GRID.size, np.nan, np.float32),
        )
        padded_hz, padded = np.zeros((2, ROOM), np.float32)
        padded_hz[: peak_hz.size], padded[: peak_hz.size] = peak_hz, weight
        module.Coverage(GRID, BIN_HZ, TOP_HZ, ROOM).compute(
            padded_hz, padded, peak_hz.size if peaks is None else peaks, covered, missing
        )
        results.append((covered, missing))
    np.testing.assert_allclose(results[0][0], results[1][0], atol=2e-5)
    np.testing.assert_allclose(results[0][1], results[1][1], atol=2e-5)
    return results[0]


def partials(f0_hz: float, count: int) -> F32:
    return (f0_hz * np.arange(1, count + 1)).astype(np.float32)


def test_constants_agree() -> None:
    for name, value in _core.Coverage.CONSTANTS.items():
        assert np.float32(getattr(reference, name)) == np.float32(value), name


@pytest.mark.parametrize("seed", range(6))
def test_matches_reference_on_random_peaks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    peaks = int(rng.integers(1, ROOM + 1))
    covered, missing = compute(
        rng.uniform(40, TOP_HZ, peaks).astype(np.float32),
        rng.random(peaks, np.float32),
        int(rng.integers(0, peaks + 1)),
    )
    assert ((covered >= 0) & (covered <= 1)).all()
    assert ((missing >= 0) & (missing <= 1)).all()


@pytest.mark.parametrize("f0_hz", [70.0, 131.0, 330.0, 1000.0])
def test_a_tone_is_explained_by_its_own_pitch_and_misses_nothing(f0_hz: float) -> None:
    count = min(20, int(TOP_HZ / f0_hz))
    covered, missing = compute(partials(f0_hz, count), np.ones(count, np.float32))
    own = int(np.argmin(np.abs(GRID - f0_hz)))
    assert int(np.argmax(covered.sum(axis=1) - 2 * missing)) in range(own - 1, own + 2)
    assert missing[own] < 0.05
    fade = np.arange(1, count + 1) ** -0.35
    assert (covered[own, :count] > 0.6 * fade).all()
    assert (covered[own, :count] <= fade + 1e-6).all()


def test_an_octave_below_misses_every_other_partial() -> None:
    covered, missing = compute(partials(440.0, 10), np.ones(10, np.float32))
    below, own = (int(np.argmin(np.abs(GRID - hz))) for hz in (220.0, 440.0))
    odd = np.array([1, 3, 5]) ** -0.5
    assert missing[below] == pytest.approx(odd.sum() / (np.arange(1, 7) ** -0.5).sum(), abs=0.02)
    assert covered[below].sum() < covered[own].sum()


def test_no_peaks_miss_everything() -> None:
    covered, missing = compute(np.empty(0, np.float32), np.empty(0, np.float32))
    assert not covered.any()
    np.testing.assert_array_equal(missing, 1.0)


def test_order_of_peaks_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    hz, weight = rng.uniform(60, TOP_HZ, 60).astype(np.float32), rng.random(60, np.float32)
    order = rng.permutation(60)
    covered, missing = compute(hz, weight)
    shuffled, missing_too = compute(hz[order], weight[order])
    np.testing.assert_array_equal(shuffled[:, :60], covered[:, :60][:, order])
    np.testing.assert_array_equal(missing, missing_too)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_broken_peaks_are_as_if_they_were_not_there(value: float) -> None:
    hz, weight = partials(220.0, 8), np.ones(8, np.float32)
    broken_hz, broken_weight = hz.copy(), weight.copy()
    broken_hz[2], broken_weight[5] = value, value
    covered, missing = compute(broken_hz, broken_weight)
    assert not covered[:, [2, 5]].any()
    without, missing_without = compute(hz[[0, 1, 3, 4, 6, 7]], np.ones(6, np.float32))
    np.testing.assert_array_equal(covered[:, [0, 1, 3, 4, 6, 7]], without[:, :6])
    np.testing.assert_array_equal(missing, missing_without)


def test_wrong_shapes_and_candidates_are_refused() -> None:
    kernel = _core.Coverage(GRID, BIN_HZ, TOP_HZ, ROOM)
    p, g, table = (
        np.zeros(ROOM, np.float32),
        np.zeros(GRID.size, np.float32),
        np.zeros((GRID.size, ROOM), np.float32),
    )
    for hz, w, peaks, covered, missing in [
        (p[:-1], p, 5, table, g),
        (p, p[:-1], 5, table, g),
        (p, p, ROOM + 1, table, g),
        (p, p, -1, table, g),
        (p, p, 5, table[:-1], g),
        (p, p, 5, table, g[:-1]),
    ]:
        with pytest.raises(ValueError, match=r"Coverage\.compute"):
            kernel.compute(hz, w, peaks, covered, missing)
    for grid in (
        np.empty(0),
        np.array([0.0]),
        np.array([-5.0]),
        np.array([100.0, np.nan]),
        np.array([np.inf]),
    ):
        with pytest.raises(ValueError, match="Coverage"):
            _core.Coverage(grid.astype(np.float32), BIN_HZ, TOP_HZ, ROOM)

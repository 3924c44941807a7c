"""Soft masks: shares of one, parity, and every kind of broken magnitude."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.kernels.reference.soft_masks import soft_masks as reference

F32 = NDArray[np.float32]
BROKEN = [np.nan, np.inf, -np.inf, -1.0, 0.0, 1e-45, 1e-38, 1e-29, 3e38, 1e20]


def masks_of(sources: F32, floor: F32, exponent: float) -> F32:
    masks = np.full_like(sources, np.nan)
    _core.soft_masks(sources, floor, exponent, masks)
    return masks


@given(
    voices=st.integers(1, 6),
    bins=st.integers(1, 1300),
    exponent=st.one_of(st.sampled_from([1.0, 2.0]), st.floats(0.25, 8.0, width=32)),
    broken=st.floats(0.0, 0.5),
    seed=st.integers(0, 2**32 - 1),
)
def test_matches_reference_and_columns_stay_within_one(
    voices: int, bins: int, exponent: float, broken: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    sources = 10.0 ** rng.uniform(-6, 3, (voices, bins)).astype(np.float32)
    floor = 10.0 ** rng.uniform(-6, 0, bins).astype(np.float32)
    for array in (sources, floor):
        hit = rng.random(array.shape) < broken
        array[hit] = rng.choice(np.array(BROKEN, np.float32), int(hit.sum()))
    masks = masks_of(sources, floor, exponent)
    expected = np.empty_like(masks)
    reference(sources, floor, exponent, expected)
    np.testing.assert_allclose(masks, expected, atol=5e-6 * max(1.0, exponent), rtol=0)
    assert (masks >= 0).all()
    assert (masks.sum(axis=0) <= 1.0).all()
    assert (masks.sum(axis=0, dtype=np.float64) <= 1.0).all()


@pytest.mark.parametrize("exponent", [1.0, 1.5, 2.0, 4.0])
def test_without_a_floor_the_masks_share_everything(exponent: float) -> None:
    sources = np.random.default_rng(0).random((4, 513)).astype(np.float32) + np.float32(1e-3)
    masks = masks_of(sources, np.zeros(513, np.float32), exponent)
    np.testing.assert_allclose(masks.sum(axis=0), 1.0, atol=2e-6)


@pytest.mark.parametrize("exponent", [1.0, 1.5, 2.0])
def test_silence_belongs_to_no_voice(exponent: float) -> None:
    assert not masks_of(np.zeros((3, 100), np.float32), np.zeros(100, np.float32), exponent).any()
    assert not masks_of(np.full((3, 100), 1e-40, np.float32), np.zeros(100, np.float32), exponent).any()


@pytest.mark.parametrize("scale", [1e-25, 1e-6, 1.0, 1e18, 1e37])
@pytest.mark.parametrize("exponent", [1.0, 2.0, 3.0])
def test_masks_do_not_depend_on_the_level(scale: float, exponent: float) -> None:
    sources = np.array([[3.0], [1.0]], np.float32)
    masks = masks_of(sources * np.float32(scale), np.zeros(1, np.float32), exponent)
    expected = sources**exponent / (sources**exponent).sum()
    np.testing.assert_allclose(masks, expected, atol=1e-5)


def test_floor_takes_its_share() -> None:
    sources, floor = np.full((2, 20), 1.0, np.float32), np.full(20, 2.0, np.float32)
    np.testing.assert_allclose(masks_of(sources, floor, 1.0), 0.25, atol=1e-6)
    np.testing.assert_allclose(masks_of(sources, floor, 2.0), 1 / 6, atol=1e-6)


def test_wrong_shapes_and_exponents_are_refused() -> None:
    sources = np.ones((2, 20), np.float32)
    with pytest.raises(ValueError, match=r"floor has shape \[19\], expected \[20\]"):
        _core.soft_masks(sources, np.ones(19, np.float32), 1.0, sources.copy())
    with pytest.raises(ValueError, match=r"masks has shape \[2, 21\], expected \[2, 20\]"):
        _core.soft_masks(sources, np.ones(20, np.float32), 1.0, np.ones((2, 21), np.float32))
    with pytest.raises(ValueError, match="exponent is nan"):
        _core.soft_masks(sources, np.ones(20, np.float32), np.nan, sources.copy())
    with pytest.raises(TypeError):
        _core.soft_masks(sources, np.ones(20), 1.0, sources.copy())  # type: ignore[arg-type]

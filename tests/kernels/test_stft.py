"""Framing, masks and overlap-add: parity with state carried, conservation, broken samples."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.kernels.reference import stft as reference
from rtsep.kernels.windows import analysis_window, synthesis_window

F32 = NDArray[np.float32]
BROKEN = np.array([np.nan, np.inf, -np.inf, 2e12, -3e38], np.float32)


def noise(rng: np.random.Generator, *shape: int) -> F32:
    return rng.standard_normal(shape).astype(np.float32)


def test_constants_agree() -> None:
    assert np.float32(reference.LOUDEST_SAMPLE) == np.float32(_core.LOUDEST_SAMPLE)


@given(
    channels=st.integers(1, 5),
    hop=st.integers(1, 40),
    longer=st.integers(0, 90),
    broken=st.floats(0.0, 0.3),
    seed=st.integers(0, 2**32 - 1),
)
def test_frames_match_over_25_hops(channels: int, hop: int, longer: int, broken: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = hop + longer
    window = rng.random(n, np.float32)
    histories = [np.zeros((channels, n), np.float32) for _ in range(2)]
    frames = [np.full((channels, n), np.nan, np.float32) for _ in range(2)]
    for _ in range(25):
        x = noise(rng, hop, channels)
        hit = rng.random(x.shape) < broken
        x[hit] = rng.choice(BROKEN, int(hit.sum()))
        bad = [k.push_frame(h, x, window, f) for k, h, f in zip((_core, reference), histories, frames)]  # noqa: B905
        assert bad[0] == bad[1] == hit.sum()
        np.testing.assert_array_equal(histories[0], histories[1])
        np.testing.assert_array_equal(frames[0], frames[1])
        assert np.isfinite(histories[0]).all()


@given(
    stems=st.integers(1, 4),
    channels=st.integers(1, 3),
    hop=st.integers(1, 30),
    span=st.integers(0, 30),
    longer=st.integers(0, 50),
    seed=st.integers(0, 2**32 - 1),
)
def test_overlap_add_matches_over_25_hops(
    stems: int, channels: int, hop: int, span: int, longer: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    span += hop
    n = span + longer
    window = rng.random(span, np.float32)
    tails = [np.zeros((stems, channels, span), np.float32) for _ in range(2)]
    outs = [np.full((stems + 1, hop, channels), np.nan, np.float32) for _ in range(2)]
    for _ in range(25):
        frames, history = noise(rng, stems, channels, n), noise(rng, channels, n)
        for k, tail, out in zip((_core, reference), tails, outs, strict=True):
            k.overlap_add(frames, window, tail, history, out)
        # the compiler may fuse t + f * w into one rounding; a value gathers at most span / hop + 1 of them
        np.testing.assert_allclose(outs[0], outs[1], atol=4e-7 * (span / hop + 1) * stems, rtol=0)
        np.testing.assert_allclose(tails[0], tails[1], atol=4e-7 * (span / hop + 1), rtol=0)


def test_masks_apply_to_every_channel() -> None:
    rng = np.random.default_rng(0)
    spectrum = (noise(rng, 3, 65) + 1j * noise(rng, 3, 65)).astype(np.complex64)
    masks, out, expected = rng.random((4, 65), np.float32), *np.empty((2, 4, 3, 65), np.complex64)
    _core.apply_masks(spectrum, masks, out)
    reference.apply_masks(spectrum, masks, expected)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize(("n", "m"), [(64, 16), (64, 32), (3072, 256), (384, 21)])
def test_frames_added_back_are_the_delayed_input_and_leave_no_residual(n: int, m: int) -> None:
    rng = np.random.default_rng(1)
    analysis, synthesis = analysis_window(n, m), synthesis_window(n, m)
    history, frame, tail = np.zeros((2, n), np.float32), np.zeros((2, n), np.float32), np.zeros((1, 2, 2 * m))
    tail32 = tail.astype(np.float32)
    x, out = noise(rng, 30 * m, 2), np.empty((2, m, 2), np.float32)
    voice, residual = [], []
    for start in range(0, x.shape[0], m):
        _core.push_frame(history, x[start : start + m], analysis, frame)
        _core.overlap_add(frame[None].copy(), synthesis, tail32, history, out)
        voice.append(out[0].copy())
        residual.append(out[1].copy())
    delayed = np.concatenate((np.zeros((m, 2)), x[:-m]))  # the hop latency, 2M - H
    np.testing.assert_allclose(np.concatenate(voice), delayed, atol=2e-6)
    np.testing.assert_allclose(np.concatenate(residual), 0, atol=2e-6)


def test_wrong_shapes_and_types_are_refused() -> None:
    f = np.zeros
    good: dict[str, tuple[Any, ...]] = {
        "push_frame": (f((2, 8), "f4"), f((4, 2), "f4"), f(8, "f4"), f((2, 8), "f4")),
        "apply_masks": (f((2, 5), "c8"), f((3, 5), "f4"), f((3, 2, 5), "c8")),
        "overlap_add": (
            f((3, 2, 8), "f4"),
            f(4, "f4"),
            f((3, 2, 4), "f4"),
            f((2, 8), "f4"),
            f((4, 2, 2), "f4"),
        ),
    }
    for name, arrays in good.items():
        kernel = getattr(_core, name)
        kernel(*arrays)
        for i, array in enumerate(arrays):
            for wrong in (
                np.zeros((*array.shape, 1), array.dtype),
                np.zeros(np.add(array.shape, 9), array.dtype),
            ):
                with pytest.raises(ValueError, match=name):
                    kernel(*arrays[:i], wrong, *arrays[i + 1 :])
            with pytest.raises(TypeError):
                kernel(*arrays[:i], array.astype(np.result_type(array, np.float64)), *arrays[i + 1 :])
            with pytest.raises(TypeError):  # a silent copy of a strided output would be lost
                kernel(*arrays[:i], np.zeros((*array.shape, 2), array.dtype)[..., 0], *arrays[i + 1 :])

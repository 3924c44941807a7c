"""Numba twins against the NumPy references: tolerances of the C++ kernels, sizes that cross chunks."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import rtsep.kernels.numba
from rtsep.kernels.reference import oscillator as oscillator_reference
from rtsep.kernels.reference import soft_masks as soft_masks_reference
from rtsep.kernels.reference import stft as stft_reference

pytest.importorskip("numba", reason="Numba is not installed: pip install 'rtsep[numba]'")

from rtsep.kernels.numba import oscillator, soft_masks, stft

F32 = NDArray[np.float32]
BROKEN = np.array([np.nan, np.inf, -np.inf, -1.0, 0.0, 1e-45, 1e-29, 3e38, 2e12], np.float32)


def noise(rng: np.random.Generator, *shape: int) -> F32:
    return rng.standard_normal(shape).astype(np.float32)


def break_some(rng: np.random.Generator, array: F32, share: float) -> None:
    hit = rng.random(array.shape) < share
    array[hit] = rng.choice(BROKEN, int(hit.sum()))


def test_every_twin_has_a_reference_of_the_same_name_and_names() -> None:
    folder = Path(rtsep.kernels.numba.__file__).parent
    names = sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")
    assert names == ["oscillator", "soft_masks", "stft"]
    for name in names:
        twin, reference = (import_module(f"rtsep.kernels.{room}.{name}") for room in ("numba", "reference"))
        kernels = {
            key
            for key, value in vars(reference).items()
            if getattr(value, "__module__", "") == reference.__name__
        }
        assert kernels <= vars(twin).keys()


@pytest.mark.parametrize(("channels", "hop", "longer"), [(1, 256, 2816), (2, 40, 90), (3, 7, 0)])
def test_frames_match_over_25_hops(channels: int, hop: int, longer: int) -> None:
    rng = np.random.default_rng(hop)
    n = hop + longer
    window = rng.random(n, np.float32)
    histories = [np.zeros((channels, n), np.float32) for _ in range(2)]
    frames = [np.full((channels, n), np.nan, np.float32) for _ in range(2)]
    zeroed = 0
    for _ in range(25):
        x = noise(rng, hop, channels)
        break_some(rng, x, 0.1)
        bad = [
            kernel.push_frame(history, x, window, frame)
            for kernel, history, frame in zip((stft, stft_reference), histories, frames, strict=True)
        ]
        assert bad[0] == bad[1]
        zeroed += bad[0]
        np.testing.assert_array_equal(histories[0], histories[1])
        np.testing.assert_array_equal(frames[0], frames[1])
    assert zeroed > 0


@pytest.mark.parametrize(
    ("stems", "channels", "hop", "span"), [(4, 1, 256, 512), (3, 2, 30, 45), (1, 3, 8, 8)]
)
def test_overlap_add_matches_over_25_hops(stems: int, channels: int, hop: int, span: int) -> None:
    rng = np.random.default_rng(hop)
    n = 2 * span
    window = rng.random(span, np.float32)
    tails = [np.zeros((stems, channels, span), np.float32) for _ in range(2)]
    outs = [np.full((stems + 1, hop, channels), np.nan, np.float32) for _ in range(2)]
    for _ in range(25):
        frames, history = noise(rng, stems, channels, n), noise(rng, channels, n)
        for kernel, tail, out in zip((stft, stft_reference), tails, outs, strict=True):
            kernel.overlap_add(frames, window, tail, history, out)
        # as for the C++ kernel: t + f * w may be one rounding, a value gathers at most span / hop + 1 of them
        np.testing.assert_allclose(outs[0], outs[1], atol=4e-7 * (span / hop + 1) * stems, rtol=0)
        np.testing.assert_allclose(tails[0], tails[1], atol=4e-7 * (span / hop + 1), rtol=0)


def test_masks_apply_to_every_channel() -> None:
    rng = np.random.default_rng(0)
    spectrum = (noise(rng, 3, 65) + 1j * noise(rng, 3, 65)).astype(np.complex64)
    masks, out, expected = rng.random((4, 65), np.float32), *np.empty((2, 4, 3, 65), np.complex64)
    stft.apply_masks(spectrum, masks, out)
    stft_reference.apply_masks(spectrum, masks, expected)
    np.testing.assert_allclose(out, expected, rtol=2e-7)


@pytest.mark.parametrize("exponent", [1.0, 2.0, 0.25, 1.5, 8.0])
@pytest.mark.parametrize(("voices", "bins"), [(1, 1), (4, 1537), (6, 512)])
def test_soft_masks_match_and_columns_stay_within_one(exponent: float, voices: int, bins: int) -> None:
    rng = np.random.default_rng(bins)
    for share in (0.0, 0.3):
        sources = 10.0 ** rng.uniform(-6, 3, (voices, bins)).astype(np.float32)
        floor = 10.0 ** rng.uniform(-6, 0, bins).astype(np.float32)
        break_some(rng, sources, share)
        break_some(rng, floor, share)
        masks, expected = np.full((2, voices, bins), np.nan, np.float32)
        soft_masks.soft_masks(sources, floor, exponent, masks)
        soft_masks_reference.soft_masks(sources, floor, exponent, expected)
        np.testing.assert_allclose(masks, expected, atol=5e-6 * max(1.0, exponent), rtol=0)
        assert (masks >= 0).all()
        assert (masks.sum(axis=0) <= 1.0).all()


@pytest.mark.parametrize(
    ("voices", "partials", "samplerate"), [(4, 60, 48000.0), (1, 1, 8000.0), (2, 70, 44100.0)]
)
def test_oscillator_matches_over_calls_of_any_length(voices: int, partials: int, samplerate: float) -> None:
    rng = np.random.default_rng(partials)
    twin = oscillator.HarmonicOscillator(voices, partials, samplerate)
    reference = oscillator_reference.HarmonicOscillator(voices, partials, samplerate)
    f0 = rng.uniform(60.0, 0.2 * samplerate, voices)
    for frames in (256, 1, 700, 37, 1000, 255, 257):
        f0 = f0 * rng.uniform(0.9, 1.1, voices)
        target = np.where(rng.random(voices) < 0.2, rng.choice([0.0, np.nan, -5.0]), f0).astype(np.float32)
        amplitudes = noise(rng, voices, partials)
        amplitudes[rng.random(amplitudes.shape) < 0.05] = np.nan
        out, expected = np.full((2, voices, frames), np.nan, np.float32)
        twin.render(target, amplitudes, out)
        reference.render(target, amplitudes, expected)
        # as for the C++ kernel: every partial may be off by the rotation's 2e-6
        scale = 2 * max(1.0, float(np.nansum(np.abs(amplitudes), axis=1).max()))
        np.testing.assert_allclose(out, expected, atol=3e-6 * scale, rtol=0)


def test_oscillator_advances_and_forgets_as_its_reference() -> None:
    f0, amplitudes = np.array([110.0, 330.0], np.float32), np.ones((2, 8), np.float32)
    twin, reference = (
        kernel.HarmonicOscillator(2, 8, 48000.0) for kernel in (oscillator, oscillator_reference)
    )
    out, expected = np.empty((2, 2, 300), np.float32)
    for bank, sound in ((twin, out), (reference, expected)):
        bank.render(f0, amplitudes, sound)
        bank.advance(f0 * np.float32(1.5), 12345)
        bank.render(f0, amplitudes, sound)
    np.testing.assert_allclose(out, expected, atol=5e-5)
    fresh = oscillator.HarmonicOscillator(2, 8, 48000.0)
    twin.reset()
    for bank, sound in ((twin, out), (fresh, expected)):
        bank.render(f0, amplitudes, sound)
    np.testing.assert_array_equal(out, expected)


def test_wrong_shapes_are_refused() -> None:
    f = np.zeros
    with pytest.raises(ValueError, match="push_frame"):
        stft.push_frame(f((2, 8), "f4"), f((4, 1), "f4"), f(8, "f4"), f((2, 8), "f4"))
    with pytest.raises(ValueError, match="apply_masks"):
        stft.apply_masks(f((2, 5), "c8"), f((3, 6), "f4"), f((3, 2, 5), "c8"))
    with pytest.raises(ValueError, match="overlap_add"):
        stft.overlap_add(
            f((3, 2, 8), "f4"), f(9, "f4"), f((3, 2, 4), "f4"), f((2, 8), "f4"), f((4, 2, 2), "f4")
        )
    with pytest.raises(ValueError, match="soft_masks"):
        soft_masks.soft_masks(f((2, 20), "f4"), f(19, "f4"), 1.0, f((2, 20), "f4"))
    with pytest.raises(ValueError, match="exponent"):
        soft_masks.soft_masks(f((2, 20), "f4"), f(20, "f4"), 99.0, f((2, 20), "f4"))
    bank = oscillator.HarmonicOscillator(2, 8, 48000.0)
    with pytest.raises(ValueError, match="expected"):
        bank.render(f(3, "f4"), f((2, 8), "f4"), f((2, 64), "f4"))
    with pytest.raises(ValueError, match="rows"):
        bank.render(f(2, "f4"), f((2, 8), "f4"), f((1, 64), "f4"))

"""Harmonic oscillator bank: parity, phase over hours, cutting, anti-aliasing, broken input."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.kernels.reference import oscillator as reference

F32 = NDArray[np.float32]


def f32(*values: float) -> F32:
    return np.array(values, np.float32)


@given(
    voices=st.integers(1, 4),
    partials=st.integers(1, 70),
    samplerate=st.sampled_from([8000.0, 16000.0, 44100.0, 48000.0]),
    calls=st.lists(st.integers(1, 700), min_size=1, max_size=4),
    seed=st.integers(0, 2**32 - 1),
)
def test_matches_reference(
    voices: int, partials: int, samplerate: float, calls: list[int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    kernel = _core.HarmonicOscillator(voices, partials, samplerate)
    twin = reference.HarmonicOscillator(voices, partials, samplerate)
    f0 = rng.uniform(60.0, 0.6 * samplerate, voices)
    for frames in calls:
        f0 = f0 * rng.uniform(0.9, 1.1, voices)
        target = np.where(rng.random(voices) < 0.2, 0.0, f0).astype(np.float32)
        amplitudes = rng.standard_normal((voices, partials)).astype(np.float32)
        amplitudes[rng.random(amplitudes.shape) < 0.05] = np.nan
        out = np.full((voices, frames), np.nan, np.float32)
        expected = out.copy()
        kernel.render(target, amplitudes, out)
        twin.render(target, amplitudes, expected)
        # Every partial may be off by the rotation's 2e-6 and by its phase rounding, K * 2^-32 turns.
        scale = 2 * max(1.0, float(np.nansum(np.abs(amplitudes), axis=1).max()))
        np.testing.assert_allclose(out, expected, atol=3e-6 * scale, rtol=0)


def test_a_call_may_be_cut_in_two() -> None:
    """A linear ramp over 480 frames is a ramp to its own value at frame 200 and one over the rest."""
    rng = np.random.default_rng(1)
    start, end = rng.random((2, 3, 40))
    f_start, f_end = np.array([110.0, 220.0, 431.0]), np.array([123.0, 210.0, 440.0])
    cut = 200 / 480
    whole, parts = (_core.HarmonicOscillator(3, 40, 48000.0) for _ in range(2))
    for bank in (whole, parts):
        bank.render(f_start.astype(np.float32), start.astype(np.float32), np.empty((3, 64), np.float32))
    out = np.empty((3, 480), np.float32)
    whole.render(f_end.astype(np.float32), end.astype(np.float32), out)
    first, second = np.empty((3, 200), np.float32), np.empty((3, 280), np.float32)
    between = (f_start + (f_end - f_start) * cut, start + (end - start) * cut)
    parts.render(between[0].astype(np.float32), between[1].astype(np.float32), first)
    parts.render(f_end.astype(np.float32), end.astype(np.float32), second)
    # F0 at the cut is rounded to float32: 1e-5 Hz over 480 frames is 1e-7 turns, times 40 partials.
    np.testing.assert_allclose(np.concatenate((first, second), axis=1), out, atol=3e-4)


def test_steady_calls_are_the_same_samples_however_cut() -> None:
    f0, amplitudes = f32(123.4, 330.0), np.full((2, 30), 0.1, np.float32)
    outs = []
    for cuts in ((1024,), (1, 255, 512, 256), (7,) * 146 + (2,)):
        bank = _core.HarmonicOscillator(2, 30, 44100.0)
        bank.render(f0, amplitudes, np.empty((2, 100), np.float32))
        pieces = [np.empty((2, n), np.float32) for n in cuts]
        for piece in pieces:
            bank.render(f0, amplitudes, piece)
        outs.append(np.concatenate(pieces, axis=1))
    np.testing.assert_array_equal(outs[0], outs[1])
    np.testing.assert_array_equal(outs[0], outs[2])


def test_advance_moves_the_phase_exactly_as_render_does() -> None:
    rng = np.random.default_rng(2)
    rendered, advanced = (_core.HarmonicOscillator(4, 20, 48000.0) for _ in range(2))
    amplitudes = np.ones((4, 20), np.float32)
    for frames in (1, 128, 513, 8192):
        f0 = rng.uniform(80, 900, 4).astype(np.float32) * (rng.random(4) > 0.2)
        rendered.render(f0, amplitudes, np.empty((4, frames), np.float32))
        advanced.advance(f0, frames)
        for key in ("phase", "f0_hz"):
            np.testing.assert_array_equal(rendered.state_dict()[key], advanced.state_dict()[key])


def test_two_hours_at_48_khz_stay_within_a_milliradian_of_float64() -> None:
    samplerate, hop = 48000.0, 512
    hops = int(2 * 3600 * samplerate / hop)
    time = np.arange(hops) * hop / samplerate
    vibrato = 1.0 + 0.02 * np.sin(2 * np.pi * 5.3 * time[:, None] + np.arange(3))
    f0 = (np.array([98.1, 261.7, 1046.5]) * vibrato).astype(np.float32)
    bank = _core.HarmonicOscillator(3, 20, samplerate)
    for row in f0:
        bank.advance(row, hop)

    before = np.vstack((f0[:1], f0[:-1])).astype(np.float64)
    turns = (hop * before + (f0 - before) * (hop + 1) / 2) / samplerate
    phase = np.array([math.fsum(voice) % 1.0 for voice in turns.T % 1.0])
    kernel = bank.state_dict()["phase"].astype(np.float64) / 2.0**64
    drift = (kernel - phase + 0.5) % 1.0 - 0.5
    assert np.abs(2 * np.pi * drift).max() < 1e-6  # rad; the bound asked for is 1e-3

    # The same in sound: partial 1 and partial 20 alone, after a call that only brings their amplitude up.
    for k in (1, 20):
        amplitudes = np.zeros((3, 20), np.float32)
        amplitudes[:, k - 1] = 1.0
        sounding = _core.HarmonicOscillator(3, 20, samplerate)
        sounding.load_state_dict({**bank.state_dict(), "amplitudes": amplitudes})
        out = np.empty((3, 256), np.float32)
        sounding.render(f0[-1], amplitudes, out)
        angle = phase[:, None] + np.arange(1, 257) * f0[-1].astype(np.float64)[:, None] / samplerate
        audible = k * f0[-1] < reference.FADE_START * samplerate / 2
        assert audible.any()
        np.testing.assert_allclose(out[audible], np.sin(2 * np.pi * k * angle)[audible], atol=1e-5)


def test_partials_fold_nowhere() -> None:
    samplerate, n = 16000.0, 16000
    bank = _core.HarmonicOscillator(1, 40, samplerate)
    amplitudes = np.ones((1, 40), np.float32)
    out = np.empty((1, n), np.float32)
    bank.render(f32(900.0), amplitudes, out)
    bank.render(f32(900.0), amplitudes, out)  # steady by now
    level = np.abs(np.fft.rfft(out[0] * np.hanning(n))) / (n / 4)
    partials = np.arange(1, 9) * 900
    np.testing.assert_allclose(level[partials], 1.0, atol=1e-4)  # 7200 Hz is below the fade at 7600 Hz
    elsewhere = np.ones(level.size, bool)
    for f in partials:
        elsewhere[f - 4 : f + 5] = False
    assert 20 * np.log10(level[elsewhere].max()) < -100


def test_a_partial_gliding_into_nyquist_fades_without_a_step() -> None:
    samplerate = 16000.0
    bank = _core.HarmonicOscillator(1, 1, samplerate)
    amplitude = np.ones((1, 1), np.float32)
    bank.render(f32(7000.0), amplitude, np.empty((1, 64), np.float32))
    out = np.empty((1, 32000), np.float32)
    bank.render(f32(8000.0), amplitude, out)
    f = 7000.0 + 1000.0 * np.arange(1, 32001) / 32000
    expected = np.clip((8000.0 - f) / 400.0, 0, 1)
    # Largest sample of every 64 follows the fade; near Nyquist the beat between samples is slower than that.
    peaks = np.abs(out[0]).reshape(-1, 64).max(axis=1)
    high, low = expected.reshape(-1, 64)[:, 0], expected.reshape(-1, 64)[:, -1]
    before_beat = f[::64] < 7700
    assert (peaks <= high + 1e-5).all()
    assert (peaks >= low * 0.97)[before_beat].all()
    assert np.abs(out[0, -1]) < 1e-4


def test_unvoiced_holds_f0_while_fading_and_starts_anew() -> None:
    bank = _core.HarmonicOscillator(1, 1, 48000.0)
    amplitude = np.ones((1, 1), np.float32)
    out = np.empty((1, 480), np.float32)
    bank.render(f32(1000.0), amplitude, out)
    bank.render(f32(0.0), amplitude, out)
    crossings = int((np.diff(np.signbit(out[0, :470])) != 0).sum())
    assert crossings == pytest.approx(470 * 2 * 1000 / 48000, abs=1)
    assert abs(out[0, -1]) < 1e-6
    bank.render(f32(0.0), amplitude, out)
    assert not out.any()
    bank.render(f32(500.0), amplitude, out)
    crossings = int((np.diff(np.signbit(out[0])) != 0).sum())
    assert crossings == pytest.approx(480 * 2 * 500 / 48000, abs=1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -100.0])
def test_broken_f0_is_unvoiced_and_does_not_stay(bad: float) -> None:
    bank = _core.HarmonicOscillator(2, 4, 48000.0)
    amplitudes = np.ones((2, 4), np.float32)
    out = np.empty((2, 64), np.float32)
    bank.render(f32(bad, 200.0), amplitudes, out)
    assert not out[0].any()
    assert np.isfinite(out[1]).all()
    assert out[1].any()
    bank.render(f32(300.0, 200.0), amplitudes, out)
    assert np.isfinite(out).all()
    assert out[0].any()


def test_state_resumes_sample_exactly_and_reset_forgets() -> None:
    rng = np.random.default_rng(3)
    a, b = (_core.HarmonicOscillator(2, 8, 48000.0) for _ in range(2))
    first, second = np.empty((2, 333), np.float32), np.empty((2, 333), np.float32)
    amplitudes = rng.random((2, 8)).astype(np.float32)
    a.render(f32(100.0, 301.0), amplitudes, first)
    fresh = first.copy()
    b.load_state_dict(a.state_dict())
    a.render(f32(120.0, 0.0), amplitudes, first)
    b.render(f32(120.0, 0.0), amplitudes, second)
    np.testing.assert_array_equal(first, second)
    b.reset()
    b.render(f32(100.0, 301.0), amplitudes, second)
    np.testing.assert_array_equal(fresh, second)


def test_wrong_shapes_are_refused_with_both_sizes() -> None:
    bank = _core.HarmonicOscillator(2, 8, 48000.0)
    out, amplitudes = np.empty((2, 64), np.float32), np.zeros((2, 8), np.float32)
    with pytest.raises(ValueError, match=r"f0_hz has shape \[3\], expected \[2\]"):
        bank.render(f32(1, 2, 3), amplitudes, out)
    with pytest.raises(ValueError, match=r"amplitudes has shape \[2, 7\], expected \[2, 8\]"):
        bank.render(f32(1, 2), np.zeros((2, 7), np.float32), out)
    with pytest.raises(ValueError, match=r"out has shape \[1, 64\], expected \[2, 64\]"):
        bank.render(f32(1, 2), amplitudes, np.empty((1, 64), np.float32))
    with pytest.raises(ValueError, match="voices is 0"):
        _core.HarmonicOscillator(0, 8, 48000.0)
    with pytest.raises(ValueError, match="samplerate is nan"):
        _core.HarmonicOscillator(1, 8, math.nan)

"""Source-filter renderer: against the time-domain chain it stands for, against its reference, and its
physics."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import signal

from rtsep.kernels import _core
from rtsep.kernels.lobe import window_lobe
from rtsep.kernels.reference import renderer as reference
from rtsep.kernels.windows import analysis_window

F32 = NDArray[np.float32]
ORDER, BANDS = 20, 40
FLAT = (np.arange(1, ORDER + 1) * np.pi / (ORDER + 1)).astype(np.float32)


def f32(*values: float) -> F32:
    return np.array(values, np.float32)


def hann(n: int) -> F32:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)).astype(np.float32)


def vocal_lsf(seed: int) -> F32:
    gaps = np.random.default_rng(seed).random(ORDER + 1) + 0.3
    return np.cumsum(gaps / gaps.sum() * np.pi)[:ORDER].astype(np.float32)


class Voice:
    """One voice on the bins of one window."""

    def __init__(self, window: F32, samplerate: float, rolloff_db_per_octave: float = 6.0) -> None:
        self.bins = window.size // 2 + 1
        self.kernel = _core.SourceFilterRenderer(
            self.bins, samplerate, ORDER, BANDS, *window_lobe(window), 200.0, rolloff_db_per_octave
        )

    def render(
        self,
        f0_hz: float,
        amplitude: float = 1.0,
        lsf: F32 = FLAT,
        noise_gain: float = 0.0,
        noise_bands: F32 | None = None,
    ) -> F32:
        out = np.full((1, self.bins), np.nan, np.float32)
        bands = np.ones((1, BANDS), np.float32) if noise_bands is None else noise_bands[None]
        self.kernel.render(f32(f0_hz), f32(amplitude), lsf[None], f32(noise_gain), bands, out)
        drawn: F32 = out[0]
        return drawn


@pytest.mark.parametrize("f0_hz", [110.0, 220.0, 523.3])
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("samplerate", "window", "sum_tolerance"),
    [
        (48000.0, analysis_window(4096, 512), 0.05),
        (48000.0, analysis_window(4096, 2048), 0.02),
        (16000.0, analysis_window(1024, 256), 0.08),
        (48000.0, hann(4096), 0.01),
    ],
)
def test_agrees_with_oscillators_and_filter_in_the_time_domain(
    f0_hz: float, seed: int, samplerate: float, window: F32, sum_tolerance: float
) -> None:
    """Oscillator bank -> all-pole filter -> the same window -> FFT, at steady F0: what the renderer draws
    directly."""
    n, hop, lsf = window.size, 2048, vocal_lsf(seed)
    count = int(np.ceil(samplerate / 2 / f0_hz)) - 1
    partials_hz = np.arange(1, count + 1) * f0_hz
    rolloff = 10.0 ** (-6.0 / 20.0 * np.maximum(0.0, np.log2(partials_hz / 200.0)))
    amplitudes = (rolloff / count)[None].astype(np.float32)
    bank = _core.HarmonicOscillator(1, count, samplerate)
    excitation, sound = np.empty((2, 1, 8 * max(n, hop)), np.float32)
    for _ in range(2):  # the first call is the attack
        bank.render(f32(f0_hz), amplitudes, excitation)
    frames = excitation.shape[1] // hop
    _core.AllPoleFilter(ORDER, hop).apply(excitation, np.tile(lsf, (1, frames, 1)), sound)
    starts = range(3 * n, 6 * n, n // 7)
    truth = np.mean([np.abs(np.fft.rfft(window * sound[0, s : s + n])) for s in starts], axis=0)
    drawn = Voice(window, samplerate).render(f0_hz, lsf=lsf)

    # The bank fades partials from 0.95 Nyquist on; the renderer, like the paper, cuts at Nyquist.
    heard = partials_hz < 0.94 * samplerate / 2
    at = np.round(partials_hz[heard] / samplerate * n).astype(int)
    error_db = 20 * np.log10(drawn[at] / truth[at])
    assert np.abs(error_db).max() < 0.5
    assert np.abs(error_db).mean() < 0.15
    below = slice(0, int(0.94 * drawn.size))
    assert drawn[below].sum() / truth[below].sum() == pytest.approx(1.0, abs=sum_tolerance)
    energy = (drawn[below].astype(np.float64) ** 2).sum() / (truth[below] ** 2).sum()
    assert energy == pytest.approx(1.0, abs=0.03)


def test_noise_is_the_rms_of_filtered_uniform_noise() -> None:
    """Uniform noise through the band magnitudes (as an FIR) and the all-pole filter, averaged over 1500
    frames."""
    rng = np.random.default_rng(4)
    window, lsf = analysis_window(1024, 256), vocal_lsf(5)
    bands = (0.3 + rng.random(BANDS)).astype(np.float32)
    grid = np.linspace(0, 1, 513)
    fir = np.roll(np.fft.irfft(np.interp(grid, np.linspace(0, 1, BANDS), bands)), 512)
    lpc = np.empty((1, ORDER + 1))
    _core.lsf_to_lpc(lsf[None], lpc)
    noise = rng.uniform(-1, 1, 1024 * 1501)
    sound = 0.7 * signal.lfilter([1.0], lpc[0], signal.fftconvolve(noise, fir))[1024 : 1024 * 1501]
    power = np.mean(np.abs(np.fft.rfft(window * sound.reshape(1500, 1024), axis=1)) ** 2, axis=0)
    drawn = Voice(window, 16000.0).render(0.0, lsf=lsf, noise_gain=0.7, noise_bands=bands)
    error_db = 20 * np.log10(drawn[2:-2] / np.sqrt(power[2:-2]))
    # A mean power over 1500 frames has a standard deviation of 2.6 %, 0.11 dB.
    assert abs(error_db.mean()) < 0.05
    assert np.abs(error_db).max() < 0.8


@given(
    voices=st.integers(1, 4),
    window=st.sampled_from([analysis_window(256, 64), analysis_window(500, 100), hann(1024)]),
    samplerate=st.sampled_from([8000.0, 44100.0, 96000.0]),
    start_hz=st.floats(50.0, 500.0),
    db_per_octave=st.floats(0.0, 18.0),
    broken=st.floats(0.0, 0.3),
    seed=st.integers(0, 2**32 - 1),
)
def test_matches_reference(
    voices: int,
    window: F32,
    samplerate: float,
    start_hz: float,
    db_per_octave: float,
    broken: float,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    bins = window.size // 2 + 1
    f0_hz, amplitude, gain = rng.uniform(30.0, 2000.0, voices), rng.random(voices), rng.random(voices)
    lsf = np.stack([vocal_lsf(int(s)) for s in rng.integers(0, 1000, voices)])
    bands = rng.random((voices, BANDS))
    arrays: list[F32] = []
    for clean in (f0_hz, amplitude, lsf, gain, bands):
        array = clean.astype(np.float32)
        hit = rng.random(array.shape) < broken
        array[hit] = rng.choice([np.nan, np.inf, -np.inf, -1.0, 0.0], int(hit.sum()))
        arrays.append(array)
    shared = (bins, samplerate, ORDER, BANDS, *window_lobe(window), start_hz, db_per_octave)
    out = np.full((voices, bins), np.nan, np.float32)
    expected = out.copy()
    f0, a, lines, g, m = arrays
    _core.SourceFilterRenderer(*shared).render(f0, a, lines, g, m, out)
    reference.SourceFilterRenderer(*shared).render(f0, a, lines, g, m, expected)
    assert np.isfinite(out).all()
    # Out of order lines may meet: the envelope is bounded, but what it is there is rounding.
    flat = ~np.isfinite(lines).all(axis=1)
    ordered = flat | ((lines[:, 0] > 0) & (lines[:, :-1] < lines[:, 1:]).all(axis=1))
    np.testing.assert_allclose(out[ordered], expected[ordered], rtol=3e-4, atol=1e-6)


def test_partials_share_the_amplitude_and_fall_6_db_per_octave_above_200_hz() -> None:
    n, samplerate = 4096, 48000.0
    f0 = 16 * samplerate / n  # 187.5 Hz: partials on bins
    drawn = Voice(hann(n), samplerate).render(f0, amplitude=0.5)
    count = int(np.ceil(samplerate / 2 / f0)) - 1
    peak = drawn[16] / (hann(n).sum() / 2)
    assert peak == pytest.approx(0.5 / count, rel=1e-4)
    octave_db = 20 * np.log10(drawn[16 * np.array([4, 8, 16])] / drawn[16 * np.array([2, 4, 8])])
    np.testing.assert_allclose(octave_db, -6.0, atol=0.01)
    flat = Voice(hann(n), samplerate, rolloff_db_per_octave=0.0).render(f0)
    np.testing.assert_allclose(flat[16:-16:16], flat[16], rtol=1e-4)


def test_is_linear_in_amplitude_and_noise_gain() -> None:
    voice, lsf = Voice(hann(1024), 16000.0), vocal_lsf(1)
    harmonic, noise = voice.render(203.0, 0.3, lsf), voice.render(203.0, 0.0, lsf, 0.2)
    both = voice.render(203.0, 0.6, lsf, 0.6)
    np.testing.assert_allclose(both, 2 * harmonic + 3 * noise, rtol=1e-5)


@pytest.mark.parametrize("f0_hz", [0.0, -100.0, 5.0, np.nan, np.inf, 8000.0, 1e30])
def test_unvoiced_has_no_harmonic_part(f0_hz: float) -> None:
    voice = Voice(hann(1024), 16000.0)
    assert not voice.render(f0_hz).any()
    np.testing.assert_allclose(
        voice.render(f0_hz, noise_gain=1.0), window_lobe(hann(1024)).noise_level, rtol=1e-4
    )


def test_lobe_is_the_windows_own_spectrum_at_any_fraction_of_a_bin() -> None:
    window = analysis_window(2048, 256)
    lobe = window_lobe(window, reach_bins=3)
    n = np.arange(window.size)
    for phase in (0, 17, 64):
        for column in range(1, 2 * lobe.left + 1):
            bins_off = (column - lobe.left) - phase / 64
            if abs(bins_off) > 3:
                assert lobe.table[phase, column] == 0
                continue
            direct = abs(np.sum(window * np.exp(-2j * np.pi * bins_off * n / window.size))) / 2
            assert lobe.table[phase, column] == pytest.approx(direct, abs=1e-4 * float(lobe.table.max()))
    with pytest.raises(ValueError, match="reach_bins is 0"):
        window_lobe(window, reach_bins=0)


def test_wrong_shapes_are_refused_with_both_sizes() -> None:
    kernel = _core.SourceFilterRenderer(513, 16000.0, ORDER, BANDS, *window_lobe(hann(1024)))
    good = {
        "f0_hz": f32(100),
        "amplitude": f32(1),
        "lsf": FLAT[None],
        "noise_gain": f32(0),
        "noise_bands": np.ones((1, BANDS), np.float32),
        "out": np.empty((1, 513), np.float32),
    }
    kernel.render(**good)
    for name, bad, message in (
        ("f0_hz", np.ones((1, 1), np.float32), "f0_hz has 2 dimensions, expected 1"),
        ("amplitude", f32(1, 2), r"amplitude has shape \[2\], expected \[1\]"),
        ("lsf", FLAT[None, :18].copy(), r"lsf has shape \[1, 18\], expected \[1, 20\]"),
        ("noise_gain", f32(1, 2), r"noise_gain has shape \[2\], expected \[1\]"),
        ("noise_bands", np.ones((1, 39), np.float32), r"noise_bands has shape \[1, 39\], expected \[1, 40\]"),
        ("out", np.empty((1, 512), np.float32), r"out has shape \[1, 512\], expected \[1, 513\]"),
    ):
        with pytest.raises(ValueError, match=message):
            kernel.render(**{**good, name: bad})
    with pytest.raises(ValueError, match="samplerate"):
        _core.SourceFilterRenderer(513, np.nan, ORDER, BANDS, *window_lobe(hann(1024)))

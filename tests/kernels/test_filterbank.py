"""Log-frequency filterbank: partition of unity, independence of the sample rate, parity with the
reference."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtsep.kernels import _core
from rtsep.kernels.filterbank import LogFilterbank, band_weights, hat_weights, log_centres_hz
from rtsep.kernels.reference import filterbank as reference

RATES = (16000, 44100, 48000, 96000)
CENTRES = log_centres_hz(55.0, 14080.0, 24)


def fft_length(samplerate: int) -> int:
    """About 85 ms at every rate, as the engine's windows have."""
    return 2 * round(0.0853 * samplerate / 2)


@given(
    samplerate=st.sampled_from(RATES),
    n_fft=st.integers(16, 600).map(lambda half: 2 * half),
    channels=st.integers(1, 3),
    bands_per_octave=st.integers(1, 48),
    seed=st.integers(0, 2**32 - 1),
)
def test_matches_reference(
    samplerate: int, n_fft: int, channels: int, bands_per_octave: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    centres = log_centres_hz(50.0, 12000.0, bands_per_octave)
    bands = band_weights(centres, samplerate, n_fft)
    spectrum = rng.standard_normal((channels, n_fft // 2 + 1)).astype(np.float32)
    spectrum[rng.random(spectrum.shape) < 0.05] = rng.choice([np.nan, np.inf, -np.inf, 0.0, 1e38])
    out = np.full((channels, centres.size), np.nan, np.float32)
    expected = out.copy()
    _core.Filterbank(*bands, n_fft // 2 + 1, 1e-5).apply(spectrum, out)
    reference.Filterbank(*bands, n_fft // 2 + 1, 1e-5).apply(spectrum, expected)
    np.testing.assert_allclose(out, expected, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("samplerate", RATES)
def test_weights_of_a_band_sum_to_one(samplerate: int) -> None:
    bands = band_weights(CENTRES, samplerate, fft_length(samplerate))
    sums = [bands.weights[a:b].sum() for a, b in zip(bands.offset[:-1], bands.offset[1:], strict=True)]
    np.testing.assert_allclose(sums, (samplerate / 2 >= CENTRES).astype(float), atol=1e-6)


@pytest.mark.parametrize("samplerate", RATES)
def test_triangles_of_wide_bands_are_a_partition_of_unity(samplerate: int) -> None:
    n_fft = fft_length(samplerate)
    bin_hz = samplerate / n_fft
    wide = CENTRES[:-1][np.diff(CENTRES) >= bin_hz]
    f = np.arange(n_fft // 2 + 1) * bin_hz
    # The first wide band's lower side may still be stretched to a bin: start one centre later.
    inside = (f >= wide[1]) & (f <= CENTRES[-1])
    assert inside.sum() > 400
    sums = hat_weights(CENTRES, samplerate, n_fft).sum(axis=0)
    np.testing.assert_allclose(sums[inside], 1.0, atol=1e-9)


@pytest.mark.parametrize("samplerate", RATES)
def test_flat_spectrum_gives_flat_features_and_nothing_above_nyquist(samplerate: int) -> None:
    n_fft = fft_length(samplerate)
    bank = LogFilterbank(samplerate, n_fft, floor=1e-3)
    out = np.empty((1, bank.centres_hz.size), np.float32)
    bank.apply(np.ones((1, n_fft // 2 + 1), np.float32), out)
    above = bank.centres_hz > samplerate / 2
    np.testing.assert_allclose(out[0, ~above], np.log(1.001), atol=1e-5)
    np.testing.assert_allclose(out[0, above], np.log(1e-3), atol=1e-5)


@given(band=st.integers(60, 160), detune=st.floats(-0.4, 0.4))
def test_tone_lands_in_the_same_band_at_every_rate(band: int, detune: float) -> None:
    f_hz = CENTRES[band] * 2 ** (detune / 24)
    for samplerate in RATES:
        n_fft = fft_length(samplerate)
        bank = LogFilterbank(samplerate, n_fft)
        tone = np.hanning(n_fft) * np.sin(2 * np.pi * f_hz * np.arange(n_fft) / samplerate)
        out = np.empty((1, CENTRES.size), np.float32)
        bank.apply(np.abs(np.fft.rfft(tone))[None].astype(np.float32), out)
        assert abs(int(out[0].argmax()) - band) <= (0 if abs(detune) < 0.25 else 1)


def test_grid_does_not_depend_on_the_rate() -> None:
    for samplerate in RATES:
        np.testing.assert_array_equal(LogFilterbank(samplerate, 2048).centres_hz, CENTRES)
    np.testing.assert_allclose(CENTRES[[0, 24, -1]], [55.0, 110.0, 14080.0])


def test_keeps_its_own_copy_of_the_layout() -> None:
    bands = band_weights(CENTRES, 48000, 4096)
    kernel = _core.Filterbank(*bands, 2049, 1e-5)
    spectrum = np.random.default_rng(0).random((1, 2049), np.float32)
    before, after = (np.empty((1, CENTRES.size), np.float32) for _ in range(2))
    kernel.apply(spectrum, before)
    bands.first_bin[:] = 2**30
    kernel.apply(spectrum, after)
    np.testing.assert_array_equal(before, after)


def test_wrong_shapes_and_types_are_refused() -> None:
    bank = LogFilterbank(48000, 4096)
    out = np.empty((1, CENTRES.size), np.float32)
    with pytest.raises(ValueError, match=r"spectrum has shape \[1, 2048\], expected \[1, 2049\]"):
        bank.apply(np.zeros((1, 2048), np.float32), out)
    with pytest.raises(ValueError, match=rf"out has shape \[1, 3\], expected \[1, {CENTRES.size}\]"):
        bank.apply(np.zeros((1, 2049), np.float32), np.empty((1, 3), np.float32))
    with pytest.raises(TypeError):
        bank.apply(np.zeros((1, 2049), np.float64), out)
    with pytest.raises(TypeError):
        bank.apply(np.zeros((1, 4098), np.float32)[:, ::2], out)
    with pytest.raises(ValueError, match="outside the spectrum"):
        _core.Filterbank(np.array([2], np.int32), np.array([0, 3], np.int32), np.ones(3, np.float32), 4, 1e-5)
    with pytest.raises(ValueError, match="floor"):
        LogFilterbank(48000, 4096, floor=0.0)
    with pytest.raises(ValueError, match="f_min_hz"):
        log_centres_hz(100.0, 50.0, 12)

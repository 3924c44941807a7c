"""The demo's choir is what it says: same samples, true pitches, voices of like level."""

import numpy as np
import pytest

from rtsep.bench.demo.choir import CHORD_S, CHORDS, Choir, render_choir


@pytest.fixture(scope="module")
def choir() -> Choir:
    return render_choir(samplerate=16000)


def test_same_seed_same_samples(choir: Choir) -> None:
    np.testing.assert_array_equal(render_choir(samplerate=16000).voices, choir.voices)
    assert not np.array_equal(render_choir(samplerate=16000, seed=2).voices, choir.voices)


def test_the_mixture_is_the_sum_and_does_not_clip(choir: Choir) -> None:
    np.testing.assert_allclose(choir.mixture, choir.voices.sum(axis=0), atol=1e-6)
    assert np.abs(choir.mixture).max() == pytest.approx(0.5, abs=1e-3)


def test_pitches_are_the_written_notes(choir: Choir) -> None:
    for index, chord in enumerate(CHORDS):
        middle = np.abs(choir.times_s - (index + 0.5) * CHORD_S) < 0.4
        midi = 69 + 12 * np.log2(np.median(choir.f0_hz[middle], axis=0) / 440)
        np.testing.assert_allclose(midi, chord, atol=0.25)


def test_the_truth_of_f0_is_the_pitch_of_the_sound(choir: Choir) -> None:
    """The spectrum of a steady second of each voice has its first peak where the contour says."""
    window = np.hanning(8192)
    start = round(4.6 * choir.samplerate)
    rows = (choir.times_s >= 4.6) & (choir.times_s < 4.6 + 8192 / choir.samplerate)
    for voice, contour in zip(choir.voices, choir.f0_hz.T, strict=True):
        spectrum = np.abs(np.fft.rfft(voice[start : start + 8192] * window))
        expected = contour[rows].mean()
        bins = np.arange(spectrum.size) * choir.samplerate / 8192
        near = (bins > 0.8 * expected) & (bins < 1.2 * expected)
        assert bins[near][np.argmax(spectrum[near])] == pytest.approx(expected, rel=0.02)


def test_voices_are_of_like_level(choir: Choir) -> None:
    rms_db = 20 * np.log10(np.sqrt((choir.voices**2).mean(axis=1)))
    assert np.ptp(rms_db) < 6

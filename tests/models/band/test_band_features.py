"""The grid of a band model: in Hz, the same at every rate, and back to bins."""

import numpy as np
import pytest

from rtsep.kernels.windows import analysis_window
from rtsep.models.band.features import BANDS, FLOOR_POWER, BandFeatures, BandMasks, band_centres_hz
from rtsep.models.framing import Framing
from rtsep.rt.hop.presets import Preset

RATES = (16000, 22050, 32000, 44100, 48000, 96000)
PRESETS_MS = (5, 11, 21, 43)


def spectrum_of(signal: np.ndarray, framing: Framing) -> np.ndarray:
    """Spectrum [channels, bins] of the first frame of signal [channels, samples]."""
    window = analysis_window(framing.window_samples, framing.half_overlap)
    return np.fft.rfft(signal[:, : framing.window_samples] * window).astype(np.complex64)


def bands_of(signal: np.ndarray, framing: Framing) -> np.ndarray:
    """Features [BANDS] of the first frame."""
    out = np.empty((1, BANDS), np.float32)
    BandFeatures(framing).read(spectrum_of(signal, framing), out)
    return out[0]


def tone(f_hz: float, framing: Framing) -> np.ndarray:
    """A full-scale sine [1, samples]."""
    return np.sin(2 * np.pi * f_hz * np.arange(framing.window_samples) / framing.samplerate)[None]


def test_the_grid() -> None:
    centres = band_centres_hz()
    assert centres.shape == (BANDS,) == (128,)
    np.testing.assert_allclose(centres[[0, 1, 63, 127]], [15, 30, 960, 16000])
    steps = np.diff(centres)
    assert (steps > 0).all()
    np.testing.assert_allclose(steps[:63], 15)
    np.testing.assert_allclose(centres[65:] / centres[64:-1], centres[64] / centres[63])


@pytest.mark.parametrize("latency_ms", PRESETS_MS)
@pytest.mark.parametrize("f_hz", [60.0, 440.0, 3000.0])
def test_a_tone_has_the_same_place_and_level_at_every_rate(f_hz: float, latency_ms: int) -> None:
    centres = band_centres_hz()
    found = []
    for rate in RATES:
        bands = bands_of(tone(f_hz, Preset(rate, latency_ms).framing), Preset(rate, latency_ms).framing)
        # The two bins beside a tone are shared out over up to three bands of their width.
        assert abs(int(bands.argmax()) - int(np.abs(centres - f_hz).argmin())) <= 1
        found.append(bands)
    # A tone midway between two bins loses up to 2 dB of its lobe's top in both, and a band's average over
    # them another: bins are 14.4 Hz wide at some rates and 15.6 at others. Rates of the same bins agree.
    peaks = np.array([bands.max() for bands in found]) * 10 / np.log(10)
    assert np.ptp(peaks) < 3.0
    by_bin = {round(Preset(rate, 11).framing.bin_hz, 2) for rate in RATES}
    assert len(by_bin) == 2
    near = found[0] > found[0].max() - np.log(1e6)  # within 60 dB of the tone
    np.testing.assert_allclose(found[0][near], found[4][near], atol=0.05)


@pytest.mark.parametrize("rate", RATES)
def test_silence_and_bands_above_nyquist_hold_the_floor(rate: int) -> None:
    framing = Preset(rate, 11).framing
    silence = bands_of(np.zeros((2, framing.window_samples)), framing)
    np.testing.assert_allclose(silence, np.log(FLOOR_POWER), atol=1e-5)
    rng = np.random.default_rng(0)
    noise = bands_of(rng.standard_normal((1, framing.window_samples)), framing)
    above = band_centres_hz() > rate / 2
    np.testing.assert_allclose(noise[above], np.log(FLOOR_POWER), atol=1e-5)
    assert (noise[~above] > np.log(FLOOR_POWER) + 5).all()


def test_power_is_the_mean_over_channels_and_opposite_channels_do_not_cancel() -> None:
    framing = Preset(48000, 21).framing
    mono = tone(440.0, framing)
    np.testing.assert_allclose(
        bands_of(np.vstack((mono, -mono)), framing), bands_of(mono, framing), atol=1e-5
    )
    half = bands_of(np.vstack((mono, 0 * mono)), framing)
    peak = half.argmax()
    assert half[peak] == pytest.approx(bands_of(mono, framing)[peak] - np.log(2), abs=1e-4)


@pytest.mark.parametrize("rate", [8000, *RATES])
def test_gains_meet_their_bands_and_the_last_is_held(rate: int) -> None:
    framing = Preset(rate, 11).framing
    f, centres = np.arange(framing.bins) * framing.bin_hz, band_centres_hz()
    gains = np.linspace(0, 1, BANDS, dtype=np.float32)[None]
    masks = np.empty((1, framing.bins), np.float32)
    BandMasks(framing).render(gains, masks)
    np.testing.assert_allclose(masks[0], np.interp(f, centres, gains[0]), atol=1e-6)
    assert (masks[0, f > 16000] == 1).all()

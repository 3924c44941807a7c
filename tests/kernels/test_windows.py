"""Analysis and synthesis windows: their product is what makes latency and perfect reconstruction."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal

from rtsep.kernels.lobe import window_response
from rtsep.kernels.windows import analysis_window, energy_centre_samples, synthesis_window
from rtsep.rt.hop.presets import OVERLAP_AT_48K, Preset

PRESETS = [
    Preset(rate, ms)
    for rate in (8000, 16000, 22050, 32000, 44100, 48000, 88200, 96000, 192000)
    for ms in OVERLAP_AT_48K
]
BY_NAME = pytest.mark.parametrize("preset", PRESETS, ids=lambda p: f"{p.samplerate}-{p.latency_ms}")


def product(preset: Preset) -> NDArray[np.float64]:
    """Of both windows over the last 2M samples, where the synthesis window lies."""
    n, m = preset.window_samples, preset.half_overlap
    analysis = analysis_window(n, m)[n - 2 * m :].astype(np.float64)
    return analysis * synthesis_window(n, m)


@BY_NAME
def test_product_is_the_periodic_hann_window(preset: Preset) -> None:
    expected = signal.get_window("hann", 2 * preset.half_overlap, fftbins=True)
    np.testing.assert_allclose(product(preset), expected, atol=3e-7)


@BY_NAME
def test_products_overlap_add_to_one(preset: Preset) -> None:
    weight, m = product(preset), preset.half_overlap
    assert preset.hop == m
    np.testing.assert_allclose(weight[:m] + weight[m:], 1.0, atol=3e-7)


@BY_NAME
def test_analysis_window_rises_slowly_falls_fast_and_stays_within_one(preset: Preset) -> None:
    n, m = preset.window_samples, preset.half_overlap
    window = analysis_window(n, m)
    assert window.dtype == np.float32
    assert window.shape == (n,)
    assert window[0] == 0.0
    assert window.min() >= 0.0
    assert window.max() == 1.0
    assert window[n - m] == 1.0
    assert (np.diff(window[: n - m + 1]) >= 0).all()
    assert (np.diff(window[n - m :]) <= 0).all()


@BY_NAME
def test_synthesis_window_is_finite_and_amplifies_little(preset: Preset) -> None:
    """What a mask does to a frame is amplified by the synthesis window alone: it must not be large."""
    window = synthesis_window(preset.window_samples, preset.half_overlap)
    assert window.shape == (2 * preset.half_overlap,)
    assert np.isfinite(window).all()
    assert window.min() >= 0.0
    assert window.max() < 1.03


@pytest.mark.parametrize("half_overlap", [1, 2, 64, 512])
def test_the_shortest_window_is_a_sqrt_hann_on_both_sides(half_overlap: int) -> None:
    expected = np.sqrt(signal.get_window("hann", 2 * half_overlap, fftbins=True))
    np.testing.assert_allclose(analysis_window(2 * half_overlap, half_overlap), expected, atol=1e-7)
    np.testing.assert_allclose(synthesis_window(2 * half_overlap, half_overlap), expected, atol=1e-7)


@pytest.mark.parametrize("latency_ms", OVERLAP_AT_48K)
def test_main_lobe_is_narrower_than_a_hann_window_of_the_latency(latency_ms: int) -> None:
    """The point of the long window: half-power width against that of a symmetric window of 2M samples."""
    preset = Preset(48000, latency_ms)

    def half_power_hz(window: NDArray[np.float32]) -> float:
        response = window_response(window, reach_bins=8, phases=64)
        return 2.0 * float(np.argmax(response < np.sqrt(0.5))) / 64 * preset.samplerate / window.size

    short = half_power_hz(synthesis_window(preset.latency_samples, preset.half_overlap))
    long = half_power_hz(analysis_window(preset.window_samples, preset.half_overlap))
    assert long < 20.0
    assert short / long > {5: 9.0, 11: 4.5, 21: 2.3, 43: 1.25}[latency_ms]


@pytest.mark.parametrize(("n", "m"), [(64, 0), (64, -1), (64, 33), (0, 1)])
def test_windows_that_cannot_be_are_refused(n: int, m: int) -> None:
    for make in (analysis_window, synthesis_window):
        with pytest.raises(ValueError, match=f"window of {n} samples with half overlap {m}"):
            make(n, m)


def test_the_energy_of_a_symmetric_window_lies_in_its_middle() -> None:
    assert energy_centre_samples(512, 256) == pytest.approx(256, abs=1e-6)


@pytest.mark.parametrize("latency_ms", OVERLAP_AT_48K)
def test_the_energy_of_an_asymmetric_window_lies_late_but_before_its_fall(latency_ms: int) -> None:
    preset = Preset(48000, latency_ms)
    centre = energy_centre_samples(preset.window_samples, preset.half_overlap)
    assert preset.half_overlap < centre < preset.window_samples / 2

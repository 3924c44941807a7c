"""Peak picker: parity, interpolation, leakage, level, and spectra that are no spectra."""

import numpy as np
import pytest
from helpers.frames import BIN_HZ, BINS, EDGES, HALF, SAMPLERATE, WINDOW, chord_amplitudes, edge_amplitude
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.kernels.lobe import window_leakage
from rtsep.kernels.reference import peaks as reference
from rtsep.kernels.windows import analysis_window

F32 = NDArray[np.float32]
PHASES, ROOM, TOP_HZ = 8, 96, 5000.0


def leakage() -> F32:
    return window_leakage(analysis_window(WINDOW, HALF), reach_bins=40, phases=PHASES)


def pickers() -> tuple[_core.PeakPicker, reference.PeakPicker]:
    sizes = (BIN_HZ, TOP_HZ, leakage(), PHASES)
    return _core.PeakPicker(*sizes), reference.PeakPicker(*sizes)


def found_by(picker: _core.PeakPicker | reference.PeakPicker, amplitude: F32) -> tuple[F32, F32]:
    hz, weight = np.full((2, ROOM), np.nan, np.float32)
    count = picker.find(amplitude, hz, weight)
    assert not hz[count:].any()
    assert not weight[count:].any()
    return hz[:count].copy(), weight[:count].copy()


def assert_same(amplitude: F32) -> tuple[F32, F32]:
    kernel, twin = pickers()
    (hz, weight), (expected_hz, expected) = found_by(kernel, amplitude), found_by(twin, amplitude)
    assert hz.shape == expected_hz.shape
    np.testing.assert_allclose(hz, expected_hz, rtol=1e-6)
    np.testing.assert_allclose(weight, expected, atol=2e-6)
    return hz, weight


def test_constants_agree() -> None:
    for name, value in _core.PeakPicker.CONSTANTS.items():
        assert np.float32(getattr(reference, name)) == np.float32(value), name


@pytest.mark.parametrize("f0_hz", [(110.0,), (220.0, 330.0), (523.0, 392.0, 262.0, 131.0)])
def test_matches_reference_on_chords(f0_hz: tuple[float, ...]) -> None:
    for amplitude in chord_amplitudes(f0_hz, frames=25):
        hz, weight = assert_same(amplitude)
        assert hz.size >= 5
        assert weight.max() == 1.0


@pytest.mark.parametrize("seed", range(20))
def test_matches_reference_on_noise(seed: int) -> None:
    rng = np.random.default_rng(seed)
    assert_same((10.0 ** rng.uniform(-5, 0, rng.integers(5, BINS + 1))).astype(np.float32))


@pytest.mark.parametrize("name", EDGES)
def test_matches_reference_on_edges_and_says_nothing_that_is_not_finite(name: str) -> None:
    hz, weight = assert_same(edge_amplitude(name))
    assert np.isfinite(hz).all()
    assert ((weight > 0) & (weight <= 1)).all()
    if name in ("silence", "DC", "all equal", "all NaN", "all Inf"):
        assert hz.size == 0


def test_no_memory_of_a_broken_frame() -> None:
    kernel, _ = pickers()
    amplitude = next(chord_amplitudes((220.0,), 1))
    before = found_by(kernel, amplitude)
    for name in EDGES:
        found_by(kernel, edge_amplitude(name))
    np.testing.assert_array_equal(found_by(kernel, amplitude), before)


@pytest.mark.parametrize("hz", [100.0, 441.3, 1003.9, 4321.0])
@pytest.mark.parametrize("level_db", [0.0, -40.0, -70.0])
def test_a_sine_is_one_peak_within_a_fortieth_of_a_bin(hz: float, level_db: float) -> None:
    """Lobes of the long window have sidelobes: none may pass for a peak."""
    t = np.arange(WINDOW) / SAMPLERATE
    window = analysis_window(WINDOW, HALF)
    sine = 10 ** (level_db / 20) * np.sin(2 * np.pi * hz * t)
    amplitude = (np.abs(np.fft.rfft(sine * window)) * 2 / window.sum()).astype(np.float32)
    found, weight = found_by(pickers()[0], amplitude)
    assert found.size == 1
    assert abs(found[0] - hz) < BIN_HZ / 40
    assert weight[0] == 1.0


def test_peaks_below_the_gate_and_far_below_the_strongest_do_not_count() -> None:
    amplitude = np.full(BINS, 1e-9, np.float32)
    amplitude[[50, 150, 250]] = 1.0, 10 ** (-40 / 20), 10 ** (-60 / 20)
    hz, weight = found_by(pickers()[0], amplitude)
    np.testing.assert_allclose(np.round(hz / BIN_HZ), [50, 150])
    assert 0.1 < weight[1] < 0.2
    amplitude *= np.float32(10 ** (-74 / 20))
    np.testing.assert_allclose(np.round(found_by(pickers()[0], amplitude)[0] / BIN_HZ), [50])
    assert found_by(pickers()[0], amplitude * np.float32(0.5))[0].size == 0


def test_the_loudest_are_kept_when_room_is_short() -> None:
    amplitude = next(chord_amplitudes((220.0, 330.0), 1))
    all_hz, _ = found_by(pickers()[0], amplitude)
    hz, weight = np.empty((2, 5), np.float32)
    assert pickers()[0].find(amplitude, hz, weight) == 5
    np.testing.assert_array_equal(hz, all_hz[:5])


def test_wrong_shapes_are_refused() -> None:
    kernel, good = pickers()[0], np.zeros(BINS, np.float32)
    eight, nine = np.zeros(8, np.float32), np.zeros(9, np.float32)
    for amplitude, hz, weight in [(good[:4], eight, eight), (good, eight, nine), (good[None], eight, eight)]:
        with pytest.raises(ValueError, match=r"PeakPicker\.find"):
            kernel.find(amplitude.copy(), hz.copy(), weight.copy())
    with pytest.raises(TypeError):
        kernel.find(good.astype(np.float64), eight, eight)  # type: ignore[arg-type]
    for bin_hz, top_hz, table, phases in [(0, 5e3, eight, 8), (15, 60, eight, 8), (15, 5e3, eight[:1], 8)]:
        with pytest.raises(ValueError, match="PeakPicker"):
            _core.PeakPicker(bin_hz, top_hz, table.copy(), phases)

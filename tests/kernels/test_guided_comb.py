"""Guided comb: parity with state carried, the adaptive comb as a special case, and predictions of any
kind."""

from types import ModuleType

import numpy as np
import pytest
from helpers.frames import BIN_HZ, BINS, HALF, WINDOW, chord_amplitudes
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.kernels.comb_model import BANDS, INTERHARMONIC_FLOOR, PRIOR_SHARE, QUIETEST, UNSEEN
from rtsep.kernels.lobe import window_response
from rtsep.kernels.reference import guided_comb as reference
from rtsep.kernels.windows import analysis_window

F32 = NDArray[np.float32]
CHORD = (523.25, 440.0, 329.63, 196.0)
LOBE = window_response(analysis_window(WINDOW, HALF), reach_bins=5, phases=32) ** 2


class Guided:
    """A guided comb, its state and its outputs."""

    def __init__(self, module: ModuleType, voices: int) -> None:
        self.kernel = module.GuidedComb(voices, BINS, BIN_HZ, LOBE, 32, 0.125, 1e-10)
        self.envelope = np.full((voices, BANDS), UNSEEN, np.float32)
        self.before_hz = np.zeros(voices, np.float32)
        self.partials = np.full((voices, reference.PARTIALS, 3), np.nan, np.float32)
        self.masks, self.levels_db = np.full((voices, BINS), np.nan, np.float32), np.zeros(voices, np.float32)

    def observe(self, power: F32, f0_hz: F32) -> F32:
        self.kernel.observe(power, f0_hz, self.envelope, self.before_hz, self.partials)
        return self.partials

    def mask(self, level: F32, trust: F32, noise: F32) -> F32:
        self.kernel.mask(level, trust, noise, self.masks, self.levels_db)
        return self.masks


def f32(*values: float) -> F32:
    return np.array(values, np.float32)


@given(voices=st.integers(1, 4), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=15)
def test_matches_reference(voices: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    kernel, twin = (Guided(module, voices) for module in (_core, reference))
    for amplitude in chord_amplitudes(CHORD[:voices], frames=12):
        f0_hz = f32(*CHORD[:voices]) * (1 + 0.01 * rng.standard_normal(voices)).astype(np.float32)
        f0_hz[rng.random(voices) < 0.2] = 0
        said = [guided.observe(amplitude**2, f0_hz) for guided in (kernel, twin)]
        np.testing.assert_allclose(*said, rtol=1e-3, atol=3e-3)
        level = (said[1][:, :, 0] + rng.normal(0, 3, (voices, reference.PARTIALS))).astype(np.float32)
        trust = rng.random((voices, reference.PARTIALS), np.float32)
        noise = rng.uniform(-25, -8, (voices, BANDS)).astype(np.float32)
        for guided in (kernel, twin):
            guided.mask(level, trust, noise)
        np.testing.assert_allclose(kernel.masks, twin.masks, atol=5e-4)
        np.testing.assert_allclose(kernel.levels_db, twin.levels_db, atol=1e-2)
        np.testing.assert_allclose(kernel.envelope, twin.envelope, atol=1e-3)
        assert (kernel.masks >= 0).all()
        assert (kernel.masks.sum(axis=0, dtype=np.float64) <= 1 + 1e-6).all()


def test_guided_by_its_own_reading_it_is_the_adaptive_comb() -> None:
    """The adaptive comb's levels: its fit, blended with its envelope by 0.8. Trust 0 in that blend, started
    there, with its inter-harmonic floor as noise, is one more fit: masks differ by what two more updates
    move."""
    guided = Guided(_core, 2)
    adaptive = _core.AdaptiveComb(2, BINS, BIN_HZ, LOBE, 32, 0.125, 1.0, 1e-10)
    envelope = np.full((2, BANDS), UNSEEN, np.float32)
    active, before, levels = np.zeros(2, np.float32), np.zeros(2, np.float32), np.zeros(2, np.float32)
    masks = np.zeros((2, BINS), np.float32)
    for amplitude in chord_amplitudes(CHORD[:2], frames=30):
        f0_hz = f32(*CHORD[:2])
        adaptive.step(amplitude**2, f0_hz, envelope, active, before, masks, levels)
        said = guided.observe(amplitude**2, f0_hz)
        np.testing.assert_array_equal(guided.envelope, envelope)
        blended = said[:, :, 0] + np.float32(PRIOR_SHARE) * (said[:, :, 1] - said[:, :, 0])
        noise = np.maximum(envelope + np.float32(np.log(INTERHARMONIC_FLOOR)), QUIETEST)
        guided.mask(blended, np.ones_like(blended), noise)
        np.testing.assert_allclose(guided.masks, masks, atol=2e-3)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, -1e30])
def test_any_prediction_leaves_finite_shares(value: float) -> None:
    for spoilt in range(3):
        kernel, twin = (Guided(module, 2) for module in (_core, reference))
        power = next(chord_amplitudes(CHORD[:2], 1)) ** 2
        for guided in (kernel, twin):
            guided.observe(power, f32(*CHORD[:2]))
            said = [
                np.full((2, reference.PARTIALS), -10, np.float32),
                np.full((2, reference.PARTIALS), 0.5, np.float32),
                np.full((2, BANDS), -20, np.float32),
            ]
            said[spoilt][0, :20] = value
            guided.mask(*said)
        assert np.isfinite(kernel.masks).all()
        assert (kernel.masks.sum(axis=0, dtype=np.float64) <= 1 + 1e-6).all()
        np.testing.assert_allclose(kernel.masks, twin.masks, atol=5e-4)


def test_wrong_shapes_are_refused() -> None:
    guided = Guided(_core, 2)
    power, f0_hz = np.zeros(BINS, np.float32), f32(1.0, 2.0)
    arrays = [power, f0_hz, guided.envelope, guided.before_hz, guided.partials]
    for i, array in enumerate(arrays):
        with pytest.raises(ValueError, match="expected"):
            guided.kernel.observe(*arrays[:i], array[:-1].copy(), *arrays[i + 1 :])
    level = np.zeros((2, reference.PARTIALS), np.float32)
    noise = np.zeros((2, BANDS), np.float32)
    arrays = [level, level, noise, guided.masks, guided.levels_db]
    for i, array in enumerate(arrays):
        with pytest.raises(ValueError, match="expected"):
            guided.kernel.mask(*arrays[:i], array[:-1].copy(), *arrays[i + 1 :])

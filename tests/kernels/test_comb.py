"""Adaptive comb: parity with state carried, masks that are shares, levels, broken power and pitches."""

from types import ModuleType

import numpy as np
import pytest
from helpers.frames import BIN_HZ, BINS, EDGES, HALF, WINDOW, chord_amplitudes, edge_amplitude
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rtsep.kernels import _core, comb_model
from rtsep.kernels.comb_model import BANDS, UNSEEN
from rtsep.kernels.lobe import window_response
from rtsep.kernels.reference import comb as reference
from rtsep.kernels.windows import analysis_window

F32 = NDArray[np.float32]
CHORD = (523.25, 440.0, 329.63, 196.0)  # no voice sings an overtone of another
LOBE = window_response(analysis_window(WINDOW, HALF), reach_bins=5, phases=32) ** 2


class Comb:
    """A comb, its state and its outputs."""

    def __init__(self, module: ModuleType, voices: int, bins: int = BINS, bin_hz: float = BIN_HZ) -> None:
        self.kernel = module.AdaptiveComb(voices, bins, bin_hz, LOBE, 32, 0.125, 0.98, 1e-10)
        self.envelope = np.full((voices, BANDS), UNSEEN, np.float32)
        self.active, self.before_hz = np.zeros((2, voices), np.float32)
        self.masks, self.levels_db = np.full((voices, bins), np.nan, np.float32), np.zeros(voices, np.float32)

    def step(self, power: F32, f0_hz: F32) -> F32:
        state = (self.envelope, self.active, self.before_hz)
        self.kernel.step(power, f0_hz, *state, self.masks, self.levels_db)
        return self.masks


def f32(*values: float) -> F32:
    return np.array(values, np.float32)


def assert_shares(masks: F32) -> None:
    assert ((masks >= 0) & (masks <= 1)).all()
    assert (masks.sum(axis=0, dtype=np.float64) <= 1 + 1e-6).all()


def assert_same(kernel: Comb, twin: Comb) -> None:
    np.testing.assert_allclose(kernel.masks, twin.masks, atol=2e-4)
    np.testing.assert_allclose(kernel.envelope, twin.envelope, atol=1e-3)  # log power: 0.004 dB
    np.testing.assert_allclose(kernel.levels_db, twin.levels_db, atol=1e-2)
    np.testing.assert_allclose(kernel.active, twin.active, rtol=1e-5)
    np.testing.assert_array_equal(kernel.before_hz, twin.before_hz)
    assert_shares(kernel.masks)


def test_constants_agree() -> None:
    for name, value in _core.AdaptiveComb.CONSTANTS.items():
        assert np.float32(getattr(comb_model, name)) == np.float32(value), name
    assert (_core.AdaptiveComb.BANDS, _core.AdaptiveComb.UNSEEN) == (BANDS, UNSEEN)


@pytest.mark.parametrize("voices", [1, 2, 3, 4])
def test_matches_reference_on_a_moving_chord_with_rests(voices: int) -> None:
    rng = np.random.default_rng(voices)
    kernel, twin = (Comb(module, voices) for module in (_core, reference))
    for i, amplitude in enumerate(chord_amplitudes(CHORD[:voices], frames=30)):
        f0_hz = f32(*CHORD[:voices]) * (1 + 0.01 * rng.standard_normal(voices)).astype(np.float32)
        if 10 <= i < 15:
            f0_hz[0] = 0
        for comb in (kernel, twin):
            comb.step(amplitude**2, f0_hz)
        assert_same(kernel, twin)


@given(
    voices=st.integers(1, 4),
    bins=st.integers(8, 400),
    bin_hz=st.floats(5.0, 60.0, width=32),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=15)
def test_matches_reference_on_any_spectrum(voices: int, bins: int, bin_hz: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    kernel, twin = (Comb(module, voices, bins, bin_hz) for module in (_core, reference))
    for _ in range(20):
        power = (10.0 ** rng.uniform(-12, 0, bins)).astype(np.float32)
        f0_hz = np.where(rng.random(voices) < 0.2, 0, rng.uniform(20, 1200, voices)).astype(np.float32)
        for comb in (kernel, twin):
            comb.step(power, f0_hz)
        assert_same(kernel, twin)


@pytest.mark.parametrize("name", EDGES)
def test_edges_match_and_leave_finite_state_and_masks(name: str) -> None:
    kernel, twin = (Comb(module, 2) for module in (_core, reference))
    frames = list(chord_amplitudes(CHORD[:2], frames=6))
    # the square of "huge" and of "Inf" overflows: that is how a broken spectrum reaches the comb
    with np.errstate(over="ignore", invalid="ignore"):
        broken = edge_amplitude(name) ** 2
    for power in [f**2 for f in frames[:5]] + [broken] * 3:
        for comb in (kernel, twin):
            comb.step(power, f32(*CHORD[:2]))
        assert_same(kernel, twin)
        for array in (kernel.masks, kernel.envelope, kernel.levels_db, kernel.active):
            assert np.isfinite(array).all()


@pytest.mark.parametrize("name", ["NaN", "all NaN", "Inf", "all Inf", "huge", "negative"])
def test_masks_recover_after_a_broken_frame(name: str) -> None:
    """After 105 hops (0.56 s) one broken hop has moved less than one percent of the power."""
    broken, clean = (Comb(_core, 2) for _ in range(2))
    frames = [f**2 for f in chord_amplitudes(CHORD[:2], frames=110)]
    for i, power in enumerate(frames):
        with np.errstate(over="ignore", invalid="ignore"):
            broken.step(edge_amplitude(name) ** 2 if i == 5 else power, f32(*CHORD[:2]))
        clean.step(power, f32(*CHORD[:2]))
    assert (np.abs(broken.masks - clean.masks) * frames[-1]).sum() < 0.01 * (clean.masks * frames[-1]).sum()


@pytest.mark.parametrize("f0_hz", [0.0, -100.0, 1e-30, 19.9, 1e30, np.nan, np.inf, -np.inf])
def test_pitches_that_are_none_leave_everything_to_the_residual(f0_hz: float) -> None:
    kernel, twin = (Comb(module, 1) for module in (_core, reference))
    power = next(chord_amplitudes((220.0,), 1)) ** 2
    for comb in (kernel, twin):
        comb.step(power, f32(f0_hz))
    assert not kernel.masks.any()
    assert_same(kernel, twin)


def test_after_a_muted_input_the_voices_are_as_they_were() -> None:
    """A score goes on giving pitches while the microphone is muted."""
    comb = Comb(_core, 2)
    frames = [f**2 for f in chord_amplitudes(CHORD[:2], frames=30)]
    for power in frames:
        comb.step(power, f32(*CHORD[:2]))
    envelope, masks = comb.envelope.copy(), comb.masks.copy()
    for _ in range(200):
        comb.step(np.zeros(BINS, np.float32), f32(*CHORD[:2]))
    np.testing.assert_array_equal(comb.envelope, envelope)
    comb.step(frames[-1], f32(*CHORD[:2]))
    np.testing.assert_allclose(comb.masks, masks, atol=0.05)


def test_silence_has_the_level_of_silence() -> None:
    comb = Comb(_core, 2)
    comb.step(np.zeros(BINS, np.float32), np.zeros(2, np.float32))
    assert not comb.masks.any()
    np.testing.assert_array_equal(comb.levels_db, np.float32(-120))


def test_a_silent_voice_fades_to_nothing() -> None:
    comb = Comb(_core, 1)
    frames = [f**2 for f in chord_amplitudes((220.0,), 10)]
    for power in frames:
        comb.step(power, f32(220.0))
    between = int(5.5 * 220.0 / BIN_HZ)
    before = 1.0
    for _ in range(400):
        now = float(comb.step(frames[-1], f32(0.0))[0, between])
        assert now <= before
        before = now
    assert comb.active[0] == pytest.approx(0.98**400, rel=1e-4)


def test_levels_follow_the_power() -> None:
    quiet, loud = Comb(_core, 2), Comb(_core, 2)
    for amplitude in chord_amplitudes(CHORD[:2], frames=20):
        quiet.step(amplitude**2, f32(*CHORD[:2]))
        loud.step(amplitude**2 * np.float32(100), f32(*CHORD[:2]))
    np.testing.assert_allclose(loud.levels_db - quiet.levels_db, 20.0, atol=0.05)


def test_wrong_shapes_are_refused() -> None:
    comb = Comb(_core, 2, 50)
    arrays = [
        np.zeros(50, np.float32),
        f32(1.0, 2.0),
        comb.envelope,
        comb.active,
        comb.before_hz,
        comb.masks,
        comb.levels_db,
    ]
    for i, array in enumerate(arrays):
        for wrong in (array[:-1].copy(), array[None].copy()):
            with pytest.raises(ValueError, match=r"AdaptiveComb\.step"):
                comb.kernel.step(*arrays[:i], wrong, *arrays[i + 1 :])
        with pytest.raises(TypeError):
            comb.kernel.step(*arrays[:i], array.astype(np.float64), *arrays[i + 1 :])
    for voices, bins, bin_hz, phases in [(0, 50, 15, 32), (2, 1, 15, 32), (2, 50, 0, 32), (2, 50, 15, 100)]:
        with pytest.raises(ValueError, match="AdaptiveComb"):
            _core.AdaptiveComb(voices, bins, bin_hz, LOBE, phases, 0.1, 0.9, 1e-10)

"""Beam over joint pitches: exact parity with its reference, hop after hop, and what its costs mean."""

from types import ModuleType

import numpy as np
import pytest
from helpers.frames import BIN_HZ, EDGES, HALF, WINDOW, chord_amplitudes, edge_amplitude
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.kernels.lobe import window_leakage
from rtsep.kernels.reference import beam as reference
from rtsep.kernels.reference import refine as refine_reference
from rtsep.kernels.windows import analysis_window

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]
Evidence = tuple[F32, F32, F32]
ROOM, TOP_HZ = 96, 5000.0
GRID = (65.406 * 2.0 ** (np.arange(241) / 60)).astype(np.float32)
CHORD = (523.25, 440.0, 329.63, 196.0)  # no voice sings an overtone of another


class Beam:
    """A beam and its state."""

    def __init__(
        self, module: ModuleType, voices: int, candidates: int = GRID.size, room: int = ROOM
    ) -> None:
        self.kernel = module.PitchBeam(voices, candidates, room)
        self.pitch = np.full((reference.SIZE, voices), -1, np.int32)
        self.last = self.pitch.copy()
        self.score = np.full(reference.SIZE, -np.inf, np.float32)
        self.score[0] = 0

    def step(self, evidence: Evidence) -> list[int]:
        self.kernel.step(*evidence, self.pitch, self.last, self.score)
        return [int(p) for p in self.pitch[0]]


class Twins:
    """The kernel and its reference, held together bit by bit."""

    def __init__(self, voices: int, candidates: int = GRID.size, room: int = ROOM) -> None:
        self.kernel, self.twin = (Beam(module, voices, candidates, room) for module in (_core, reference))

    def step(self, evidence: Evidence) -> list[int]:
        best = self.kernel.step(evidence)
        self.twin.step(evidence)
        for name in ("pitch", "last", "score"):
            np.testing.assert_array_equal(getattr(self.kernel, name), getattr(self.twin, name), err_msg=name)
        return best


class Reader:
    """From an amplitude spectrum to what a beam is fed."""

    def __init__(self) -> None:
        leakage = window_leakage(analysis_window(WINDOW, HALF), reach_bins=40, phases=8)
        self.picker = _core.PeakPicker(BIN_HZ, TOP_HZ, leakage, 8)
        self.coverage = _core.Coverage(GRID, BIN_HZ, TOP_HZ, ROOM)
        self.hz, self.weight = np.zeros((2, ROOM), np.float32)
        self.covered, self.missing = np.zeros((GRID.size, ROOM), np.float32), np.zeros(GRID.size, np.float32)
        self.peaks = 0

    def read(self, amplitude: F32) -> Evidence:
        self.peaks = self.picker.find(amplitude, self.hz, self.weight)
        self.coverage.compute(self.hz, self.weight, self.peaks, self.covered, self.missing)
        return self.weight, self.covered, self.missing

    def refine(self, module: ModuleType, pitch: I32) -> F32:
        f0_hz = np.full(pitch.size, np.nan, np.float32)
        module.refine_f0(self.hz, self.weight, self.peaks, self.covered, pitch, GRID, BIN_HZ, f0_hz)
        return f0_hz


def random_evidence(rng: np.random.Generator, candidates: int, room: int, ties: bool) -> Evidence:
    """Numbers in 0..1; with `ties` coarse ones, so that many hypotheses score the same."""
    arrays = [rng.random(shape, np.float32) for shape in (room, (candidates, room), candidates)]
    arrays[0][int(rng.integers(0, room + 1)) :] = 0
    if ties:
        arrays = [np.round(a * 2) / np.float32(2) for a in arrays]
    weight, covered, missing = arrays
    covered *= rng.random(covered.shape) < 0.15
    return weight, covered, missing


def test_constants_agree() -> None:
    for name, value in _core.PitchBeam.CONSTANTS.items():
        assert np.float32(getattr(reference, name)) == np.float32(value), name
    for name, value in _core.REFINE_CONSTANTS.items():
        assert np.float32(getattr(refine_reference, name)) == np.float32(value), name
    assert (_core.PitchBeam.SIZE, _core.PitchBeam.SILENT) == (reference.SIZE, reference.SILENT)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("voices", [1, 2, 3, 4])
def test_matches_reference_exactly_on_random_evidence(voices: int, ties: bool) -> None:
    rng = np.random.default_rng(voices)
    candidates, room = int(rng.integers(20, 60)), int(rng.integers(3, 50))
    twins = Twins(voices, candidates, room)
    sounding = 0
    for hop in range(25):
        if hop % 3 == 0:  # evidence that stays a while, as music does
            evidence = random_evidence(rng, candidates, room, ties)
        sounding += sum(p >= 0 for p in twins.step(evidence))
    assert sounding > 0


@pytest.mark.parametrize("voices", [1, 2, 4])
def test_matches_reference_exactly_on_chords(voices: int) -> None:
    twins, reader = Twins(voices), Reader()
    for i, amplitude in enumerate(chord_amplitudes(CHORD[:voices], frames=20)):
        best = twins.step(reader.read(amplitude))
        f0_hz = reader.refine(_core, twins.kernel.pitch[0])
        np.testing.assert_allclose(f0_hz, reader.refine(refine_reference, twins.kernel.pitch[0]), rtol=2e-6)
        if i >= 5:
            assert best == sorted(best, reverse=True)
            cents = 1200 * np.log2(f0_hz / np.array(CHORD[:voices]))
            assert (np.abs(cents) < 30).all()  # vibrato of 17 cents, and what four voices do to each other


@pytest.mark.parametrize("voices", [1, 4])
def test_edges_match_and_pass_without_a_trace(voices: int) -> None:
    """After frames that are no spectra the chord is found again within ten hops."""
    twins, reader = Twins(voices), Reader()
    for name in EDGES:
        twins.step(reader.read(edge_amplitude(name)))
        assert np.isfinite(twins.kernel.score[0])
    for amplitude in chord_amplitudes(CHORD[:voices], frames=10):
        twins.step(reader.read(amplitude))
    cents = 1200 * np.log2(reader.refine(_core, twins.kernel.pitch[0]) / np.array(CHORD[:voices]))
    assert (np.abs(cents) < 30).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_evidence_that_is_not_finite_is_forgotten(which: int, value: float) -> None:
    reader, beam = Reader(), Beam(_core, 2)
    frames = list(chord_amplitudes(CHORD[:2], frames=12))
    for amplitude in frames[:6]:
        clean = beam.step(reader.read(amplitude))
    broken = [a.copy() for a in reader.read(frames[6])]
    broken[which][...] = value
    beam.step((broken[0], broken[1], broken[2]))
    assert not np.isnan(beam.score).any()
    for amplitude in frames[7:]:
        again = beam.step(reader.read(amplitude))
    assert np.abs(np.subtract(again, clean)).max() <= 2


def test_a_beam_without_hypotheses_starts_again_from_silence() -> None:
    reader, twins = Reader(), Twins(1)
    for beam in (twins.kernel, twins.twin):
        beam.score[:] = -np.inf
    for amplitude in chord_amplitudes((220.0,), frames=5):
        best = twins.step(reader.read(amplitude))
    assert abs(1200 * np.log2(GRID[best[0]] / 220.0)) < 30


def test_silence_is_silent_and_remembers_who_sang_where() -> None:
    reader, beam = Reader(), Beam(_core, 2)
    for amplitude in chord_amplitudes(CHORD[:2], frames=10):
        heard = beam.step(reader.read(amplitude))
    for _ in range(10):
        best = beam.step(reader.read(np.zeros_like(amplitude)))
    assert best == [-1, -1]
    assert [int(p) for p in beam.last[0]] == heard


@pytest.mark.parametrize("partials", [1, 2, 3, 10])
@pytest.mark.parametrize("f0_hz", [97.3, 221.7, 642.0])
def test_refined_pitch_is_within_a_cent_of_exact_peaks(f0_hz: float, partials: int) -> None:
    reader = Reader()
    reader.peaks = partials
    reader.hz[:partials] = f0_hz * np.arange(1, partials + 1)
    reader.weight[:partials] = 1.0 / np.arange(1, partials + 1)
    reader.coverage.compute(reader.hz, reader.weight, partials, reader.covered, reader.missing)
    pitch = np.array([np.argmin(np.abs(GRID - f0_hz))], np.int32)
    found = reader.refine(_core, pitch)
    assert abs(1200 * np.log2(found[0] / f0_hz)) < 1.0
    np.testing.assert_allclose(found, reader.refine(refine_reference, pitch), rtol=2e-6)


def test_wrong_shapes_and_pitches_are_refused() -> None:
    beam = Beam(_core, 2, 40, 10)
    rng = np.random.default_rng(0)
    evidence = random_evidence(rng, 40, 10, False)
    arrays = [*evidence, beam.pitch, beam.last, beam.score]
    for i, array in enumerate(arrays):
        for wrong in (array[:-1].copy(), array[None].copy()):
            with pytest.raises(ValueError, match=r"PitchBeam\.step"):
                beam.kernel.step(*arrays[:i], wrong, *arrays[i + 1 :])
    for i, value in [(3, 40), (3, -2), (4, 40), (4, -7)]:
        wrong = arrays[i].copy()
        wrong[-1, -1] = value
        with pytest.raises(ValueError, match=r"candidates 0\.\.G-1, or -1"):
            beam.kernel.step(*arrays[:i], wrong, *arrays[i + 1 :])
    for voices, candidates, room in [(0, 40, 10), (5, 40, 10), (2, 1, 10), (2, 40, 0)]:
        with pytest.raises(ValueError, match="PitchBeam"):
            _core.PitchBeam(voices, candidates, room)


def test_refine_refuses_wrong_shapes_and_pitches() -> None:
    p, table, grid = np.ones(6, np.float32), np.zeros((9, 6), np.float32), np.ones(9, np.float32)
    pitch, out = np.zeros(2, np.int32), np.zeros(2, np.float32)
    good = (p, p, 6, table, pitch, grid, 15.0, out)
    _core.refine_f0(*good)
    for i in (0, 1, 3, 4, 5, 7):
        array = np.asarray(good[i])
        for wrong in (array[:-1].copy(), array[None].copy()):
            with pytest.raises(ValueError, match="refine_f0"):
                _core.refine_f0(*good[:i], wrong, *good[i + 1 :])  # type: ignore[arg-type]
    for peaks, bad in [(7, pitch), (-1, pitch), (6, pitch + 9), (6, pitch - 2)]:
        with pytest.raises(ValueError, match="refine_f0"):
            _core.refine_f0(p, p, peaks, table, bad.astype(np.int32), grid, 15.0, out)

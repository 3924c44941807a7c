"""The kernels at the sizes of a hop on stage: 48 kHz, `--latency 11`, four voices, a window of 4096 samples.

One case holds the same call on the C++ kernel, on its NumPy reference
and, where there is one, on its Numba twin, each with arrays of its own.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np

from rtsep.kernels import _core, assignments, comb_model
from rtsep.kernels.filterbank import band_interpolation, band_weights, log_centres_hz
from rtsep.kernels.lobe import window_leakage, window_lobe, window_response
from rtsep.kernels.reference import (
    assignment,
    band_gains,
    beam,
    comb,
    coverage,
    filterbank,
    guided_comb,
    lpc,
    oscillator,
    peaks,
    refine,
    renderer,
    salience,
    soft_masks,
    stft,
)
from rtsep.kernels.windows import analysis_window, synthesis_window

SAMPLERATE = 48000.0
WINDOW, HOP, BINS = 3072, 256, 1537
VOICES, PARTIALS, ORDER, BANDS = 4, 60, 20, 40
CANDIDATES, PEAKS, TOP_HZ = 247, 96, 5000.0
WITH_NUMBA_TWIN = ("oscillator", "soft_masks", "stft")


@dataclass(frozen=True)
class KernelCase:
    """A kernel call: its name, its size in words, and the call in C++, NumPy and, with a twin, Numba."""

    name: str
    size: str
    cpp: Callable[[], object]
    numpy: Callable[[], object]
    numba: Callable[[], object] | None = None


def numba_is_installed() -> bool:
    """Whether the Numba twins can be timed: Numba is an extra, no part of what a stage needs."""
    return find_spec("numba") is not None


def _numba_twin(reference: ModuleType) -> ModuleType | None:
    name = reference.__name__.rpartition(".")[2]
    if name not in WITH_NUMBA_TWIN or not numba_is_installed():
        return None
    return import_module(f"rtsep.kernels.numba.{name}")


def _lsf(rng: np.random.Generator, *shape: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    gaps = rng.random((*shape, ORDER + 1)) + 0.3
    return np.cumsum(gaps / gaps.sum(axis=-1, keepdims=True) * np.pi, axis=-1)[..., :ORDER].astype(np.float32)


def kernel_cases() -> Iterator[KernelCase]:
    """Yields every kernel once."""
    rng = np.random.default_rng(0)

    def case(
        name: str, size: str, build: Callable[[ModuleType | Any], Callable[[], object]], twin: ModuleType
    ) -> KernelCase:
        compiled = _numba_twin(twin)
        return KernelCase(name, size, build(_core), build(twin), build(compiled) if compiled else None)

    def uniform(*shape: int) -> np.ndarray[Any, np.dtype[np.float32]]:
        return rng.random(shape).astype(np.float32)

    window, fade = analysis_window(WINDOW, HOP), synthesis_window(WINDOW, HOP)
    hop = uniform(HOP, 1)
    spectrum = (rng.standard_normal((1, BINS)) + 1j * rng.standard_normal((1, BINS))).astype(np.complex64)
    sources, floor, frames = (
        uniform(VOICES, BINS),
        uniform(BINS) * np.float32(0.01),
        uniform(VOICES, 1, WINDOW),
    )
    f0_hz = np.array([110, 165, 220, 330], np.float32)
    amplitudes, gains = uniform(VOICES, PARTIALS), uniform(VOICES)
    lsf, lsf_frames, excitation = _lsf(rng, VOICES), _lsf(rng, VOICES, 32), uniform(VOICES, 32 * HOP)
    bands = uniform(VOICES, BANDS)
    centres = log_centres_hz(55.0, 14080.0, 24)
    weights = band_weights(centres, SAMPLERATE, WINDOW)
    lobe = window_lobe(window)
    bin_hz = SAMPLERATE / WINDOW
    grid = (63.0 * 2.0 ** (np.arange(CANDIDATES) / 60)).astype(np.float32)
    # Voices as peaks of one bin on noise: what a chord leaves, without the sound of it.
    amplitude = uniform(BINS) * np.float32(1e-4)
    for voice, f0 in enumerate(f0_hz):
        for k in range(1, int(TOP_HZ / f0)):
            amplitude[round(k * f0 / bin_hz)] += 0.2 / k / (voice + 1)

    def push_frame(k: Any) -> Callable[[], object]:
        history, frame = np.zeros((1, WINDOW), np.float32), np.empty((1, WINDOW), np.float32)
        return lambda: k.push_frame(history, hop, window, frame)

    def apply_masks(k: Any) -> Callable[[], object]:
        out = np.empty((VOICES, 1, BINS), np.complex64)
        return lambda: k.apply_masks(spectrum, sources, out)

    def overlap_add(k: Any) -> Callable[[], object]:
        tail, history = np.zeros((VOICES, 1, 2 * HOP), np.float32), np.zeros((1, WINDOW), np.float32)
        out = np.empty((VOICES + 1, HOP, 1), np.float32)
        return lambda: k.overlap_add(frames, fade, tail, history, out)

    def bank_of_bands(k: Any) -> Callable[[], object]:
        kernel, out = k.Filterbank(*weights, BINS, 1e-5), np.empty((1, centres.size), np.float32)
        return lambda: kernel.apply(sources[:1], out)

    def gains_of_bands(k: Any) -> Callable[[], object]:
        kernel = k.BandGains(*band_interpolation(centres, SAMPLERATE, WINDOW), centres.size)
        gain, out = sources[:, : centres.size].copy(), np.empty((VOICES, BINS), np.float32)
        return lambda: kernel.render(gain, out)

    def oscillators(k: Any) -> Callable[[], object]:
        kernel, out = k.HarmonicOscillator(VOICES, PARTIALS, SAMPLERATE), np.empty((VOICES, HOP), np.float32)
        return lambda: kernel.render(f0_hz, amplitudes, out)

    def lines_to_lpc(k: Any) -> Callable[[], object]:
        out = np.empty((VOICES, ORDER + 1))
        return lambda: k.lsf_to_lpc(lsf, out)

    def envelope(k: Any) -> Callable[[], object]:
        kernel, out = k.AllPoleEnvelope(ORDER, BINS), np.empty((VOICES, BINS), np.float32)
        return lambda: kernel.apply(lsf, out)

    def all_pole_filter(k: Any) -> Callable[[], object]:
        kernel, out = k.AllPoleFilter(ORDER, HOP), np.empty_like(excitation)
        return lambda: kernel.apply(excitation, lsf_frames, out)

    def source_filter(k: Any) -> Callable[[], object]:
        kernel = k.SourceFilterRenderer(BINS, SAMPLERATE, ORDER, BANDS, *lobe)
        out = np.empty((VOICES, BINS), np.float32)
        return lambda: kernel.render(f0_hz, gains, lsf, gains, bands, out)

    def masks(exponent: float) -> Callable[[Any], Callable[[], object]]:
        def build(k: Any) -> Callable[[], object]:
            out = np.empty((VOICES, BINS), np.float32)
            return lambda: k.soft_masks(sources, floor, exponent, out)

        return build

    def picker(k: Any) -> Callable[[], object]:
        kernel = k.PeakPicker(bin_hz, TOP_HZ, window_leakage(window, reach_bins=40, phases=8), 8)
        out_hz, out_weight = np.empty((2, PEAKS), np.float32)
        return lambda: kernel.find(amplitude, out_hz, out_weight)

    def explained(k: Any) -> Callable[[], object]:
        kernel, table, row = k.Coverage(grid, bin_hz, TOP_HZ, PEAKS), covered.copy(), missing.copy()
        return lambda: kernel.compute(peak_hz, weight, found, table, row)

    def decoder(k: Any) -> Callable[[], object]:
        kernel = k.PitchBeam(VOICES, CANDIDATES, PEAKS)
        pitch = np.full((beam.SIZE, VOICES), beam.SILENT, np.int32)
        last, score = pitch.copy(), np.full(beam.SIZE, -np.inf, np.float32)
        return lambda: kernel.step(weight, covered, missing, pitch, last, score)

    def salient(k: Any) -> Callable[[], object]:
        log_odds, offset = -6.0 + 4.0 * rng.standard_normal((2, 124)).astype(np.float32)
        found = np.empty((2, assignments.PEAKS), np.float32)
        return lambda: k.salience_peaks(log_odds, offset, -4.0, 0.75, *found)

    def assigner(k: Any) -> Callable[[], object]:
        kernel = k.PitchAssignment(VOICES, HOP / SAMPLERATE)
        shape = (assignments.SIZE, VOICES)
        sung, register_centre, observed_s = (
            np.full(shape, -1.0, np.float32),
            *np.zeros((2, *shape), np.float32),
        )
        score, chosen = np.full(assignments.SIZE, -np.inf, np.float32), np.zeros(VOICES, np.int32)
        place = np.linspace(100.0, 20.0, assignments.PEAKS, dtype=np.float32)
        log_odds = np.linspace(3.0, -2.0, assignments.PEAKS, dtype=np.float32)
        count = assignments.PEAKS
        return lambda: kernel.step(place, log_odds, count, sung, register_centre, observed_s, score, chosen)

    def refinement(k: Any) -> Callable[[], object]:
        chosen = np.array([np.argmin(np.abs(grid - f0)) for f0 in f0_hz[::-1]], np.int32)
        out = np.empty(VOICES, np.float32)
        return lambda: k.refine_f0(peak_hz, weight, found, covered, chosen, grid, bin_hz, out)

    def adaptive_comb(k: Any) -> Callable[[], object]:
        response = window_response(window, reach_bins=5, phases=32) ** 2
        kernel = k.AdaptiveComb(VOICES, BINS, bin_hz, response, 32, 0.125, 0.98, 1e-10)
        power, state = amplitude**2, np.full((VOICES, comb_model.BANDS), comb_model.UNSEEN, np.float32)
        active, before_hz, level_db = np.zeros((3, VOICES), np.float32)
        out = np.empty((VOICES, BINS), np.float32)
        return lambda: kernel.step(power, f0_hz, state, active, before_hz, out, level_db)

    def guided(k: Any) -> Callable[[], object]:
        response = window_response(window, reach_bins=5, phases=32) ** 2
        kernel = k.GuidedComb(VOICES, BINS, bin_hz, response, 32, 0.125, 1e-10)
        power, state = amplitude**2, np.full((VOICES, comb_model.BANDS), comb_model.UNSEEN, np.float32)
        before_hz, level_db = np.zeros((2, VOICES), np.float32)
        partials = np.empty((VOICES, comb_model.MAX_PARTIALS, 3), np.float32)
        level, trust = np.full((2, VOICES, comb_model.MAX_PARTIALS), [[[-8.0]], [[0.8]]], np.float32)
        noise, out = (
            np.full((VOICES, comb_model.BANDS), -18, np.float32),
            np.empty((VOICES, BINS), np.float32),
        )

        def hop() -> None:
            kernel.observe(power, f0_hz, state, before_hz, partials)
            kernel.mask(level, trust, noise, out, level_db)

        return hop

    peak_hz, weight = np.zeros((2, PEAKS), np.float32)
    covered, missing = np.zeros((CANDIDATES, PEAKS), np.float32), np.zeros(CANDIDATES, np.float32)
    found = peaks.PeakPicker(bin_hz, TOP_HZ, np.array([1, 1e-9], np.float32), 1).find(
        amplitude, peak_hz, weight
    )
    _core.Coverage(grid, bin_hz, TOP_HZ, PEAKS).compute(peak_hz, weight, found, covered, missing)
    on_bins = f"{VOICES} voices x {BINS} bins"
    yield case("push_frame", f"hop {HOP}, window {WINDOW}", push_frame, stft)
    yield case("apply_masks", on_bins, apply_masks, stft)
    yield case("overlap_add", f"{VOICES} stems, hop {HOP}", overlap_add, stft)
    yield case("filterbank", f"{BINS} bins -> {centres.size} bands", bank_of_bands, filterbank)
    yield case(
        "band_gains", f"{VOICES} stems, {centres.size} bands -> {BINS} bins", gains_of_bands, band_gains
    )
    yield case("oscillator", f"{VOICES} voices x {PARTIALS} partials, hop {HOP}", oscillators, oscillator)
    yield case("peaks", f"{BINS} bins, up to {TOP_HZ:.0f} Hz", picker, peaks)
    yield case("coverage", f"{CANDIDATES} candidates x {PEAKS} peaks", explained, coverage)
    yield case("beam", f"{VOICES} voices, {CANDIDATES} x {PEAKS}", decoder, beam)
    yield case("salience", f"124 candidates, {assignments.PEAKS} peaks", salient, salience)
    yield case("assignment", f"{VOICES} voices, {assignments.PEAKS} peaks", assigner, assignment)
    yield case("refine_f0", f"{VOICES} voices, {PEAKS} peaks", refinement, refine)
    yield case("comb", on_bins, adaptive_comb, comb)
    yield case("guided_comb", on_bins, guided, guided_comb)
    yield case("lsf_to_lpc", f"{VOICES} voices, order {ORDER}", lines_to_lpc, lpc)
    yield case("all-pole envelope", on_bins, envelope, lpc)
    yield case("all-pole filter", f"{VOICES} voices x 32 frames of {2 * HOP}", all_pole_filter, lpc)
    yield case("renderer", on_bins, source_filter, renderer)
    yield case("soft_masks p=1", on_bins, masks(1.0), soft_masks)
    yield case("soft_masks p=2", on_bins, masks(2.0), soft_masks)
    yield case("soft_masks p=1.5", on_bins, masks(1.5), soft_masks)

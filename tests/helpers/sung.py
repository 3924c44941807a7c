"""Voices whose pitch is known: harmonic tones with the formants of /a/, and spectra of them."""

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels.windows import analysis_window
from rtsep.models.choir.peak_tracker import MultiF0Tracker
from rtsep.rt.hop.presets import Preset

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
FORMANTS = ((700.0, 130.0, 1.0), (1150.0, 160.0, 0.5), (2700.0, 250.0, 0.16))


def note(midi: float) -> float:
    """Hz of a MIDI number."""
    return float(440.0 * 2.0 ** ((midi - 69.0) / 12.0))


def cents(found_hz: NDArray[np.floating], true_hz: NDArray[np.floating] | float) -> F64:
    """Distance; unvoiced (0 Hz) is thousands of cents away from anything."""
    return np.abs(1200.0 * np.log2(np.maximum(found_hz, 1.0) / np.asarray(true_hz, float)))


def vibrato(
    midi: float, seconds: float, samplerate: int, rate_hz: float = 5.5, depth_cents: float = 20.0
) -> F64:
    """F0 [frames] around a note."""
    t = np.arange(round(seconds * samplerate)) / samplerate
    return note(midi) * 2.0 ** (depth_cents / 1200.0 * np.sin(2.0 * np.pi * rate_hz * t))


def sing(f0_hz: F64, samplerate: int, level: float = 0.2, seed: int = 0) -> F64:
    """One voice [frames], silent where F0 is 0."""
    rng = np.random.default_rng(seed)
    phase = 2.0 * np.pi * np.cumsum(f0_hz) / samplerate
    top_hz = min(6000.0, 0.45 * samplerate)
    sound = np.zeros(f0_hz.size)
    for k in range(1, int(top_hz / f0_hz[f0_hz > 0].min()) + 1):
        hz = k * f0_hz
        gain = 0.05 + sum(g / (1.0 + ((hz - centre) / width) ** 2) for centre, width, g in FORMANTS)
        sound += gain / k * np.sin(k * phase + rng.uniform(0, 2 * np.pi)) * (hz < top_hz) * (hz > 0)
    return level * sound / np.abs(sound).max()


def spectra(sound: F64, preset: Preset) -> NDArray[np.complex64]:
    """Frames [hops, bins] as the pipeline makes them, the first as soon as a window is full, scaled so that a
    full-scale sine peaks at 1."""
    n = preset.window_samples
    window = analysis_window(n, preset.half_overlap)
    starts = range(0, len(sound) - n + 1, preset.hop)
    frames = np.stack([np.fft.rfft(sound[i : i + n] * window) for i in starts])
    return (frames * 2.0 / window.sum(dtype=np.float64)).astype(np.complex64)


def true_f0(f0_hz: F64, preset: Preset) -> F64:
    """F0 [hops] at each frame's centre of gravity."""
    n = preset.window_samples
    window = analysis_window(n, preset.half_overlap).astype(np.float64) ** 2
    centre = round(float(np.sum(np.arange(n) * window) / window.sum()))
    return f0_hz[centre : len(f0_hz) - n + centre + 1 : preset.hop]


def track(sound: F64, preset: Preset, voices: int) -> F32:
    """F0 [hops, voices] of a fresh tracker."""
    tracker = MultiF0Tracker(voices, preset.framing)
    rows = []
    for spectrum in spectra(sound + noise(len(sound)), preset):
        f0_hz = np.zeros(voices, np.float32)
        tracker.step(np.abs(spectrum), f0_hz, np.zeros(voices, np.bool_))
        rows.append(f0_hz)
    return np.stack(rows)


def noise(frames: int, level: float = 1e-4, seed: int = 9) -> F64:
    """A quiet room."""
    return level * np.random.default_rng(seed).standard_normal(frames)

"""Spectra that the tracker's kernels meet: chords, noise, and what breaks."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels.windows import analysis_window

F32 = NDArray[np.float32]
SAMPLERATE, WINDOW, HALF = 48000, 3072, 256
BIN_HZ = SAMPLERATE / WINDOW
BINS = WINDOW // 2 + 1
EDGES = ("silence", "DC", "one bin", "all equal", "NaN", "all NaN", "Inf", "all Inf", "negative", "huge")


def chord_amplitudes(
    f0_hz: tuple[float, ...], frames: int, seed: int = 0, noise: float = 1e-4
) -> Iterator[F32]:
    """Amplitude spectra [bins] of sung-like tones with vibrato and noise, a full-scale sine peaking at 1."""
    rng = np.random.default_rng(seed)
    window = analysis_window(WINDOW, HALF)
    t = np.arange(WINDOW + frames * HALF) / SAMPLERATE
    x = noise * rng.standard_normal(t.size)
    for f0 in f0_hz:
        swing_hz = 0.01 * f0 / (2 * np.pi * 5.5)
        phase = 2 * np.pi * f0 * t + 2 * np.pi * swing_hz * np.sin(2 * np.pi * 5.5 * t + rng.uniform(0, 6))
        for k in range(1, int(6000 / f0)):
            x += 0.2 / k * rng.uniform(0.3, 1.0) * np.sin(k * phase + rng.uniform(0, 6))
    for i in range(frames):
        spectrum = np.fft.rfft(x[i * HALF : i * HALF + WINDOW] * window)
        yield (np.abs(spectrum) * 2 / window.sum()).astype(np.float32)


def edge_amplitude(name: str, bins: int = BINS) -> F32:
    """One spectrum of `EDGES`."""
    rng = np.random.default_rng(3)
    noisy = (10.0 ** rng.uniform(-6, 0, bins)).astype(np.float32)
    flat = np.zeros(bins, np.float32)
    if name == "DC":
        flat[0] = 1.0
    elif name == "one bin":
        flat[20] = 1.0
    elif name == "all equal":
        flat[:] = 0.1
    elif name in ("NaN", "Inf", "negative"):
        flat = noisy
        flat[rng.random(bins) < 0.2] = {"NaN": np.nan, "Inf": np.inf, "negative": -1.0}[name]
    elif name in ("all NaN", "all Inf"):
        flat[:] = np.nan if name == "all NaN" else np.inf
    elif name == "huge":
        flat = (noisy.astype(np.float64) * 3e38).astype(np.float32)
    return flat

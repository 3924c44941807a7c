"""Score-informed NMF, the classical baseline: a template per voice and pitch, learnt on the mixture itself.

The magnitudes of an excerpt are approximated by W H with Kullback-Leibler divergence (Lee and Seung 2001).
Every voice has its own templates on a pitch grid, whose partials keep their places but not their strengths,
and a template may sound only where the given F0 of its voice is near (Ewert and Mueller 2012, harmonic and
score constraints as zeros, which multiplicative updates keep). Voices' shares of W H are the ratio masks.
"""

import numpy as np
from numpy.typing import NDArray

from rtsep.training.baselines.centred_stft import BINS, HOP, WINDOW_SAMPLES, centred_istft, centred_stft
from rtsep.training.measures.contours import Contours
from rtsep.training.measures.protocol import SAMPLERATE, Audio

# Of the pitch grid. A template and its neighbours then cover vibrato and the error of the F0; at 10 cents
# each of them has too few frames to learn from.
STEP_CENTS = 20.0
REACH_STEPS = 1  # templates that may sound to either side of the F0
# Half of a Hann window's main lobe.
LOBE_BINS = 2.0
# Stopped early on purpose: templates begin as -6 dB an octave, and what later iterations learn from other
# voices' partials costs more than it gains (quartet 1-1-1-1: 6.4 dB after 3, 6.3 after 5, 6.1 after 10, 5.7
# after 30).
ITERATIONS = 5
FLOOR = 1e-8

F32 = NDArray[np.float32]


def nmf_separate(mixture: Audio, f0: Contours) -> Audio:
    """Separates one excerpt.

    Shape:
        mixture: float32 [samples] at 16 kHz; f0: [points, voices].
        returns float32 [voices, samples]; what no voice's template explains is shared out equally.
    """
    spectrum = centred_stft(mixture)
    magnitudes = np.abs(spectrum).T.astype(np.float32)
    frame_times_s = np.arange(magnitudes.shape[1]) * HOP / SAMPLERATE
    f0_hz = f0.at(frame_times_s).T
    parts = [_templates(contour) for contour in f0_hz]
    w = np.concatenate([part[0] for part in parts], axis=1)
    h = np.concatenate([part[1] for part in parts], axis=0)
    # one template of noise, that breath and consonants need not bend the voices' templates
    w = np.concatenate([w, np.full((BINS, 1), 1.0 / BINS, np.float32)], axis=1)
    h = np.concatenate([h, np.full((1, h.shape[1]), 1e-2, np.float32)], axis=0)
    factorise(magnitudes, w, h)
    models, first = [], 0
    for templates, _ in parts:
        last = first + templates.shape[1]
        models.append((w[:, first:last] @ h[first:last]).T + FLOOR)
        first = last
    shares = np.stack(models)
    return centred_istft(shares / shares.sum(axis=0) * spectrum, len(mixture))


def factorise(magnitudes: F32, w: F32, h: F32, iterations: int = ITERATIONS) -> None:
    """Multiplicative updates of w and h in place, so that w @ h comes near `magnitudes`; zeros stay zeros.

    Shape:
        magnitudes: float32 [bins, frames]; w: float32 [bins, templates]; h: float32 [templates, frames].
    """
    for _ in range(iterations):
        ratio = magnitudes / (w @ h + FLOOR)
        h *= (w.T @ ratio) / (w.sum(axis=0)[:, None] + FLOOR)
        ratio = magnitudes / (w @ h + FLOOR)
        w *= (ratio @ h.T) / (h.sum(axis=1) + FLOOR)


def _templates(f0_hz: NDArray[np.float64]) -> tuple[F32, F32]:
    """Templates of one voice, [bins, pitches], and where they may sound, [pitches, frames]."""
    voiced = f0_hz > 0
    steps = np.round(1200.0 / STEP_CENTS * np.log2(np.where(voiced, f0_hz, 1.0))).astype(int)
    near = {step + reach for step in set(steps[voiced]) for reach in range(-REACH_STEPS, REACH_STEPS + 1)}
    pitches = np.array(sorted(near), int)
    distance = np.abs(pitches[:, None] - steps[None, :])
    active = (distance <= REACH_STEPS) & voiced
    pitch_hz = 2.0 ** (pitches * STEP_CENTS / 1200.0)
    return _harmonics(pitch_hz), active.astype(np.float32)


def _harmonics(pitch_hz: NDArray[np.float64]) -> F32:
    """Hann lobes at all partials, falling by 6 dB an octave, [bins, pitches]; each sums to one."""
    bins = np.arange(BINS)[:, None]
    partial = np.maximum(1.0, np.round(bins * SAMPLERATE / WINDOW_SAMPLES / pitch_hz))
    offset = bins - partial * pitch_hz * WINDOW_SAMPLES / SAMPLERATE
    lobe = np.where(np.abs(offset) < LOBE_BINS, np.cos(np.pi * offset / (2.0 * LOBE_BINS)) ** 2, 0.0)
    templates = lobe / partial
    return np.asarray(templates / np.maximum(templates.sum(axis=0), FLOOR), np.float32)

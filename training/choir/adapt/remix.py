"""Remixes of separated voices: new mixtures whose parts, and pitches, are known.

Bootstrapped remixing (RemixIT, Tzinis et al., arXiv 2202.08862): what a model takes for a voice becomes one
in a mixture that is new to it, so that its old mistakes no longer fit and can be unlearnt.
"""

import numpy as np

from rtsep.training.choir.levels.mixtures import F32, F64
from rtsep.training.choir.render.f0_labels import LABEL_S
from rtsep.training.measures.protocol import SAMPLERATE

LABEL_SAMPLES = round(LABEL_S * SAMPLERATE)
GAIN_DB = 3.0  # up or down: the choir stays one


def remix(voices: F32, f0_hz: F64, rng: np.random.Generator) -> tuple[F32, F64]:
    """Every voice from another moment, louder or softer; the first stays where it is.

    Shape:
        voices: float32 [V, samples] at 16 kHz; f0_hz: float64 [V, labels], one every 5 ms, as many as fit.
        returns the same.
    """
    labels = min(f0_hz.shape[1], voices.shape[1] // LABEL_SAMPLES)
    mixed, pitches = voices[:, : labels * LABEL_SAMPLES].copy(), f0_hz[:, :labels].copy()
    for voice in range(len(mixed)):
        shift = int(rng.integers(labels)) if voice else 0
        gain = np.float32(10.0 ** (rng.uniform(-GAIN_DB, GAIN_DB) / 20.0))
        mixed[voice] = gain * np.roll(mixed[voice], shift * LABEL_SAMPLES)
        pitches[voice] = np.roll(pitches[voice], shift)
    return mixed, pitches

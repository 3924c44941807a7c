"""The clip on which a band's golden numbers are taken: four stems made of formulas, and a voice of the demo.

It is no music to judge a model by: the numbers say whether anything has changed.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from rtsep.bench.demo.choir import render_choir

F32 = NDArray[np.float32]

BEAT_S = 0.25
BASS_HZ = (55.0, 65.4, 82.4, 73.4)
CHORD_HZ = (220.0, 277.2, 329.6)


@cache
def band_clip(samplerate: int, seconds: float) -> dict[str, F32]:
    """Stems by name, float32 [samples], each with a mean power of -26 dB."""
    times = np.arange(round(seconds * samplerate)) / samplerate
    beat, since_s = np.divmod(times, BEAT_S)
    rng = np.random.default_rng(0)
    kick = np.sin(2 * np.pi * 50 * since_s) * np.exp(-since_s / 0.08) * (beat % 2 == 0)
    snare = rng.standard_normal(times.size) * np.exp(-since_s / 0.04) * (beat % 2 == 1)
    bass_hz = np.array(BASS_HZ)[(beat.astype(int) // 2) % len(BASS_HZ)]
    phase = 2 * np.pi * np.cumsum(bass_hz) / samplerate
    bass = sum(np.sin(k * phase) / k for k in range(1, 6)) * np.exp(-since_s / 0.3)
    pluck = np.exp(-np.mod(times, 4 * BEAT_S) / 0.5)
    other = sum(
        np.sin(2 * np.pi * k * f * times) / k**2
        for f in CHORD_HZ
        for k in range(1, 8)
        if k * f < samplerate / 2
    )
    stems = {
        "vocals": render_choir(samplerate).voices[0, : times.size],
        "drums": kick + 0.5 * snare,
        "bass": bass,
        "other": other * pluck,
    }
    return {name: np.asarray(0.05 * x / np.sqrt(np.mean(x**2)), np.float32) for name, x in stems.items()}

"""A synthetic choir: sound with the properties that cost a tracker time, made from nothing but sines."""

import numpy as np
from numpy.typing import NDArray

# Four-part chords, highest voice first, in MIDI numbers: I - IV - V - I in C, a second and a half each.
CHORDS = ((72, 67, 64, 48), (72, 69, 65, 53), (71, 67, 62, 55), (72, 67, 64, 48))
CHORD_S = 1.5
# Vowel /a/ of a mixed choir: centre and width in Hz, level in dB (Fant 1960, rounded).
FORMANTS = ((700.0, 130.0, 0.0), (1150.0, 160.0, -6.0), (2700.0, 250.0, -16.0))
MAX_PARTIAL_HZ = 6000.0
PEAK = 0.5


def synthetic_choir(
    samplerate: int, seconds: float, channels: int = 1, voices: int = 4, seed: int = 0
) -> NDArray[np.float32]:
    """Voices in chords, with vibrato (5 to 6.2 Hz, 10 to 35 cents), vowel formants and a little breath noise.

    Args:
        samplerate: Hz.
        seconds: length; the chords repeat.
        channels: every channel holds the choir at another balance of voices.
        voices: 1..4, from the highest down.
        seed: of vibrato, phases and noise; the same seed gives the same samples.

    Shape:
        returns float32 [round(seconds * samplerate), channels], peak 0.5.
    """
    rng = np.random.default_rng(seed)
    frames = round(seconds * samplerate)
    t = np.arange(frames) / samplerate
    chord = (t // CHORD_S).astype(np.int64) % len(CHORDS)
    out = np.zeros((frames, channels))
    # notes rise and fall in 50 ms, so that every chord has an attack
    attack = np.minimum(1.0, np.minimum(t % CHORD_S, CHORD_S - t % CHORD_S) / 0.05)
    for voice in range(voices):
        midi = np.array([notes[voice] for notes in CHORDS], np.float64)[chord]
        cents = rng.uniform(10.0, 35.0) * np.sin(2 * np.pi * (rng.uniform(5.0, 6.2) * t + rng.uniform()))
        f0_hz = 440.0 * 2.0 ** ((midi - 69.0) / 12.0 + cents / 1200.0)
        phase = 2.0 * np.pi * np.cumsum(f0_hz) / samplerate
        top_hz = min(MAX_PARTIAL_HZ, 0.45 * samplerate)
        sound = 0.002 * rng.standard_normal(frames)
        for k in range(1, int(top_hz / f0_hz.min()) + 1):
            amplitude = _vowel(k * f0_hz) / k * (k * f0_hz < top_hz)
            sound += amplitude * np.sin(k * phase + rng.uniform(0.0, 2.0 * np.pi))
        out += (attack * sound)[:, None] * rng.uniform(0.5, 1.0, channels)
    out *= PEAK / np.max(np.abs(out))
    return out.astype(np.float32)


def _vowel(frequency_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gain of the vocal tract: resonances on a floor."""
    gain = np.full_like(frequency_hz, 0.05)
    for centre_hz, width_hz, level_db in FORMANTS:
        gain += 10.0 ** (level_db / 20.0) / (1.0 + ((frequency_hz - centre_hz) / width_hz) ** 2)
    return gain

"""A small choir made of harmonics, whose every voice is known: for the demo and for tests without data.

Source and filter: a glottal spectrum falling by 12 dB an octave, formants of a sung vowel, vibrato, breath.
It is easier than real singers; numbers on it are an illustration, `rtsep eval` measures.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]

CHORD_S = 2.0
# Soprano to bass, MIDI numbers: four parts in their ranges. No chord doubles a note at the octave: no mask
# can part octaves (README, Limits).
CHORDS = ((71, 64, 55, 48), (72, 64, 55, 45), (72, 65, 57, 50), (72, 66, 57, 50), (71, 64, 55, 48))
CONTROL_HZ = 200.0  # envelopes move slowly
TOP_HZ = 8000.0
GLIDE_S, ATTACK_S, RELEASE_S = 0.06, 0.05, 0.12


@dataclass(frozen=True)
class Singer:
    """One voice. Formants are frequency, bandwidth in Hz and gain in dB, near averages of sung vowels."""

    gain_db: float
    vibrato_hz: float
    vibrato_cents: float
    formants: tuple[tuple[float, float, float], ...]


SINGERS = (
    Singer(
        -1.0, 5.8, 28.0, ((800, 80, 0), (1150, 90, -6), (2900, 120, -20), (3900, 130, -22))
    ),  # soprano "a"
    Singer(-2.0, 5.5, 22.0, ((400, 60, 0), (1600, 80, -14), (2700, 120, -18), (3300, 150, -21))),  # alto "e"
    Singer(-1.0, 5.2, 24.0, ((400, 70, 0), (800, 80, -8), (2600, 100, -12), (2800, 130, -12))),  # tenor "o"
    Singer(0.0, 4.9, 20.0, ((600, 60, 0), (1040, 70, -7), (2250, 110, -9), (2450, 120, -9))),  # bass "a"
)


@dataclass(frozen=True)
class Choir:
    """The clip and its truth.

    Attributes:
        samplerate: Hz.
        voices: float32 [voices, frames]; the mixture is their sum.
        times_s: float64 [rows].
        f0_hz: float64 [rows, voices], 0 while no voice sings.
    """

    samplerate: int
    voices: Audio
    times_s: NDArray[np.float64]
    f0_hz: NDArray[np.float64]

    @property
    def mixture(self) -> Audio:
        """Sum of the voices, float32 [frames]."""
        return np.asarray(self.voices.sum(axis=0), np.float32)


def render_choir(samplerate: int = 48000, seed: int = 1) -> Choir:
    """Four voices, ten seconds; the same samples for the same seed."""
    random = np.random.default_rng(seed)
    times = np.arange(round(len(CHORDS) * CHORD_S * CONTROL_HZ)) / CONTROL_HZ
    voices, contours = [], []
    for part, singer in enumerate(SINGERS):
        f0, level = _score(part, singer, times, random)
        voices.append(_sing(singer, times, f0, level, samplerate, random))
        contours.append(np.where(level > 0.0, f0, 0.0))
    stacked = np.stack(voices)
    stacked *= 0.5 / np.abs(stacked.sum(axis=0)).max()
    return Choir(samplerate, stacked.astype(np.float32), times, np.stack(contours, axis=1))


def _score(
    part: int, singer: Singer, times: NDArray[np.float64], random: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """F0 in Hz and level 0..1 over time: one note a chord, a few ms late, vibrato growing after it."""
    cents = np.full_like(times, 100.0 * CHORDS[0][part])
    level = np.zeros_like(times)
    for index, chord in enumerate(CHORDS):
        onset = index * CHORD_S + random.uniform(0.0, 0.04)
        since = times - onset
        note = 100.0 * chord[part] + random.normal(0.0, 5.0)
        before = 100.0 * (CHORDS[index - 1][part] if index else chord[part] - 1)
        glide = np.clip(since / GLIDE_S, 0.0, 1.0)
        vibrato = singer.vibrato_cents * np.clip((since - 0.2) / 0.4, 0.0, 1.0)
        phase = 2 * np.pi * singer.vibrato_hz * since + random.uniform(0, 2 * np.pi)
        here = since >= 0.0
        cents = np.where(here, before + (note - before) * glide + vibrato * np.sin(phase), cents)
        envelope = np.clip(since / ATTACK_S, 0.0, 1.0) * np.clip(
            (CHORD_S - 0.08 - since) / RELEASE_S, 0.0, 1.0
        )
        level = np.where(here, envelope, level)
    drift = np.cumsum(random.normal(0.0, 0.15, times.size))
    drift -= np.linspace(drift[0], drift[-1], drift.size)
    return 440.0 * 2.0 ** ((cents + drift - 6900.0) / 1200.0), level


def _sing(
    singer: Singer,
    times: NDArray[np.float64],
    f0: NDArray[np.float64],
    level: NDArray[np.float64],
    samplerate: int,
    random: np.random.Generator,
) -> NDArray[np.float64]:
    frames = round(times.size / CONTROL_HZ * samplerate)
    t = np.arange(frames) / samplerate
    phase = 2 * np.pi * np.cumsum(np.interp(t, times, f0)) / samplerate
    voice = np.zeros(frames)
    # sin((k + 1) x) = 2 cos(x) sin(k x) - sin((k - 1) x): all partials start together, as in a glottal pulse
    previous, sine, twice_cosine = np.zeros(frames), np.sin(phase), 2.0 * np.cos(phase)
    for k in range(1, int(TOP_HZ / f0.min()) + 1):
        partial_hz = k * f0
        below_top = np.clip((TOP_HZ - partial_hz) / 500.0, 0.0, 1.0)
        amplitude = level * _formants(singer, partial_hz) / k**2 * below_top
        voice += np.interp(t, times, amplitude) * sine
        previous, sine = sine, twice_cosine * sine - previous
    rms = np.sqrt(np.mean(voice**2))
    # breath: 45 dB below the voice, rising by 6 dB an octave as turbulence does
    breath = np.diff(random.normal(0.0, 1.0, frames + 1)) * np.interp(t, times, level)
    breath *= rms * 10 ** (-45 / 20) / np.sqrt(np.mean(breath**2))
    return np.asarray((voice + breath) * 10 ** (singer.gain_db / 20) / rms)


def _formants(singer: Singer, hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gain of the vocal tract: a sum of resonances, and lips that radiate 6 dB more an octave."""
    gain = np.zeros_like(hz)
    for centre, bandwidth, db in singer.formants:
        gain += 10 ** (db / 20) / np.sqrt(1.0 + ((hz - centre) / (2.0 * bandwidth)) ** 2)
    return gain * hz / 500.0

"""Rooms and what else is in them: impulse responses, room noise, applause, knocks."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from rtsep.kernels.errors import RtsepError
from rtsep.training.choir.render.voicebank import SAMPLERATE

SUFFIXES = {".wav", ".flac", ".aif", ".aiff", ".ogg"}
DIRECT_S = 0.0025  # around the response's peak: the direct sound, which the dry voice stands for
LONGEST_S = 3.0
RT60_S = (0.3, 2.8)  # of drawn responses: from a rehearsal room to a church
CLAPS_PER_S = (20.0, 300.0)
KNOCK_DECAY_S = (0.005, 0.08)

Audio = NDArray[np.float32]


@dataclass(frozen=True)
class Response:
    """A room without its direct sound, of unit energy; sample 0 is the time of the direct sound."""

    name: str
    taps: Audio


def load_responses(folder: Path | None) -> tuple[Response, ...]:
    """One response per channel of every audio file in a folder; none without a folder.

    Raises:
        RtsepError: no audio in the folder, or unreadable audio.
    """
    if folder is None:
        return ()
    files = sorted(f for f in folder.glob("*") if f.suffix.lower() in SUFFIXES)
    if not files:
        raise RtsepError(f"--irs {folder} holds no audio file", "give a folder of impulse responses")
    found = []
    for file in files:
        try:
            audio, rate = soundfile.read(file, dtype="float64", always_2d=True)
        except (soundfile.LibsndfileError, OSError) as error:
            raise RtsepError(f"{file} cannot be read ({error})", "take it out of the folder") from None
        for channel, taps in enumerate(audio.T):
            if rate != SAMPLERATE:
                taps = soxr.resample(taps, rate, SAMPLERATE, quality="VHQ")
            if (tail := _without_direct(taps)) is not None:
                found.append(Response(f"{file.stem}:{channel + 1}", tail))
    return tuple(found)


def _without_direct(taps: NDArray[np.float64]) -> Audio | None:
    peak = int(np.argmax(np.abs(taps)))
    tail = taps[peak : peak + round(LONGEST_S * SAMPLERATE)].copy()
    tail[: round(DIRECT_S * SAMPLERATE)] = 0.0
    energy = float(np.sum(tail * tail))
    return (tail / np.sqrt(energy)).astype(np.float32) if energy > 0 else None


def draw_response(rng: np.random.Generator) -> Response:
    """A statistical room: noise that decays, its treble faster, after a gap of the room's size."""
    rt60_s = float(np.exp(rng.uniform(*np.log(RT60_S))))
    samples = round(min(LONGEST_S, 1.2 * rt60_s) * SAMPLERATE)
    t = np.arange(samples) / SAMPLERATE
    noise = rng.normal(size=samples)
    dull = np.convolve(noise, np.ones(8) / np.sqrt(8.0), mode="same")
    treble_s = rt60_s * rng.uniform(0.3, 0.8)
    # 60 dB are 6.91 time constants of amplitude
    tail = dull * np.exp(-6.91 * t / rt60_s) + rng.uniform(0.2, 1.0) * noise * np.exp(-6.91 * t / treble_s)
    tail[: round(rng.uniform(DIRECT_S, 0.03) * SAMPLERATE)] = 0.0
    tail /= np.sqrt(np.sum(tail * tail))
    return Response(f"drawn, RT60 {rt60_s:.2f} s", tail.astype(np.float32))


def room_noise(samples: int, rng: np.random.Generator) -> Audio:
    """Steady noise of unit RMS with a spectrum that falls by 0..9 dB per octave, slowly changing in level."""
    spectrum = np.fft.rfft(rng.normal(size=samples))
    hz = np.fft.rfftfreq(samples, 1.0 / SAMPLERATE)
    slope_db = rng.uniform(-9.0, 0.0)
    spectrum *= (np.maximum(hz, 40.0) / 1000.0) ** (slope_db / 6.02)
    noise = np.fft.irfft(spectrum, samples)
    return np.asarray(noise / np.sqrt(np.mean(noise * noise)), np.float32)


def applause(samples: int, rng: np.random.Generator) -> Audio:
    """Claps of a crowd that swells and fades within the signal; unit RMS at its height."""
    from scipy.signal import fftconvolve

    length_s = rng.uniform(1.5, 8.0)
    centre_s = rng.uniform(0.0, samples / SAMPLERATE)
    t = np.arange(samples) / SAMPLERATE
    swell = np.exp(-4.0 * ((t - centre_s) / length_s) ** 2)
    rate = rng.uniform(*CLAPS_PER_S) / SAMPLERATE
    total = np.zeros(samples)
    for _ in range(6):  # hands of different sizes
        hits = (rng.random(samples) < rate / 6.0) * rng.uniform(0.2, 1.0, size=samples)
        clap_t = np.arange(round(0.02 * SAMPLERATE)) / SAMPLERATE
        tone = rng.normal(size=clap_t.size) + 2.0 * np.sin(2 * np.pi * rng.uniform(700, 2500) * clap_t)
        total += fftconvolve(hits * swell, tone * np.exp(-clap_t / rng.uniform(0.002, 0.006)))[:samples]
    return _at_height(total, swell)


def knocks(samples: int, rng: np.random.Generator) -> Audio:
    """One to six short bursts: steps, coughs, pages; unit RMS while they sound."""
    total = np.zeros(samples)
    sounding = np.zeros(samples)
    for _ in range(int(rng.integers(1, 7))):
        at = int(rng.integers(samples))
        n = min(samples - at, round(0.4 * SAMPLERATE))
        decay = np.exp(-np.arange(n) / SAMPLERATE / rng.uniform(*KNOCK_DECAY_S))
        width = int(rng.integers(1, 40))
        dull = np.convolve(rng.normal(size=n + width - 1), np.ones(width) / np.sqrt(width), mode="valid")
        total[at : at + n] += dull * decay
        sounding[at : at + n] = np.maximum(sounding[at : at + n], decay)
    return _at_height(total, sounding)


def _at_height(signal: NDArray[np.float64], envelope: NDArray[np.float64]) -> Audio:
    loud = signal[envelope > 0.5 * float(np.max(envelope))]
    rms = float(np.sqrt(np.mean(loud * loud))) if loud.size else 0.0
    return np.asarray(signal / rms if rms > 0 else signal, np.float32)

"""From dry voices to a recording: balance, room, microphone; every stem stays what it adds to the mixture."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.training.choir.render.room import Response, applause, draw_response, knocks, room_noise
from rtsep.training.choir.render.settings import ChoirConfig
from rtsep.training.choir.render.voicebank import SAMPLERATE

BLEED_PATHS = 2  # microphones beside a voice's own
BLEED_DELAY_S = (0.002, 0.02)  # 0.7 .. 7 m
NEAR_SHARE = 0.5  # of responses that are recorded ones, where there are any
# Where no voice sings, noise is set against this level: the mean of a voice.
REFERENCE_DBFS = -20.0
EVENT_DB = (-25.0, 3.0)  # applause and knocks relative to the voices

Audio = NDArray[np.float32]


@dataclass(frozen=True)
class Recording:
    """stems float32 [voices, samples], noise float32 [samples]: their sum is the mixture. Facts for JSON."""

    stems: Audio
    noise: Audio
    facts: dict[str, Any]


def record(
    dry: Audio, responses: tuple[Response, ...], config: ChoirConfig, rng: np.random.Generator
) -> Recording:
    """Puts dry voices into a room and before a microphone.

    Everything is linear and the same for all voices but for their gains and places, so that stems and noise
    sum to what the microphone would hear. A voice's leakage into the microphones of others stays part of
    that voice's own stem, as does its reverberation.

    Shape:
        dry: float32 [voices, samples] at 24 kHz, sung vowels at about -20 dBFS RMS.
    """
    from scipy.signal import fftconvolve

    voices, samples = dry.shape
    gains_db = [float(rng.uniform(*config.gain_db)) for _ in range(voices)]
    room = _room(responses, rng) if rng.random() >= config.dry_item else None
    wet_db = float(rng.uniform(*config.wet_db))
    stems: Audio = np.zeros_like(dry)
    for voice in range(voices):
        path = _path(room, wet_db, config, rng)
        if dry[voice].any():
            gain = 10.0 ** (gains_db[voice] / 20.0)
            stems[voice] = gain * fftconvolve(dry[voice], path)[:samples]
            _clear_rounding(stems[voice], dry[voice], len(path))
    sounding = stems[np.abs(stems) > 0.0]
    level_db = 10.0 * np.log10(np.mean(sounding**2) + 1e-12) if sounding.size else REFERENCE_DBFS
    noise, events = _noise(samples, level_db, config, rng)
    signals = _microphone(np.concatenate([stems, noise[None]]), config, rng)
    peak = float(np.max(np.abs(signals.sum(axis=0)), initial=0.0))
    # where no voice sings, noise keeps its level: an empty room is no loud one
    wanted = 10.0 ** (rng.uniform(*config.peak_dbfs) / 20.0) if sounding.size else min(peak, 1.0)
    if peak > 0.0:
        # a stem may peak higher than the mixture; it must fit into a file as well
        highest = max(peak, float(np.max(np.abs(signals))))
        signals *= np.float32(min(wanted / peak, 1.0 / highest))
    facts = {
        "gains_db": [round(g, 2) for g in gains_db],
        "room": room.name if room else "none",
        "wet_db": round(wet_db, 2) if room else None,
        "events": events,
    }
    return Recording(signals[:-1], signals[-1], facts)


def _room(responses: tuple[Response, ...], rng: np.random.Generator) -> Response:
    if responses and rng.random() < NEAR_SHARE:
        return responses[int(rng.integers(len(responses)))]
    return draw_response(rng)


def _path(room: Response | None, wet_db: float, config: ChoirConfig, rng: np.random.Generator) -> Audio:
    """One voice's way to the mixture: direct at sample 0, leakage a little later, the room."""
    longest = round(BLEED_DELAY_S[1] * SAMPLERATE) + 8
    path = np.zeros(max(longest, len(room.taps) if room else 0), np.float32)
    if room:
        # singers stand at different distances in the same room
        path[: len(room.taps)] = 10.0 ** ((wet_db + rng.uniform(-3.0, 3.0)) / 20.0) * room.taps
    path[0] += 1.0
    for _ in range(BLEED_PATHS):
        at = round(rng.uniform(*BLEED_DELAY_S) * SAMPLERATE)
        # four equal taps: off the axis of a microphone the treble is missing
        path[at : at + 4] += rng.choice([-1.0, 1.0]) * 10.0 ** (rng.uniform(*config.bleed_db) / 20.0) / 4.0
    return path


def _clear_rounding(stem: Audio, dry: Audio, reach: int) -> None:
    """Transforms spread rounding errors everywhere; before the first and after the last sound is nothing."""
    sounding = np.flatnonzero(dry)
    stem[: sounding[0]] = 0.0
    stem[sounding[-1] + reach :] = 0.0


def _noise(
    samples: int, level_db: float, config: ChoirConfig, rng: np.random.Generator
) -> tuple[Audio, list[str]]:
    events: list[str] = []
    if rng.random() < config.noiseless_item:
        return np.zeros(samples, np.float32), events
    steady_db = level_db + rng.uniform(*config.noise_db)
    noise = 10.0 ** (steady_db / 20.0) * room_noise(samples, rng)
    for name, share, make in (
        ("applause", config.applause_item, applause),
        ("knocks", config.knocks_item, knocks),
    ):
        if rng.random() < share:
            noise = noise + 10.0 ** ((level_db + rng.uniform(*EVENT_DB)) / 20.0) * make(samples, rng)
            events.append(name)
    return noise.astype(np.float32), events


def _microphone(signals: Audio, config: ChoirConfig, rng: np.random.Generator) -> Audio:
    """The same filters for all: rumble off, sometimes the treble too."""
    from scipy.signal import butter, sosfilt

    sections = [butter(2, rng.uniform(*config.highpass_hz), "highpass", fs=SAMPLERATE, output="sos")]
    if rng.random() < config.lowpass_item:
        corner_hz = np.exp(rng.uniform(*np.log(config.lowpass_hz)))
        order = int(rng.choice([2, 4, 8]))
        sections.append(butter(order, corner_hz, "lowpass", fs=SAMPLERATE, output="sos"))
    return np.asarray(sosfilt(np.concatenate(sections), signals, axis=-1), np.float32)

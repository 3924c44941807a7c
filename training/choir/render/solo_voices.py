"""Recorded solo voices as singers of a choir: what no vocoder has touched.

A folder of solo recordings, one singer and nothing else in each file, and optionally `stems.toml` with
`licence`, `credit`, `use` (as for voicebanks) and `channel` (1, 2, ...: which channel holds the voice;
default: their mean). Pitch truth is swift-f0's. Voices are moved in pitch by playing them faster or slower:
their waveforms stay as natural as they were, and their pitches move by an exactly known factor.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from rtsep.kernels.errors import RtsepError
from rtsep.training.choir.render.dry_choir import DryChoir
from rtsep.training.choir.render.settings import ChoirConfig
from rtsep.training.choir.render.voice_render import FRAME_SAMPLES, VOWEL_DBFS
from rtsep.training.choir.render.voicebank import FRAME_S, SAMPLERATE
from rtsep.training.measures.protocol import SAMPLERATE as TRACKER_SAMPLERATE
from rtsep.training.measures.stem_pitch import F0_HOP_S, stem_f0

SUFFIXES = {".wav", ".flac", ".aif", ".aiff", ".ogg", ".mp3"}
SHORTEST_S = 2.0  # shorter files are clicks, not phrases
SPEED_SEMITONES = 4.0  # faster or slower: beyond a third, tempo and formants sound of tape
REST_SHARE = 0.25  # of blocks of a few seconds in which a voice is faded out: soloists never rest in chords
REST_BLOCK_S = (2.0, 6.0)
FADE_S = 0.1
JOIN_S = 0.05  # crossfade between excerpts of one singer

Audio = NDArray[np.float32]


@dataclass(frozen=True)
class SoloVoice:
    """One recording.

    Attributes:
        name: folder and file.
        audio: float32 [samples] at 24 kHz, voiced parts at -20 dBFS RMS.
        f0_hz: float64 [points] every 16 ms, 0 where unvoiced.
    """

    name: str
    licence: str
    credit: str
    audio: Audio
    f0_hz: NDArray[np.float64]

    @property
    def donor(self) -> str:
        """The folder it is from."""
        return self.name.split("/")[0]


def load_solo_voices(folder: Path, cache: Path) -> tuple[SoloVoice, ...]:
    """Reads and tracks every recording of a folder; pitches are kept in `cache`.

    Raises:
        RtsepError: nothing to read, a folder that is not for training, swift-f0 missing.
    """
    facts = _read_facts(folder)
    if facts.get("use", "training") != "training":
        raise RtsepError(
            f"stems {folder.name} are for {facts['use']} only", "leave them out of what models are trained on"
        )
    voices = []
    for file in sorted(f for f in folder.rglob("*") if f.suffix.lower() in SUFFIXES):
        audio = _read(file, facts.get("channel"))
        if len(audio) < SHORTEST_S * SAMPLERATE:
            continue
        low = soxr.resample(audio, SAMPLERATE, TRACKER_SAMPLERATE, quality="VHQ").astype(np.float32)
        f0_hz = stem_f0(low, cache)
        voiced = np.repeat(f0_hz > 0, round(F0_HOP_S * SAMPLERATE))[: len(audio)]
        if not voiced.any():
            continue
        rms = float(np.sqrt(np.mean(audio[: len(voiced)][voiced].astype(np.float64) ** 2)))
        gain = np.float32(10.0 ** (VOWEL_DBFS / 20.0) / max(rms, 1e-9))
        name = f"{folder.name}/{file.relative_to(folder)}"
        licence, credit = str(facts.get("licence", "not stated")), str(facts.get("credit", "not stated"))
        voices.append(SoloVoice(name, licence, credit, gain * audio, f0_hz))
    if not voices:
        raise RtsepError(f"{folder} holds no solo voice", f"give recordings of at least {SHORTEST_S} s")
    return tuple(voices)


def _read_facts(folder: Path) -> dict[str, Any]:
    file = folder / "stems.toml"
    if not file.exists():
        return {}
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RtsepError(f"{file} cannot be read ({error})", "write licence, credit, use, channel") from None


def _read(file: Path, channel: int | None) -> Audio:
    try:
        audio, rate = soundfile.read(file, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise RtsepError(f"{file} cannot be read ({error})", "take it out of the folder") from None
    if channel is not None and not 1 <= channel <= audio.shape[1]:
        raise RtsepError(
            f"{file} has {audio.shape[1]} channels, stems.toml asks for channel {channel}",
            "count channels from 1",
        )
    mono = audio.mean(axis=1) if channel is None else audio[:, channel - 1]
    if rate != SAMPLERATE:
        mono = soxr.resample(mono, rate, SAMPLERATE, quality="VHQ")
    return np.ascontiguousarray(mono, np.float32)


def sing_solos(voices: tuple[SoloVoice, ...], config: ChoirConfig, rng: np.random.Generator) -> DryChoir:
    """Draws voices from different recordings, plays each at its own speed; highest first by median pitch."""
    wanted = 1 + int(rng.choice(len(config.voices), p=np.array(config.voices) / sum(config.voices)))
    frames = round(config.item_s / FRAME_S)
    parts = []
    for pick in rng.permutation(len(voices))[:wanted]:
        voice = voices[int(pick)]
        semitones = float(rng.uniform(-SPEED_SEMITONES, SPEED_SEMITONES))
        audio, f0_hz = _play(voice, 2.0 ** (semitones / 12.0), frames, rng)
        gate = _rests(frames, rng)
        audio *= np.repeat(gate, FRAME_SAMPLES).astype(np.float32)
        f0_hz = np.where(gate > 0.5, f0_hz, 0.0)
        sung = f0_hz[f0_hz > 0]
        height = float(np.median(sung)) if sung.size else 0.0
        singer = {"donor": voice.donor, "recording": voice.name, "shifted_semitones": round(semitones, 3)}
        parts.append((height, audio, f0_hz, singer))
    parts.sort(key=lambda part: -part[0])
    return DryChoir(
        np.stack([part[1] for part in parts]),
        np.stack([part[2] for part in parts]),
        [[part[3]] for part in parts],
        {"score": "none", "texture": "recorded solos"},
    )


def _play(
    voice: SoloVoice, speed: float, frames: int, rng: np.random.Generator
) -> tuple[Audio, NDArray[np.float64]]:
    """From a random place on, round and round, `speed` times as fast and as high."""
    needed = frames * FRAME_SAMPLES
    # a rate that soxr takes as a ratio of integers; the pitch moves by exactly this ratio
    rate = round(SAMPLERATE / speed)
    exact = SAMPLERATE / rate
    faster = soxr.resample(voice.audio, SAMPLERATE, rate, quality="HQ").astype(np.float32)
    join = round(JOIN_S * SAMPLERATE)
    fade = np.ones(len(faster), np.float32)
    fade[:join] = np.linspace(0.0, 1.0, join)
    fade[-join:] = fade[:join][::-1]
    start = int(rng.integers(len(faster)))
    place = (start + np.arange(needed)) % len(faster)
    audio = (faster * fade)[place]
    source_s = place[::FRAME_SAMPLES] / SAMPLERATE * exact
    return audio, exact * _pitch_at(voice.f0_hz, source_s)


def _pitch_at(f0_hz: NDArray[np.float64], times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear between voiced points, 0 where a neighbour is unvoiced."""
    at = times_s / F0_HOP_S
    low = np.clip(at.astype(int), 0, len(f0_hz) - 1)
    high = np.minimum(low + 1, len(f0_hz) - 1)
    share = np.clip(at - low, 0.0, 1.0)
    both = (f0_hz[low] > 0) & (f0_hz[high] > 0)
    return np.where(both, (1.0 - share) * f0_hz[low] + share * f0_hz[high], 0.0)


def _rests(frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Gain per frame: one, or zero for blocks of some seconds, faded."""
    gate = np.ones(frames)
    start = 0
    while start < frames:
        length = round(rng.uniform(*REST_BLOCK_S) / FRAME_S)
        if rng.random() < REST_SHARE:
            gate[start : start + length] = 0.0
        start += length
    width = round(FADE_S / FRAME_S)
    return np.convolve(np.pad(gate, width, mode="edge"), np.ones(width) / width, mode="same")[width:-width]

"""One item of rendered choir: drawn, sung, recorded and labelled, from a seed and an index alone."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from rtsep.kernels.errors import RtsepError
from rtsep.training.arrangement import Arrangement, SungNote, arrange
from rtsep.training.choir_config import ChoirConfig
from rtsep.training.choir_mix import record
from rtsep.training.f0_labels import merged_voices, pitch_order, section_f0
from rtsep.training.performance import Singer, perform
from rtsep.training.room import Response, load_responses
from rtsep.training.scores import Score, load_scores
from rtsep.training.voice_render import FRAME_SAMPLES, NOISE_OFFSETS, render_voice
from rtsep.training.voicebank import FRAME_S, SAMPLERATE, Voicebank, load_voicebank

# Donors within about an octave of the line; further ones now and then, for timbres that no donor has.
DONOR_REACH_SEMITONES = 9.0
SINGER_BALANCE_DB = 2.0  # standard deviation within a section
LOWEST_LEVEL_DB = -120.0

Audio = NDArray[np.float32]


@dataclass(frozen=True)
class Materials:
    """What choirs are made of."""

    banks: tuple[Voicebank, ...]
    scores: tuple[Score, ...] = ()
    responses: tuple[Response, ...] = ()


def load_materials(
    voicebanks: tuple[Path, ...], scores: Path | None, irs: Path | None, cache: Path
) -> Materials:
    """Reads folders; banks marked `use = "development"` are refused.

    Raises:
        RtsepError: no bank, a bank that is not for training, or anything unreadable.
    """
    banks = tuple(load_voicebank(folder, cache) for folder in voicebanks)
    if not banks:
        raise RtsepError("no voicebank is given", "give --voicebank DIR, once for each donor")
    for bank in banks:
        if bank.use != "training":
            raise RtsepError(
                f"voicebank {bank.name} is for {bank.use} only", "leave it out of what models are trained on"
            )
    return Materials(banks, load_scores(scores) if scores else (), load_responses(irs))


@dataclass(frozen=True)
class ChoirItem:
    """A mixture and all that is true about it. Frame n of the labels lies at n * 5 ms.

    Attributes:
        samplerate: Hz.
        stems: float32 [voices, samples], as they are in the mixture: balance, room and microphone included.
        noise: float32 [samples], everything that is no voice.
        f0_hz: float32 [voices, frames], 0 where unvoiced; of the singing, not of its reverberation.
        merged: bool [voices, frames], see `f0_labels.merged_voices`.
        order: int8 [voices, frames], see `f0_labels.pitch_order`; stems themselves are in the score's order.
        level_db: float32 [voices, frames], RMS of 20 ms of each stem in dBFS: tells tails from silence.
        facts: JSON-ready: arrangement, singers, donors, room.
    """

    samplerate: int
    stems: Audio
    noise: Audio
    f0_hz: NDArray[np.float32]
    merged: NDArray[np.bool_]
    order: NDArray[np.int8]
    level_db: NDArray[np.float32]
    facts: dict[str, Any]

    @property
    def mixture(self) -> Audio:
        """float32 [samples]."""
        return np.asarray(self.stems.sum(axis=0) + self.noise)

    @property
    def voiced(self) -> NDArray[np.bool_]:
        """bool [voices, frames]."""
        return self.f0_hz > 0


def render_item(config: ChoirConfig, materials: Materials, seed: int, index: int) -> ChoirItem:
    """Renders item `index`; nothing else but the arguments has any influence.

    Synthesis runs at 24 kHz (see `voicebank.SAMPLERATE`); other rates are resampled, all stems alike.
    """
    plan, cast, sing, mix = (np.random.default_rng(s) for s in np.random.SeedSequence([seed, index]).spawn(4))
    arrangement = arrange(config, materials.scores, plan)
    frames = round(config.item_s / FRAME_S)
    noise_offsets = iter(cast.permutation(NOISE_OFFSETS))
    dry, f0_hz, voices = [], [], []
    for place, notes in enumerate(arrangement.voices):
        singers = _cast(notes, place, materials.banks, config, cast)
        parts, curves, weights = [], [], []
        for singer in singers:
            bank = materials.banks[singer.bank]
            offset = int(next(noise_offsets))
            balance_db = float(cast.normal(0.0, SINGER_BALANCE_DB)) if len(singers) > 1 else 0.0
            if not notes:
                continue
            performance = perform(notes, singer, bank, config, frames, sing)
            gain = 10.0 ** (balance_db / 20.0) / np.sqrt(len(singers))
            parts.append(np.float32(gain) * render_voice(performance, singer, bank, offset))
            curves.append(np.where(performance.voiced, performance.f0_hz, 0.0))
            weights.append(10.0 ** ((performance.heard + balance_db) / 10.0))
        if parts:
            dry.append(np.sum(parts, axis=0, dtype=np.float32))
            f0_hz.append(section_f0(np.stack(curves), np.stack(weights)))
        else:
            dry.append(np.zeros(frames * FRAME_SAMPLES, np.float32))
            f0_hz.append(np.zeros(frames))
        voices.append([_describe(singer, materials.banks) for singer in singers] if notes else [])
    recording = record(np.stack(dry), materials.responses, config, mix)
    truth = np.stack(f0_hz)
    signals = np.concatenate([recording.stems, recording.noise[None]])
    level_db = _levels(recording.stems, frames)
    if config.samplerate != SAMPLERATE:
        signals = np.stack([soxr.resample(s, SAMPLERATE, config.samplerate, quality="VHQ") for s in signals])
    return ChoirItem(
        samplerate=config.samplerate,
        stems=np.ascontiguousarray(signals[:-1]),
        noise=np.ascontiguousarray(signals[-1]),
        f0_hz=truth.astype(np.float32),
        merged=merged_voices(truth),
        order=pitch_order(truth),
        level_db=level_db,
        facts=_facts(arrangement, seed, index, voices, materials.banks) | recording.facts,
    )


def _cast(
    notes: tuple[SungNote, ...],
    place: int,
    banks: tuple[Voicebank, ...],
    config: ChoirConfig,
    rng: np.random.Generator,
) -> list[Singer]:
    """Singers of one voice, donors near its register preferred."""
    count = 1 + int(rng.choice(len(config.singers), p=np.array(config.singers) / sum(config.singers)))
    centre = float(np.mean([n.midi for n in notes])) if notes else 60.0
    registers = 69.0 + 12.0 * np.log2(np.array([bank.f0_hz for bank in banks]) / 440.0)
    weight = 0.05 + np.exp(-0.5 * ((registers - centre) / DONOR_REACH_SEMITONES) ** 2)
    strong = config.strong_vibrato if place == 0 else config.strong_vibrato / 3.0
    singers = []
    for _ in range(count):
        soloist = rng.random() < strong
        singers.append(
            Singer(
                bank=int(rng.choice(len(banks), p=weight / weight.sum())),
                warp=float(rng.uniform(*config.envelope_warp)),
                tilt_db_per_octave=float(rng.uniform(*config.tilt_db_per_octave)),
                vibrato_hz=float(rng.uniform(*config.vibrato_hz)),
                vibrato_cents=float(
                    rng.uniform(*(config.strong_vibrato_cents if soloist else config.vibrato_cents))
                ),
            )
        )
    return singers


def _levels(stems: Audio, frames: int) -> NDArray[np.float32]:
    """RMS of the 20 ms around every frame's time, dBFS."""
    blocks = np.mean(stems.reshape(len(stems), frames, FRAME_SAMPLES).astype(np.float64) ** 2, axis=2)
    padded = np.pad(blocks, ((0, 0), (2, 1)))
    power = sum((padded[:, k : k + frames] for k in range(4)), np.zeros_like(blocks)) / 4.0
    return np.maximum(10.0 * np.log10(power + 1e-30), LOWEST_LEVEL_DB).astype(np.float32)


def _describe(singer: Singer, banks: tuple[Voicebank, ...]) -> dict[str, Any]:
    return {
        "donor": banks[singer.bank].name,
        "warp": round(singer.warp, 4),
        "tilt_db_per_octave": round(singer.tilt_db_per_octave, 3),
        "vibrato_hz": round(singer.vibrato_hz, 3),
        "vibrato_cents": round(singer.vibrato_cents, 2),
    }


def _facts(
    arrangement: Arrangement,
    seed: int,
    index: int,
    voices: list[list[dict[str, Any]]],
    banks: tuple[Voicebank, ...],
) -> dict[str, Any]:
    used = {singer["donor"] for voice in voices for singer in voice}
    return {
        "seed": seed,
        "index": index,
        "score": arrangement.score,
        "texture": arrangement.texture,
        "doubling": arrangement.doubling,
        "tempo_qpm": round(arrangement.tempo_qpm, 2),
        "transposition": arrangement.transposition,
        "voices": voices,
        "donors": [
            {"name": bank.name, "licence": bank.licence, "credit": bank.credit}
            for bank in banks
            if bank.name in used
        ],
    }

"""A choir before it stands in a room: dry voices, their pitches, and who sang."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.training.choir.render.arrangement import SungNote, arrange
from rtsep.training.choir.render.f0_labels import section_f0
from rtsep.training.choir.render.performance import Singer, perform
from rtsep.training.choir.render.scores import Score
from rtsep.training.choir.render.settings import ChoirConfig
from rtsep.training.choir.render.voice_render import FRAME_SAMPLES, NOISE_OFFSETS, render_voice
from rtsep.training.choir.render.voicebank import FRAME_S, Voicebank

# Donors within about an octave of the line; further ones now and then, for timbres that no donor has.
DONOR_REACH_SEMITONES = 9.0
SINGER_BALANCE_DB = 2.0  # standard deviation within a section


@dataclass(frozen=True)
class DryChoir:
    """Voices of one item.

    Attributes:
        audio: float32 [voices, samples] at 24 kHz, vowels at about -20 dBFS RMS.
        f0_hz: float64 [voices, frames] every 5 ms, 0 where no pitch is sung.
        singers: per voice, JSON-ready, each with its `donor`; empty where a voice never sings.
        facts: JSON-ready: what is sung.
    """

    audio: NDArray[np.float32]
    f0_hz: NDArray[np.float64]
    singers: list[list[dict[str, Any]]]
    facts: dict[str, Any]


def sing_score(
    config: ChoirConfig,
    banks: tuple[Voicebank, ...],
    scores: tuple[Score, ...],
    seeds: np.random.SeedSequence,
) -> DryChoir:
    """Draws an arrangement and has it sung by donors' voices."""
    plan, cast, sing = (np.random.default_rng(s) for s in seeds.spawn(3))
    arrangement = arrange(config, scores, plan)
    frames = round(config.item_s / FRAME_S)
    noise_offsets = iter(cast.permutation(NOISE_OFFSETS))
    audio = np.zeros((len(arrangement.voices), frames * FRAME_SAMPLES), np.float32)
    f0_hz = np.zeros((len(arrangement.voices), frames))
    described: list[list[dict[str, Any]]] = []
    for voice, notes in enumerate(arrangement.voices):
        singers = _cast(notes, voice, banks, config, cast)
        curves, weights = [], []
        for singer in singers if notes else []:
            bank = banks[singer.bank]
            balance_db = float(cast.normal(0.0, SINGER_BALANCE_DB)) if len(singers) > 1 else 0.0
            performance = perform(notes, singer, bank, config, frames, sing)
            gain = 10.0 ** (balance_db / 20.0) / np.sqrt(len(singers))
            audio[voice] += np.float32(gain) * render_voice(
                performance, singer, bank, int(next(noise_offsets))
            )
            curves.append(np.where(performance.voiced, performance.f0_hz, 0.0))
            weights.append(10.0 ** ((performance.heard + balance_db) / 10.0))
        if curves:
            f0_hz[voice] = section_f0(np.stack(curves), np.stack(weights))
        described.append([_describe(singer, banks) for singer in singers] if notes else [])
    facts = {
        "score": arrangement.score,
        "texture": arrangement.texture,
        "doubling": arrangement.doubling,
        "tempo_qpm": round(arrangement.tempo_qpm, 2),
        "transposition": arrangement.transposition,
    }
    return DryChoir(audio, f0_hz, described, facts)


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


def _describe(singer: Singer, banks: tuple[Voicebank, ...]) -> dict[str, Any]:
    return {
        "donor": banks[singer.bank].name,
        "warp": round(singer.warp, 4),
        "tilt_db_per_octave": round(singer.tilt_db_per_octave, 3),
        "vibrato_hz": round(singer.vibrato_hz, 3),
        "vibrato_cents": round(singer.vibrato_cents, 2),
    }

"""Duets that do not suit stems in order of pitch, rendered: they cross, stand on a drone, meet, rest.

Written here, so that anybody can render them again from syllables of at least two donors.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import soxr
from numpy.typing import NDArray

from rtsep.models.choir.parts.parts import midi_of
from rtsep.training.choir.render.arrangement import SungNote
from rtsep.training.choir.render.mix import record
from rtsep.training.choir.render.performance import Singer, perform
from rtsep.training.choir.render.room import Response
from rtsep.training.choir.render.settings import ChoirConfig
from rtsep.training.choir.render.voice_render import render_voice
from rtsep.training.choir.render.voicebank import FRAME_S, SAMPLERATE, Voicebank
from rtsep.training.measures import protocol
from rtsep.training.measures.protocol import Audio
from rtsep.training.seeds import generator

BEAT_S = 0.6
SEED = 20261
# Of each: what both sing, from the beginning; beats after the colon, one where there is none; R rests.
PIECES: dict[str, tuple[str, str]] = {
    "crossing scales": (
        "E4:2 F4 G4:2 F4 E4 D4:2 C4 B3:2 A3 B3 C4:2 R:2 E4 F4 G4:2 A4 G4 F4 E4 D4 C4 B3:2 R:1 A3 B3 C4 D4 "
        "E4:2 G4:2 F4 E4:3 C4:3",
        "C4:2 B3 A3:2 B3 C4 E4:2 G4 A4:2 G4:2 F4 E4:2 D4:2 C4 B3:2 R:1 A3 B3 C4 D4 E4 F4 G4:2 A4 R:1 G4 F4 "
        "E4 D4 C4:2 B3 A3:2 G3:3 E4:3",
    ),
    "melody across a drone": (
        "R:2 A4 G4 F4:2 E4:2 D4:3 C4 B3:2 A3:2 B3 C4 D4:4 E4 F4 G4:2 R:1 F4 E4 D4:2 C4:2 A3:2 C4 D4:3 R:1 G4 "
        "F4 E4 D4:2 E4 D4:4",
        "D4:10 R:0.5 D4:11 R:0.5 D4:12 R:0.5 D4:15",
    ),
    "meeting in unison": (
        "E4:2 D4 C4:3 D4 E4:2 F4 E4:4 R:1 G4 F4 E4:2 D4:4 E4 F4:2 G4:2 E4:3 D4 C4:4 R:1 E4 D4:2 C4:3",
        "C4:2 D4 C4:3 B3 C4:2 D4 E4:4 R:1 E4 D4 C4:2 D4:4 C4 D4:2 E4:2 E4:3 B3 C4:4 R:1 C4 D4:2 C4:3",
    ),
    "long rests": (
        "A4:2 G4 F4:2 R:4 G4 A4:2 R:3 F4 E4 D4:2 R:4 A4:2 G4 F4 R:3 E4 F4 G4:2 R:4 F4:2 E4:2",
        "R:3 F4 E4 D4:2 C4 D4 E4 F4:2 R:2 E4 D4 C4 B3 A3:2 R:1 C4 D4 F4 R:2 D4 C4 D4 E4:2 F4 E4 R:2 D4 C4:2",
    ),
}
# What would hide the question is left out: noise, knocks, great distance, singers of very different level.
PLAIN = replace(
    ChoirConfig(),
    gain_db=(-3.0, 3.0),
    vibrato_cents=(10.0, 45.0),
    strong_vibrato=0.1,
    noiseless_item=0.0,
    applause_item=0.0,
    knocks_item=0.0,
    lowpass_item=0.0,
    noise_db=(-70.0, -50.0),
    wet_db=(-22.0, -8.0),
)
# A donor so many semitones away from a line sings it at exp(-1/2) of the likelihood of one who lives there;
# nobody is barred; whoever sings the other line already, hardly ever.
NEAR_SEMITONES, ANYBODY, AGAIN = 9.0, 0.05, 0.1
NOISE_APART = 13  # of the places in the noise that breath is made of, for two voices never the same


@dataclass(frozen=True)
class Duet:
    """stems float32 [2, samples] and noise float32 [samples] at 16 kHz, together the mixture; who sings."""

    stems: Audio
    noise: Audio
    singers: tuple[str, ...]


def written(text: str) -> tuple[tuple[SungNote, ...], float]:
    """The notes of a line and its length in s."""
    words = [word.partition(":") for word in text.split()]
    time_s, found = 0.0, []
    for (note, _, beats), (after, _, _) in pairwise([*words, ("R", "", "")]):
        long_s = float(beats or 1) * BEAT_S
        if note != "R":
            found.append(SungNote(time_s, long_s, midi_of(note), last=after == "R"))
        time_s += long_s
    return tuple(found), time_s


def render_duet(piece: str, cast: int, banks: tuple[Voicebank, ...], responses: tuple[Response, ...]) -> Duet:
    """One of `PIECES`, sung by the singers that cast number `cast` draws, in a room of its own."""
    rng = generator(SEED, "crossing duets", cast)
    lines = [written(text) for text in PIECES[piece]]
    item_s = float(np.ceil(max(long_s for _, long_s in lines) + 1.0))
    config, frames = replace(PLAIN, item_s=item_s), round(item_s / FRAME_S)
    sung: list[Audio] = []
    singers: list[int] = []
    for number, (notes, _) in enumerate(lines):
        bank = _cast(banks, np.mean([note.midi for note in notes]), singers, rng)
        singers.append(bank)
        singer = Singer(
            bank,
            rng.uniform(*config.envelope_warp),
            rng.uniform(*config.tilt_db_per_octave),
            rng.uniform(*config.vibrato_hz),
            rng.uniform(*config.vibrato_cents),
        )
        performance = perform(notes, singer, banks[bank], config, frames, rng)
        offset = NOISE_APART * number + int(rng.integers(NOISE_APART - 3))
        sung.append(render_voice(performance, singer, banks[bank], offset))
    recording = record(np.stack(sung), responses, config, rng)
    at_16k = [_resampled(sound) for sound in (*recording.stems, recording.noise)]
    return Duet(np.stack(at_16k[:-1]), at_16k[-1], tuple(banks[bank].name for bank in singers))


def _cast(
    banks: tuple[Voicebank, ...], centre: np.floating, taken: list[int], rng: np.random.Generator
) -> int:
    at = np.array([69.0 + 12.0 * np.log2(bank.f0_hz / 440.0) for bank in banks])
    likely = np.exp(-0.5 * ((at - centre) / NEAR_SEMITONES) ** 2) + ANYBODY
    likely[taken] *= AGAIN
    return int(rng.choice(len(banks), p=likely / likely.sum()))


def _resampled(sound: NDArray[np.float32]) -> Audio:
    found = soxr.resample(sound, SAMPLERATE, protocol.SAMPLERATE, quality="VHQ")
    return np.asarray(found, np.float32)

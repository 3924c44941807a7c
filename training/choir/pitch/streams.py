"""Streams of rendered choir for the pitch network: the input of every stream in a training step, from a seed.

A stream plays *passes*: one item each, from a random place, through one latency preset, for `CHUNKS` steps
of `frames` hops, with the network's state carried along and reset between passes. Everything a step needs
follows from (seed, stream, step), so training resumes where it was without a memory of its own.
"""

from dataclasses import dataclass

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtsep.kernels.assignments import MAX_VOICES
from rtsep.models.choir.network_tracker import preset_of
from rtsep.models.choir.pitch_grid import pitch_filterbank
from rtsep.models.framing import Framing
from rtsep.models.networks.filterbank import TensorFilterbank
from rtsep.rt.hop.presets import OVERLAP_AT_48K, Preset
from rtsep.training.choir.equaliser import EQ_NODES_HZ, smooth_gain_db
from rtsep.training.choir.frontend import TorchFrontend
from rtsep.training.choir.pitch.targets import PitchTargets, pitch_targets, tails
from rtsep.training.choir.render.f0_labels import LABEL_S
from rtsep.training.choir.render.item import Items
from rtsep.training.measures.protocol import SAMPLERATE
from rtsep.training.seeds import generator

LATENCIES_MS = tuple(OVERLAP_AT_48K)
CHUNKS = 6

# Augmentation: stems and their F0 allow it for next to nothing.
GUEST_PASS = 0.3  # voices of another item join: chords that are in no score
VOICE_GAIN_DB = 4.0
ITEM_GAIN_DB = (-24.0, 4.0)
EQ_DB = 7.0  # standard deviation per node: other vowels, singers, microphones
SPEED_PASS = 0.5  # played faster or slower: other vocal tracts, vibratos and registers
SPEED_SEMITONES = (-3.0, 5.0)  # more up than down: few donors sing high
# A singer's microphone picks up the rest of the section: faint, a little early or late, a little out of tune.
SECTION_PASS = 0.5
SECTION_SINGERS = 3  # at most
SECTION_DB = (-28.0, -10.0)  # each, below the singer
SECTION_LAG_S = (-0.08, 0.25)  # the wider the longer a note lasts after the singer has left it
SECTION_CENTS = 6.0  # standard deviation; also lets them drift by a tenth of a second over an item


@dataclass(frozen=True)
class Passage:
    """A mixture in parts, and its labels every 5 ms; the input of a stream for one pass.

    Attributes:
        signals: float32 [voices + 1, samples], the noise last, gains applied.
        eq: float32 [voices + 1, bins].
        f0_hz, tail_hz, level_db: [voices, label frames].
        latency_ms: preset.
        first: frame with which the first chunk begins.
    """

    signals: Tensor
    eq: Tensor
    f0_hz: NDArray[np.float64]
    tail_hz: NDArray[np.float64]
    level_db: NDArray[np.float32]
    latency_ms: int
    first: int


@dataclass(frozen=True)
class Chunk:
    """One stream's share of a step: bands float32 [frames, BANDS], preset one-hot [4], targets."""

    bands: Tensor
    preset: Tensor
    targets: PitchTargets


def frontend(latency_ms: int) -> TorchFrontend:
    """The engine's frames at 16 kHz, as often as the tracker looks."""
    framing = Preset(SAMPLERATE, latency_ms).framing
    _, stride = preset_of(framing)
    return TorchFrontend(framing, stride)


class PitchStreams:
    """Chunks of all streams for any step.

    Args:
        items: rendered choirs at 16 kHz.
        seed: of everything drawn here.
        frames: hops per chunk.
        augment: gains, equalisers and guests; without, items stay as they are.
    """

    def __init__(self, items: Items, seed: int, frames: int, augment: bool = True) -> None:
        self._items, self._seed, self._frames, self._augment = items, seed, frames, augment
        self._name = "passage to learn from" if augment else "passage as it is"
        self._frontends = {ms: frontend(ms) for ms in LATENCIES_MS}
        self._banks = {
            ms: TensorFilterbank(pitch_filterbank(f.framing), f.framing) for ms, f in self._frontends.items()
        }
        self._playing: dict[int, tuple[int, Passage]] = {}

    def starts_pass(self, stream: int, step: int) -> bool:
        """Whether the stream's state is to be reset before this step."""
        return (step + stream) % CHUNKS == 0

    def chunk(self, stream: int, step: int) -> Chunk:
        """Input and labels of stream `stream` in step `step`."""
        number, place = divmod(step + stream, CHUNKS)
        held = self._playing.get(stream)
        if held is None or held[0] != number:
            held = (number, self._draw(generator(self._seed, self._name, stream, number)))
            self._playing[stream] = held
        passage = held[1]
        first = passage.first + place * self._frames
        front = self._frontends[passage.latency_ms]
        spectra = (front.spectra(passage.signals, first, self._frames) * passage.eq[:, None]).sum(0)
        bands = self._banks[passage.latency_ms](spectra.abs())
        preset = torch.zeros(len(LATENCIES_MS))
        preset[LATENCIES_MS.index(passage.latency_ms)] = 1.0
        return Chunk(bands, preset, self._targets(passage, front.pitch_times_s(first, self._frames)))

    def _targets(self, passage: Passage, times_s: NDArray[np.float64]) -> PitchTargets:
        at = np.clip(times_s / LABEL_S, 0, passage.f0_hz.shape[1] - 1)
        below = np.floor(at).astype(int)
        above = np.minimum(below + 1, passage.f0_hz.shape[1] - 1)
        near = np.round(at).astype(int)
        low, high = passage.f0_hz[:, below], passage.f0_hz[:, above]
        between = np.exp2(
            (1 - (at - below)) * np.log2(np.maximum(low, 1.0)) + (at - below) * np.log2(np.maximum(high, 1.0))
        )
        f0_hz = np.where((low > 0) & (high > 0), between, passage.f0_hz[:, near])
        return pitch_targets(f0_hz, passage.tail_hz[:, near], passage.level_db[:, near])

    def _draw(self, rng: np.random.Generator) -> Passage:
        item = self._items[int(rng.integers(len(self._items)))]
        stems, f0, level = item.stems, item.f0_hz, item.level_db
        if self._augment and rng.random() < GUEST_PASS:
            guest = self._items[int(rng.integers(len(self._items)))]
            size, frames = min(stems.shape[1], guest.stems.shape[1]), min(f0.shape[1], guest.f0_hz.shape[1])
            stems = np.concatenate([stems[:, :size], guest.stems[:, :size]])
            f0 = np.concatenate([f0[:, :frames], guest.f0_hz[:, :frames]])
            level = np.concatenate([level[:, :frames], guest.level_db[:, :frames]])
            chosen = rng.permutation(len(stems))[: int(rng.integers(2, MAX_VOICES + 1))]
            stems, f0, level = stems[chosen], f0[chosen], level[chosen]
        signals = np.concatenate([stems, item.noise[None, : stems.shape[1]]])
        if self._augment and rng.random() < SPEED_PASS:
            signals, f0, level = _faster(signals, f0, level, 2.0 ** (rng.uniform(*SPEED_SEMITONES) / 12.0))
        if self._augment and rng.random() < SECTION_PASS:
            signals[:-1] += _section(signals[:-1], rng)
        latency_ms = LATENCIES_MS[int(rng.integers(len(LATENCIES_MS)))]
        framing = self._frontends[latency_ms].framing
        gain_db, eq = np.zeros(len(stems)), np.ones((len(stems) + 1, framing.bins), np.float32)
        item_gain_db = 0.0
        if self._augment:
            gain_db = VOICE_GAIN_DB * rng.uniform(-1, 1, len(stems))
            item_gain_db = float(rng.uniform(*ITEM_GAIN_DB))
            eq[:-1] = [_equaliser(rng, framing) for _ in stems]
        gains = np.append(10 ** ((gain_db + item_gain_db) / 20), 10 ** (item_gain_db / 20)).astype(np.float32)
        length = self._frames * CHUNKS
        spare = signals.shape[1] // self._frontends[latency_ms].hop - length
        first = int(rng.integers(spare + 1)) if spare > 0 else 0
        return Passage(
            torch.from_numpy(signals * gains[:, None]),
            torch.from_numpy(eq),
            f0.astype(np.float64),
            tails(f0, level, LABEL_S),
            (level + gain_db[:, None] + item_gain_db).astype(np.float32),
            latency_ms,
            first,
        )


def _faster(
    signals: NDArray[np.float32], f0_hz: NDArray[np.float32], level_db: NDArray[np.float32], speed: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """A tape at another speed: pitch, tempo and formants move together; labels stay every 5 ms."""
    played = np.stack([soxr.resample(s, SAMPLERATE * speed, SAMPLERATE, quality="MQ") for s in signals])
    frames = int(f0_hz.shape[1] / speed)
    at = np.minimum(np.round(np.arange(frames) * speed).astype(int), f0_hz.shape[1] - 1)
    return played, (speed * f0_hz[:, at]).astype(np.float32), level_db[:, at]


def _section(stems: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Who sings the same beside each voice: float32 [voices, samples]."""
    recorded = np.zeros_like(stems)
    samples = stems.shape[1]
    for voice, stem in enumerate(stems):
        for _ in range(int(rng.integers(1, SECTION_SINGERS + 1))):
            cents = SECTION_CENTS * rng.standard_normal()
            other = soxr.resample(stem, SAMPLERATE * 2.0 ** (cents / 1200.0), SAMPLERATE, quality="MQ")
            other = other * np.float32(10.0 ** (rng.uniform(*SECTION_DB) / 20.0))
            lag = round(rng.uniform(*SECTION_LAG_S) * SAMPLERATE)
            part = other[max(0, -lag) :][: samples - max(0, lag)]
            recorded[voice, max(0, lag) :][: part.size] += part
    return recorded


def _equaliser(rng: np.random.Generator, framing: Framing) -> NDArray[np.float32]:
    f_hz = np.maximum(np.arange(framing.bins) * framing.bin_hz, 1.0)
    nodes_db = EQ_DB * rng.standard_normal(len(EQ_NODES_HZ))
    shape_db = smooth_gain_db(f_hz, nodes_db)
    return np.asarray(10 ** ((shape_db - np.mean(nodes_db)) / 20), np.float32)

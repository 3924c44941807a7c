"""Mixtures to learn levels from: stems of rendered choirs, as they are or mixed at random, and pitches as a
tracker would give.

A network that is only shown true pitches and one producer's voices believes both too much: stems of different
items are mixed, balanced and equalised anew, and pitches are detuned, late, missing or wrong now and then.
"""

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtsep.models.choir.given_pitches import MAX_GLIDE_OCTAVES
from rtsep.training.choir.equaliser import EQ_NODES_HZ, smooth_gain_db
from rtsep.training.choir.render.f0_labels import LABEL_S
from rtsep.training.choir.render.item import Items

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

PEAK_DBFS = (-18.0, -1.0)  # of the mixture
VOICES = (0.05, 0.1, 0.15, 0.7)  # share of random mixes with 1, 2, 3, 4 voices
SLOW_S = 0.1  # time constant of a detuning that wanders


@dataclass(frozen=True)
class MixtureAugment:
    """How far a drawn mixture may be from its items; probabilities are shares of 0..1.

    Attributes:
        random_mix: mixtures of stems of different items; the others are items as they are.
        gain_db: of every stem, up or down.
        eq_db: standard deviation at the nodes of a smooth equaliser per stem.
        detune_cents: largest standard deviation of slow errors of F0.
        late: voices whose F0 comes up to `late_s` late.
        missing, wrong, false_voicing: voices whose F0 is, for a while, 0, an octave or another voice's, or
            held over a rest.
        tracked: of items as they are with all voices, those whose F0 the shipped tracker finds, errors and
            all.
    """

    random_mix: float = 0.5
    gain_db: float = 6.0
    eq_db: float = 3.0
    detune_cents: float = 8.0
    late: float = 0.4
    late_s: float = 0.02
    missing: float = 0.12
    wrong: float = 0.05
    false_voicing: float = 0.15
    tracked: float = 0.0


@dataclass(frozen=True)
class DrawnMixture:
    """Stems float32 [V, samples] (silent where there are fewer voices), noise [samples], F0 as given float64
    [V, labels]; whether it is an item as it is, with all V voices."""

    stems: F32
    noise: F32
    f0_hz: F64
    whole: bool

    @property
    def mixture(self) -> F32:
        """float32 [samples]."""
        return np.asarray(self.stems.sum(axis=0) + self.noise)


class ItemCache:
    """Rendered items in memory as 16 bit: reading a FLAC takes as long as half a training step.

    Args:
        items: the data.
        megabytes: what may be kept; the longest unused goes first.
    """

    def __init__(self, items: Items, megabytes: int) -> None:
        self._items, self._free = items, megabytes * 2**20
        self._held: OrderedDict[int, tuple[NDArray[np.int16], F32]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._items)

    def signals(self, index: int) -> tuple[NDArray[np.int16], F32]:
        """All channels of an item, the noise last, in 1/32767, and its F0 [voices, labels]."""
        if index not in self._held:
            item = self._items[index]
            tracks = np.concatenate([item.stems, item.noise[None]])
            held = np.round(np.clip(tracks, -1.0, 1.0) * 32767.0).astype(np.int16)
            self._held[index] = (held, item.f0_hz)
            self._free -= held.nbytes
            while self._free < 0 and len(self._held) > 1:
                self._free += self._held.popitem(last=False)[1][0].nbytes
        self._held.move_to_end(index)
        return self._held[index]


def draw_mixture(
    cache: ItemCache,
    rng: np.random.Generator,
    samples: int,
    voices: int,
    samplerate: int,
    augment: MixtureAugment,
) -> DrawnMixture:
    """A stretch of `samples` of up to `voices` voices."""
    labels = round(samples / samplerate / LABEL_S)
    stems, f0_hz = np.zeros((voices, samples), np.float32), np.zeros((voices, labels))
    noise = np.zeros(samples, np.float32)
    whole = False
    if voices > 1 and rng.random() >= augment.random_mix:
        tracks, pitches, noise = _stretch(cache, rng, samples, labels, samplerate)
        chosen = rng.permutation(len(tracks))[:voices]
        stems[: chosen.size], f0_hz[: chosen.size] = tracks[chosen], pitches[chosen]
        whole = chosen.size == voices
    else:
        count = 1 + int(rng.choice(4, p=VOICES)) if voices > 1 else 1
        for voice in range(min(count, voices)):
            tracks, pitches, noise = _stretch(cache, rng, samples, labels, samplerate)
            one = int(rng.integers(len(tracks)))
            stems[voice], f0_hz[voice] = tracks[one], pitches[one]
    for voice in range(voices):
        stems[voice] = _equalised(stems[voice], rng, samplerate, augment)
    peak = float(np.abs(stems.sum(axis=0) + noise).max())
    scale = np.float32(10.0 ** (rng.uniform(*PEAK_DBFS) / 20.0) / max(peak, 1e-3))
    return DrawnMixture(stems * scale, noise * scale, _as_tracked(f0_hz, rng, augment), whole)


def f0_at(f0_hz: F64, times_s: F64) -> F64:
    """Labels [V, labels], one every 5 ms, at other times: [V, times]; between voiced labels linear in log F0
    (`F0Track.at`)."""
    place = np.clip(times_s / LABEL_S, 0.0, f0_hz.shape[1] - 1.0)
    below = np.minimum(place.astype(int), f0_hz.shape[1] - 2)
    share = place - below
    low, high = f0_hz[:, below], f0_hz[:, below + 1]
    octaves = np.log2(np.maximum(high, 1.0) / np.maximum(low, 1.0))
    glides = (low > 0) & (high > 0) & (np.abs(octaves) <= MAX_GLIDE_OCTAVES)
    return np.where(glides, low * np.exp2(share * octaves), np.where(share > 0.5, high, low))


def _stretch(
    cache: ItemCache, rng: np.random.Generator, samples: int, labels: int, samplerate: int
) -> tuple[F32, F64, F32]:
    tracks, f0_hz = cache.signals(int(rng.integers(len(cache))))
    label_samples = round(LABEL_S * samplerate)
    first = int(rng.integers(max(1, f0_hz.shape[1] - labels)))
    start = first * label_samples
    part = tracks[:, start : start + samples].astype(np.float32) / np.float32(32767.0)
    part = np.pad(part, ((0, 0), (0, samples - part.shape[1])))
    pitches = f0_hz[:, first : first + labels].astype(np.float64)
    pitches = np.pad(pitches, ((0, 0), (0, labels - pitches.shape[1])))
    return part[:-1], pitches, part[-1]


def _equalised(stem: F32, rng: np.random.Generator, samplerate: int, augment: MixtureAugment) -> F32:
    """Gain and a smooth equaliser; so smooth that its response, a few ms, may wrap around."""
    nodes_db = augment.eq_db * rng.standard_normal(len(EQ_NODES_HZ)) + rng.uniform(
        -augment.gain_db, augment.gain_db
    )
    if not stem.any():
        return stem
    spectrum = np.fft.rfft(stem)
    hz = np.maximum(np.arange(spectrum.size) * (samplerate / stem.size), 1.0)
    gain_db = smooth_gain_db(hz, nodes_db)
    return np.fft.irfft(spectrum * 10.0 ** (gain_db / 20.0), stem.size).astype(np.float32)


def _as_tracked(f0_hz: F64, rng: np.random.Generator, augment: MixtureAugment) -> F64:
    given = f0_hz.copy()
    voices, labels = given.shape
    keep = np.exp(-LABEL_S / SLOW_S)
    for voice in range(voices):
        if rng.random() < augment.late:
            lag = round(rng.uniform(0.0, augment.late_s) / LABEL_S)
            given[voice, lag:] = given[voice, : labels - lag].copy()
        steps = rng.standard_normal(labels) * np.sqrt(1.0 - keep**2)
        wander = np.empty(labels)
        state = rng.standard_normal()
        for n in range(labels):
            state = keep * state + steps[n]
            wander[n] = state
        given[voice] *= 2.0 ** (rng.uniform(0.0, augment.detune_cents) * wander / 1200.0)
        if rng.random() < augment.false_voicing:
            voiced = np.flatnonzero(given[voice] > 0)
            if voiced.size:
                last = voiced[np.maximum(np.searchsorted(voiced, np.arange(labels), side="right") - 1, 0)]
                given[voice] = given[voice, last]
        span = _span(rng, labels)
        if rng.random() < augment.wrong:
            other = given[int(rng.integers(voices)), span]
            given[voice, span] = other if rng.random() < 0.5 else given[voice, span] * rng.choice((0.5, 2.0))
        span = _span(rng, labels)
        if rng.random() < augment.missing:
            given[voice, span] = 0.0
    return given


def _span(rng: np.random.Generator, labels: int) -> slice:
    length = round(rng.uniform(0.1, 1.0) / LABEL_S)
    start = int(rng.integers(labels))
    return slice(start, start + length)

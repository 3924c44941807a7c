"""Mixtures to train on: coherent songs, and stems of different songs mixed at random.

Every row of a batch is one mixture of four stems and, where a database does not tell something apart, a rest.
One draw takes one database; what it knows says which decoders learn from the row.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from rtsep.kernels.errors import RtsepError
from rtsep.training.databases.stem_folder import FULL_SCALE, SAMPLERATE, Manifest, Song, StemFolder

F32 = NDArray[np.float32]
T = TypeVar("T")

PART_OF = {"guitar": "other"}  # stems that are part of another one where nobody asks for them
TRIES = 4  # for an excerpt in which the stem sounds


@dataclass(frozen=True)
class MixtureSettings:
    """What mixtures are like.

    Levels are those of real multitracks: a stem against the sum of the others, mean and spread in dB.
    """

    random_share: float = 0.5  # of rows: stems of different songs
    borrowed_vocals: float = 0.7  # of coherent songs that have no singer: one of another song
    backing_share: float = 0.15  # of vocals: a second singer, fainter
    balanced_share: float = 0.35  # of rows: all stems about equally loud
    level_vocals_db: tuple[float, float] = (-7.0, 5.0)
    level_drums_db: tuple[float, float] = (-9.0, 7.0)
    level_bass_db: tuple[float, float] = (-5.0, 3.0)
    level_other_db: tuple[float, float] = (-3.0, 6.0)
    balanced_spread_db: float = 3.0
    absent: tuple[float, float, float, float] = (0.2, 0.12, 0.12, 0.08)  # vocals, drums, bass, other
    speed: tuple[float, float] = (0.87, 1.15)  # pitch and tempo together
    changed_speed: float = 0.5  # of stems
    driven: float = 0.12  # of stems: soft clipping
    equaliser_db: float = 6.0  # at most, either way, smooth over frequency
    gain_db: float = 10.0  # of the whole mixture, either way
    quietest_dbfs: float = -20.0  # of the mixture, before that gain
    low_passed: float = 0.06  # of rows: as from a telephone or a 16 kHz recording


class Row(NamedTuple):
    """One mixture.

    Attributes:
        sources: float32 [stems + 1, samples]; the last is what is not told apart.
        known: bool [stems]: whether a source is exactly its stem.
        curves_db: float32 [stems + 1, KNOTS], equaliser at `knots_hz`.
        limit_hz: nothing can be learnt above it.
    """

    sources: F32
    known: NDArray[np.bool_]
    curves_db: F32
    limit_hz: float


KNOTS = 8
KNOTS_HZ = 40.0 * 2.0 ** (np.arange(KNOTS) * np.log2(12000.0 / 40.0) / (KNOTS - 1))


class _Source(NamedTuple):
    manifest: Manifest
    song: Song
    files: tuple[str, ...]  # of the song, summed


@dataclass
class Mixer:
    """Draws rows.

    Args:
        databases: to draw from.
        stems: of the model, in order.
        settings: what mixtures are like.
        held_out: draws from the songs that only validate.
    """

    databases: Sequence[StemFolder]
    stems: Sequence[str]
    settings: MixtureSettings
    held_out: bool = False
    _pools: dict[str, list[tuple[float, list[_Source]]]] = field(init=False)
    _coherent: list[tuple[float, StemFolder]] = field(init=False)

    def __post_init__(self) -> None:
        self._pools = {stem: self._pool(stem) for stem in self.stems}
        self._coherent = [
            (_weight(self._songs(d)), d)
            for d in self.databases
            if d.manifest.coherent and self._songs(d) and self._told_apart(d.manifest)
        ]
        missing = [stem for stem, pool in self._pools.items() if not pool]
        if missing:
            raise RtsepError(
                f"no database knows {', '.join(missing)}"
                + (" in a song that is held out" if self.held_out else ""),
                "name more databases with --data, or fewer stems",
            )

    def row(self, rng: np.random.Generator, samples: int, skip: int, stem: str | None = None) -> Row:
        """One mixture.

        Args:
            rng: chooses; the same numbers give the same mixture, whatever `skip` is.
            samples: length.
            skip: samples of the mixture that are passed over: where an item goes on.
            stem: must be known in it; any if None.
        """
        coherent = [(w, d) for w, d in self._coherent if stem is None or stem in self._told_apart(d.manifest)]
        if coherent and rng.random() >= self.settings.random_share:
            return self._from_song(rng, samples, skip, _pick(coherent, rng))
        return self._at_random(rng, samples, skip)

    def _at_random(self, rng: np.random.Generator, samples: int, skip: int) -> Row:
        wanted_db = self._levels(rng)
        sources = np.zeros((len(self.stems) + 1, samples), np.float32)
        limit_hz = np.inf
        for place, stem in enumerate(self.stems):
            absent = rng.random() < self._absent(place)
            chosen = self._draw(stem, rng)
            sound = self._excerpt(chosen, rng, samples, skip, self._speed(rng))
            if not absent:
                sources[place] = sound * 10.0 ** (wanted_db[place] / 20.0)
                limit_hz = min(limit_hz, chosen.manifest.limit_hz)
        return self._finished(rng, sources, np.ones(len(self.stems), np.bool_), limit_hz, samples, skip)

    def _from_song(self, rng: np.random.Generator, samples: int, skip: int, database: StemFolder) -> Row:
        songs = self._songs(database)
        song = songs[int(rng.integers(len(songs)))]
        manifest = database.manifest
        known = np.array([stem in self._told_apart(manifest) for stem in self.stems])
        speed = self._speed(rng)
        start = int(rng.integers(max(1, song.samples - round(speed * (samples + skip)))))
        sources = np.zeros((len(self.stems) + 1, samples), np.float32)
        levels_db = self._levels(rng)
        as_it_was = rng.random() < 0.5
        wobble_db = rng.normal(0.0, 3.0, len(self.stems) + 1)
        anchor_db = max(song.levels_dbfs.values())
        taken: set[str] = set()
        for place, stem in enumerate(self.stems):
            files = [
                f for f in song.files if f == stem or (PART_OF.get(f) == stem and stem in manifest.known)
            ]
            if not known[place] or not files:
                continue
            taken.update(files)
            level_db = max(song.levels_dbfs[f] for f in files)
            gain_db = -anchor_db + wobble_db[place] if as_it_was else levels_db[place] - level_db
            sound = sum(_cut(song.files[f], start, skip, samples, speed) for f in files)
            sources[place] = sound * np.float32(10.0 ** (gain_db / 20.0))
        for name in set(song.files) - taken:
            gain_db = -anchor_db + (wobble_db[-1] if as_it_was else 0.0)
            sources[-1] += _cut(song.files[name], start, skip, samples, speed) * np.float32(
                10.0 ** (gain_db / 20.0)
            )
        limit_hz = manifest.limit_hz
        borrows = rng.random() < self.settings.borrowed_vocals
        if "vocals" in self.stems and borrows:
            place = list(self.stems).index("vocals")
            if known[place] and not any("vocals" in s.files for s in songs):
                chosen = self._draw("vocals", rng)
                sound = self._excerpt(chosen, rng, samples, skip, self._speed(rng))
                sources[place] = sound * 10.0 ** (levels_db[place] / 20.0)
                limit_hz = min(limit_hz, chosen.manifest.limit_hz)
        return self._finished(rng, sources, known, limit_hz, samples, skip)

    def _finished(
        self, rng: np.random.Generator, sources: F32, known: NDArray[np.bool_], limit_hz: float,
        samples: int, skip: int,
    ) -> Row:  # fmt: skip
        """Backing vocals, drive, equalisers, polarity, level."""
        settings = self.settings
        for place, stem in enumerate(self.stems):
            backed, driven, flipped = rng.random(3)
            amount = rng.uniform(1.0, 6.0)
            if stem == "vocals" and backed < settings.backing_share and known[place]:
                chosen = self._draw(stem, rng)
                second = self._excerpt(chosen, rng, samples, skip, self._speed(rng))
                if np.any(sources[place]):
                    level_db = rng.uniform(-12.0, -2.0)
                    rms = float(np.sqrt(np.mean(sources[place] ** 2)))
                    sources[place] += second * np.float32(rms * 10.0 ** (level_db / 20.0))
                    limit_hz = min(limit_hz, chosen.manifest.limit_hz)
            if driven < settings.driven and stem != "vocals":
                # against the RMS: how hot it is must not depend on where an item is cut
                rms = float(np.sqrt(np.mean(sources[place] ** 2))) + 1e-9
                knee = np.float32(4.0 * rms / amount)
                sources[place] = knee * np.tanh(sources[place] / knee)
            if flipped < 0.5:
                sources[place] *= -1.0
        curves_db = rng.uniform(-1.0, 1.0, (len(sources), KNOTS)).astype(np.float32) * np.float32(
            settings.equaliser_db
        )
        gain_db = settings.quietest_dbfs + rng.uniform(-settings.gain_db, settings.gain_db)
        sources *= np.float32(10.0 ** (gain_db / 20.0))
        low_passed = rng.random() < settings.low_passed
        return Row(sources, known, curves_db, min(limit_hz, 7800.0) if low_passed else limit_hz)

    def _levels(self, rng: np.random.Generator) -> F32:
        """dB re the mixture, of every stem: from levels against the rest of real multitracks, or equal."""
        settings = self.settings
        if rng.random() < settings.balanced_share:
            return rng.normal(-6.0, settings.balanced_spread_db, len(self.stems)).astype(np.float32)
        out = []
        for stem in self.stems:
            mean_db, spread_db = getattr(settings, f"level_{stem}_db", (-6.0, 5.0))
            ratio = 10.0 ** (rng.normal(mean_db, spread_db) / 10.0)
            out.append(10.0 * np.log10(ratio / (1.0 + ratio)))
        return np.asarray(out, np.float32)

    def _absent(self, place: int) -> float:
        absent = self.settings.absent
        return absent[place] if place < len(absent) else 0.1

    def _speed(self, rng: np.random.Generator) -> float:
        changed, speed = rng.random(), float(rng.uniform(*self.settings.speed))
        return speed if changed < self.settings.changed_speed else 1.0

    def _draw(self, stem: str, rng: np.random.Generator) -> _Source:
        sources = _pick(self._pools[stem], rng)
        return sources[int(rng.integers(len(sources)))]

    def _excerpt(
        self, source: _Source, rng: np.random.Generator, samples: int, skip: int, speed: float
    ) -> F32:
        """An excerpt at a level of 0 dB re full scale where the stem sounds."""
        song = source.song
        level_db = max(song.levels_dbfs[f] for f in source.files)
        quiet = 10.0 ** ((level_db - 18.0) / 20.0) * FULL_SCALE
        latest = max(1, song.samples - round(speed * (samples + skip)))
        starts = rng.integers(latest, size=TRIES)
        for start in starts:
            # looks where an item begins, so that all its segments choose alike
            look = song.files[source.files[0]][start : start + SAMPLERATE * 2 : 16].astype(np.float32)
            if look.size and float(np.sqrt(np.mean(look * look))) > quiet:
                break
        sound = sum(_cut(song.files[f], int(start), skip, samples, speed) for f in source.files)
        return np.asarray(sound * np.float32(10.0 ** (-level_db / 20.0)), np.float32)

    def _songs(self, database: StemFolder) -> list[Song]:
        return database.held_out if self.held_out else database.songs

    def _told_apart(self, manifest: Manifest) -> set[str]:
        """Stems of the model that a database's coherent songs tell apart."""
        return set(manifest.known) & set(self.stems)

    def _pool(self, stem: str) -> list[tuple[float, list[_Source]]]:
        """By database: where a stem can be taken from, to be mixed with others."""
        pool = []
        for database in self.databases:
            found = []
            for song in self._songs(database):
                files = tuple(
                    f for f in song.files if f in database.manifest.known and stem in (f, PART_OF.get(f))
                )
                if files:
                    found.append(_Source(database.manifest, song, files))
            if found:
                pool.append((_weight([s.song for s in found]), found))
        return pool


def _weight(songs: Sequence[Song]) -> float:
    """Minutes to the power of 0.5: a small database is heard often enough, but not learnt by heart."""
    return float(np.sqrt(sum(song.samples for song in songs) / SAMPLERATE / 60.0))


def _pick(weighted: Sequence[tuple[float, T]], rng: np.random.Generator) -> T:
    weights = np.array([w for w, _ in weighted])
    return weighted[int(rng.choice(len(weighted), p=weights / weights.sum()))][1]


def _cut(audio: NDArray[np.int16], start: int, skip: int, samples: int, speed: float) -> F32:
    """float32 [samples] from `start` on at another speed; short audio is repeated."""
    begin = start + round(speed * skip)
    needed = samples if speed == 1.0 else round(speed * samples) + 2
    if begin + needed <= len(audio):
        taken = audio[begin : begin + needed]
    else:
        taken = np.take(audio, np.arange(begin, begin + needed), mode="wrap")
    sound = taken.astype(np.float32) * np.float32(1.0 / FULL_SCALE)
    if speed == 1.0:
        return sound
    signal = torch.from_numpy(sound)[None, None]
    return np.asarray(
        functional.interpolate(signal, size=samples, mode="linear", align_corners=True)[0, 0].numpy()
    )

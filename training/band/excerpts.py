"""Excerpts of single stems out of databases."""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from rtsep.training.databases.stem_folder import FULL_SCALE, SAMPLERATE, Manifest, Song, StemFolder

F32 = NDArray[np.float32]
T = TypeVar("T")

PART_OF = {"guitar": "other"}  # stems that are part of another one where nobody asks for them
TRIES = 4  # for an excerpt in which the stem sounds


class StemFiles(NamedTuple):
    """A stem of a song: its files, to be summed."""

    manifest: Manifest
    song: Song
    files: tuple[str, ...]


class StemPool:
    """All songs from which a stem can be taken, to be mixed with others.

    Args:
        databases: with the songs of each that may be used.
        stem: to be taken.
    """

    def __init__(self, databases: Sequence[tuple[StemFolder, Sequence[Song]]], stem: str) -> None:
        self._by_database: list[tuple[float, list[StemFiles]]] = []
        for database, songs in databases:
            known = database.manifest.known
            found = []
            for song in songs:
                files = tuple(f for f in song.files if f in known and stem in (f, PART_OF.get(f)))
                if files:
                    found.append(StemFiles(database.manifest, song, files))
            if found:
                self._by_database.append((weight([s.song for s in found]), found))

    def __len__(self) -> int:
        return sum(len(sources) for _, sources in self._by_database)

    @property
    def songs(self) -> set[str]:
        """Their names."""
        return {source.song.name for _, sources in self._by_database for source in sources}

    def draw(self, rng: np.random.Generator) -> StemFiles:
        """One of the songs: first a database, by `weight`, then a song."""
        sources = pick(self._by_database, rng)
        return sources[int(rng.integers(len(sources)))]


def excerpt(source: StemFiles, rng: np.random.Generator, samples: int, skip: int, speed: float) -> F32:
    """float32 [samples] at a level of 0 dB re full scale where the stem sounds.

    Args:
        source: what to take it from.
        rng: chooses where; the same numbers choose the same place, whatever `skip` is.
        samples: length.
        skip: samples that are passed over: where an item goes on.
        speed: of tempo and pitch.
    """
    song = source.song
    level_db = max(song.levels_dbfs[f] for f in source.files)
    quiet = 10.0 ** ((level_db - 18.0) / 20.0) * FULL_SCALE
    latest = max(1, song.samples - round(speed * (samples + skip)))
    starts = rng.integers(latest, size=TRIES)
    for start in starts:
        # reads from where the item begins, so that all its segments choose one place
        look = song.files[source.files[0]][start : start + SAMPLERATE * 2 : 16].astype(np.float32)
        if look.size and float(np.sqrt(np.mean(look * look))) > quiet:
            break
    sound = sum(cut(song.files[f], int(start), skip, samples, speed) for f in source.files)
    return np.asarray(sound * np.float32(10.0 ** (-level_db / 20.0)), np.float32)


def weight(songs: Sequence[Song]) -> float:
    """Minutes to the power of 0.5: a small database has its share, but not so often as to overfit."""
    return float(np.sqrt(sum(song.samples for song in songs) / SAMPLERATE / 60.0))


def pick(weighted: Sequence[tuple[float, T]], rng: np.random.Generator) -> T:
    """One of the values, by its weight."""
    weights = np.array([w for w, _ in weighted])
    return weighted[int(rng.choice(len(weighted), p=weights / weights.sum()))][1]


def cut(audio: NDArray[np.int16], start: int, skip: int, samples: int, speed: float) -> F32:
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

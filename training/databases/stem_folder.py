"""A database on disk: a folder of songs, and `database.json` that says which stems it knows.

A song is a folder of mono WAV files of 16 bits at 24 kHz, one for each stem that sounds, all of one length,
and `rest.wav` where something sounds that the database does not tell apart. The mixture is their sum. WAV
files of 16 bits are mapped into memory and read where an excerpt lies, so that training waits for no decoder.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.io import wavfile

from rtsep.kernels.errors import RtsepError
from rtsep.training.files.atomic_write import place

SAMPLERATE = 24000  # Hz: holds all but the last octave of cymbals, at half the cost of 48 kHz
FULL_SCALE = 32768.0
MANIFEST = "database.json"
REST = "rest"  # the file of what a database does not tell apart
PEAK = 0.98  # of the loudest file of a song: all files of a song are scaled alike

I16 = NDArray[np.int16]
F32 = NDArray[np.float32]


@dataclass(frozen=True)
class Manifest:
    """What a database is.

    Attributes:
        name: of the database.
        known: stems that it tells apart; one without a file in a song is silent there.
        rest: stems that may sound in `rest.wav`: nothing can be learnt about them from these songs.
        limit_hz: the recordings hold nothing above it, so nothing can be learnt there.
        licence: of the audio.
        credit: whom the licence asks to name, or where the audio is from.
        held_out: songs that only validate.
        coherent: whether a song's files belong together; if not, they are takes of single stems.
        levels_dbfs: by song and file, RMS over the seconds in which it sounds.
    """

    name: str
    known: tuple[str, ...]
    rest: tuple[str, ...]
    limit_hz: float
    licence: str
    credit: str
    held_out: tuple[str, ...] = ()
    coherent: bool = True
    levels_dbfs: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Song:
    """One song or take of a database, its audio mapped into memory.

    Attributes:
        name: of the song.
        files: int16 [samples] by stem; `REST` is what is not separated further.
        levels_dbfs: by stem, RMS over the seconds in which it sounds.
    """

    name: str
    files: Mapping[str, I16]
    levels_dbfs: Mapping[str, float]

    @property
    def samples(self) -> int:
        """Length at `SAMPLERATE`."""
        return min(len(samples) for samples in self.files.values())


class StemFolder:
    """A database for reading.

    Args:
        folder: with a `database.json`.

    Raises:
        RtsepError: no such folder, no database, or a file that is missing, damaged or of another format.
    """

    def __init__(self, folder: Path) -> None:
        self.manifest = read_manifest(folder)
        self.songs: list[Song] = []
        self.held_out: list[Song] = []
        for name, levels in self.manifest.levels_dbfs.items():
            song = Song(name, {stem: _mapped(folder / name / f"{stem}.wav") for stem in levels}, levels)
            (self.held_out if name in self.manifest.held_out else self.songs).append(song)

    @property
    def minutes(self) -> float:
        """Of the songs to train on."""
        return sum(song.samples for song in self.songs) / SAMPLERATE / 60.0

    def as_if(self, *, known: Sequence[str], songs: Callable[[str], bool], coherent: bool) -> "StemFolder":
        """The same audio, as a database that knows less: what it does not tell apart is part of the rest.

        Args:
            known: stems that it tells apart, of those that it knows.
            songs: whether a song of that name is in it.
            coherent: see `Manifest`.
        """
        seen = copy(self)
        kept = tuple(stem for stem in self.manifest.known if stem in known)
        seen.songs = [song for song in self.songs if songs(song.name)]
        seen.held_out = [song for song in self.held_out if songs(song.name)]
        sounding = {stem for song in (*seen.songs, *seen.held_out) for stem in song.files}
        hidden = (s for s in self.manifest.known if s in sounding and s not in known)
        seen.manifest = replace(
            self.manifest, known=kept, rest=(*self.manifest.rest, *hidden), coherent=coherent
        )
        return seen


def read_manifest(folder: Path) -> Manifest:
    """`database.json` of a folder.

    Raises:
        RtsepError: it is missing, or no manifest.
    """
    file = folder / MANIFEST
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        unknown = content.keys() - {f.name for f in fields(Manifest)}
        if unknown:
            raise ValueError(f"unknown fields {', '.join(sorted(unknown))}")
        tuples: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in content.items()}
        manifest = Manifest(**tuples)
        if not manifest.known:
            raise ValueError("it knows no stem")
        return manifest
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise RtsepError(
            f"{folder} is no database of stems ({error})", "make one with rtsep-train stems or render-band"
        ) from None


class StemWriter:
    """A database being written: songs one by one, the manifest after each, so that a kill loses one song.

    Args:
        folder: made if it is not there.
        manifest: without levels; an existing database of the same name and stems is gone on with.

    Raises:
        RtsepError: the folder holds another database.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._folder = folder
        self._levels: dict[str, Mapping[str, float]] = {}
        if (folder / MANIFEST).exists():
            found = read_manifest(folder)
            for name in ("name", "known", "rest"):
                if getattr(found, name) != getattr(manifest, name):
                    raise RtsepError(
                        f"{folder} is a database with {name} = {getattr(found, name)!r}, "
                        f"not {getattr(manifest, name)!r}",
                        "name another folder",
                    )
            self._levels.update(found.levels_dbfs)
        self._manifest = manifest
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RtsepError(f"{folder} cannot be made ({error.strerror})", "name another folder") from None

    def holds(self, song: str) -> bool:
        """Whether a song is there, whole."""
        return song in self._levels

    def add(self, song: str, stems: Mapping[str, F32]) -> None:
        """Writes one song.

        Args:
            song: its name, a folder's.
            stems: float32 [samples] by stem or `REST`; silent ones are left out, all are scaled alike.
        """
        sounding = {stem: samples for stem, samples in stems.items() if np.any(np.abs(samples) > 1e-5)}
        if not sounding:
            return
        peak = max(float(np.max(np.abs(samples))) for samples in sounding.values())
        scale = PEAK / max(peak, PEAK)
        target = self._folder / song
        target.mkdir(exist_ok=True)
        for stem, samples in sounding.items():
            soundfile.write(target / f"{stem}.wav", scale * samples, SAMPLERATE, subtype="PCM_16")
        self._levels[song] = {
            stem: round(active_level_dbfs(scale * samples), 2) for stem, samples in sounding.items()
        }
        content = asdict(self._manifest) | {"levels_dbfs": self._levels}
        place(self._folder / MANIFEST, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


def active_level_dbfs(samples: F32, samplerate: int = SAMPLERATE) -> float:
    """RMS in dB re full scale over the seconds within 30 dB of the loudest second."""
    whole = len(samples) // samplerate
    seconds = samples[: whole * samplerate].reshape(whole, samplerate) if whole else samples[None]
    power = np.mean(np.square(seconds, dtype=np.float64), axis=1)
    return float(10.0 * np.log10(np.mean(power[power >= 1e-3 * power.max()]) + 1e-12))


def _mapped(file: Path) -> I16:
    try:
        rate, samples = wavfile.read(file, mmap=True)
    except (OSError, ValueError) as error:
        raise RtsepError(f"{file} cannot be read ({error})", "make the database again") from None
    if rate != SAMPLERATE or samples.dtype != np.int16 or samples.ndim != 1:
        raise RtsepError(
            f"{file} is {samples.dtype} at {rate} Hz with {samples.ndim} axes, "
            f"a database holds mono int16 at {SAMPLERATE} Hz",
            "make the database again",
        )
    mapped: I16 = samples
    return mapped

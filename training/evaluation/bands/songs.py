"""Songs of bands on disk: folders of stems whose sum is the mixture.

A song is a folder with one audio file per stem (`vocals.wav`, `drums.flac`, ...); other files in it are left
alone but for `rest.*`, which sounds in the mixture and belongs to no stem. MUSDB18-HQ is laid out like this;
of MUSDB18 (`.stem.mp4`) the test split is read by the package `musdb`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from rtsep.kernels.errors import RtsepError
from rtsep.training.databases.recorded import STEMS, open_musdb
from rtsep.training.databases.stem_folder import REST, active_level_dbfs
from rtsep.training.evaluation.stems import AUDIO_SUFFIXES
from rtsep.training.measures.protocol import Audio

# Four stems of this level sum to about -20 dBFS: usual for music, with room for its peaks.
BALANCED_DBFS = -26.0


@dataclass(frozen=True)
class Stems:
    """One song in memory.

    Attributes:
        names: of the stems that sound, `rest` last if there is any.
        audio: float32 [stems, samples], or [stems, samples, channels]; the mixture is the sum.
        samplerate: Hz.
    """

    names: tuple[str, ...]
    audio: Audio
    samplerate: int

    @property
    def mixture(self) -> Audio:
        """float32 [samples], or [samples, channels]."""
        return np.asarray(self.audio.sum(axis=0), np.float32)


@dataclass(frozen=True)
class Song:
    """A name, and how to read it."""

    name: str
    read: Callable[[], Stems]


def find_songs(folder: Path, wanted: tuple[str, ...]) -> list[Song]:
    """Songs in a folder: itself, its folders, or MUSDB18 in either edition.

    Args:
        folder: of a song, of songs, or with `train/` and `test/` of MUSDB18 (its test split is taken).
        wanted: stems to score; a song without any of them is left out.

    Raises:
        RtsepError: no song.
    """
    if not folder.is_dir():
        raise RtsepError(f"{folder} is not a folder", "give a folder of songs, each a folder of stems")
    if any((folder / "test").glob("*.stem.mp4")):
        return [Song(str(track.name), partial(_read_track, track)) for track in open_musdb(folder, "test")]
    inside = folder / "test" if (folder / "test").is_dir() else folder
    songs = []
    for place in (inside, *sorted(p for p in inside.iterdir() if p.is_dir())):
        files = _stem_files(place, wanted)
        if any(name in files for name in wanted):
            songs.append(Song(place.name, partial(read_song, files)))
    if not songs:
        raise RtsepError(
            f"{folder} holds no song with a stem named {', '.join(wanted)}",
            "give a folder of songs, each a folder of audio files named after their stems",
        )
    return songs


def audio_files(folder: Path) -> list[Path]:
    """Those that libsndfile may read, by name."""
    return sorted(f for f in folder.iterdir() if f.is_file() and f.suffix.lower() in AUDIO_SUFFIXES)


def _stem_files(folder: Path, wanted: tuple[str, ...]) -> dict[str, Path]:
    """By stem, in the order of the usual four, those asked for besides, and the rest."""
    files = {f.stem: f for f in audio_files(folder)}
    return {name: files[name] for name in dict.fromkeys((*STEMS, *wanted, REST)) if name in files}


def read_song(files: dict[str, Path]) -> Stems:
    """Stems of one song, channels averaged, cut to the shortest; silent ones are left out.

    Raises:
        RtsepError: a file cannot be read, is not finite, or has another sample rate than the first.
    """
    found: dict[str, Audio] = {}
    rates: dict[int, Path] = {}
    for name, file in files.items():
        try:
            audio, rate = soundfile.read(file, dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, OSError) as error:
            raise RtsepError(
                f"{file} cannot be read ({error})", "give an audio file that libsndfile reads"
            ) from None
        if not np.all(np.isfinite(audio)):
            raise RtsepError(f"{file} holds NaN or Inf", "repair the stem: a reference must be finite")
        rates.setdefault(int(rate), file)
        found[name] = audio.mean(axis=1)
    if len(rates) > 1:
        (first, one), (second, other) = list(rates.items())[:2]
        raise RtsepError(
            f"{one.name} of {one.parent} has {first} Hz, {other.name} {second} Hz",
            "bring all stems of a song to one sample rate",
        )
    return _stems(found, next(iter(rates)))


def _read_track(track: object) -> Stems:
    targets = track.targets  # type: ignore[attr-defined]  # of `musdb`, which has no types
    found = {name: np.asarray(targets[name].audio, np.float32).mean(axis=1) for name in STEMS}
    return _stems(found, int(track.rate))  # type: ignore[attr-defined]


def _stems(found: dict[str, Audio], samplerate: int) -> Stems:
    samples = min(map(len, found.values()))
    sounding = {name: audio[:samples] for name, audio in found.items() if np.any(audio[:samples])}
    if not sounding:
        raise RtsepError("all stems of a song are silent", "leave the song out")
    return Stems(tuple(sounding), np.stack(list(sounding.values())), samplerate)


def balanced(stems: Stems) -> Stems:
    """The same song with every stem at `BALANCED_DBFS` while it sounds, see `active_level_dbfs`.

    In raw multitracks the drums may lie 18 dB under the rest: hardly to be heard, and hard to separate.
    """
    levels = [active_level_dbfs(audio, stems.samplerate) for audio in stems.audio]
    gains = 10.0 ** ((BALANCED_DBFS - np.array(levels)) / 20.0)
    return Stems(stems.names, (stems.audio * gains[:, None]).astype(np.float32), stems.samplerate)

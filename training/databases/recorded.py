"""Recorded stems from where they are published into databases of the house (`stem_folder`).

Each reader knows one collection: where its files lie, which stems it tells apart, and whom to thank.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
import soxr

from rtsep.kernels.errors import RtsepError
from rtsep.training.databases.stem_folder import F32, REST, SAMPLERATE, Manifest

STEMS = ("vocals", "drums", "bass", "other")
NYQUIST_HZ = SAMPLERATE / 2.0

Songs = Iterator[tuple[str, Mapping[str, F32]]]


class Reader(NamedTuple):
    """One collection: what it is, and its songs from a folder."""

    manifest: Manifest
    songs: Callable[[Path], Songs]


def read_mono(file: Path) -> F32:
    """Any audio file as float32 [samples] at `SAMPLERATE`, channels averaged.

    Raises:
        RtsepError: it cannot be read.
    """
    try:
        audio, rate = soundfile.read(file, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise RtsepError(f"{file} cannot be read ({error})", "check the folder") from None
    return resampled(audio.mean(axis=1), rate)


def resampled(audio: F32, rate: int) -> F32:
    """float32 [samples] from `rate` to `SAMPLERATE`."""
    return audio if rate == SAMPLERATE else np.asarray(soxr.resample(audio, rate, SAMPLERATE), np.float32)


def _of_one_length(stems: Mapping[str, F32]) -> Mapping[str, F32]:
    samples = min(map(len, stems.values()))
    return {stem: audio[:samples] for stem, audio in stems.items()}


def _eif(known: tuple[str, ...], chosen: tuple[str, ...]) -> Callable[[Path], Songs]:
    def songs(folder: Path) -> Songs:
        for name in chosen:
            found = {f.stem: read_mono(f) for f in sorted((folder / name).glob("*.ogg"))}
            if not found:
                raise RtsepError(f"{folder / name} holds no stems", "name the folder of the seven songs")
            rest = [audio for stem, audio in found.items() if stem not in known]
            stems = {stem: found[stem] for stem in known if stem in found}
            if rest:
                stems[REST] = np.sum(rest, axis=0, dtype=np.float32)
            yield name, _of_one_length(stems)

    return songs


def _mir1k(folder: Path) -> Songs:
    """Left is the accompaniment, right the voice; clips of a singer follow each other in one song."""
    clips = defaultdict(list)
    for file in sorted(folder.glob("*.flac")):
        clips[file.stem.split("_")[0]].append(file)
    for singer, files in clips.items():
        audio = np.concatenate([soundfile.read(f, dtype="float32", always_2d=True)[0] for f in files])
        yield (
            singer,
            {
                "vocals": resampled(audio[:, 1], 16000),
                REST: resampled(audio[:, 0], 16000),
            },
        )


def _mir1k_joined(folder: Path) -> Songs:
    for voice in sorted(folder.glob("*_voice.ogg")):
        singer = voice.stem.removesuffix("_voice")
        stems = {"vocals": read_mono(voice), REST: read_mono(folder / f"{singer}_accompaniment.ogg")}
        yield f"{singer}-more", _of_one_length(stems)


def _stems_beside(folder: Path) -> Songs:
    """A folder of stems, or a folder of such folders."""
    places = (
        [folder] if any((folder / f"{stem}.ogg").exists() for stem in STEMS) else sorted(folder.iterdir())
    )
    for place in places:
        stems = {stem: read_mono(place / f"{stem}.ogg") for stem in STEMS if (place / f"{stem}.ogg").exists()}
        if stems:
            yield place.name, _of_one_length(stems)


def _frets_on_fire(folder: Path) -> Songs:
    """Songs of the game: `guitar.ogg` is what the player plays, `song.ogg` the band without it."""
    for guitar in sorted(folder.rglob("guitar.ogg")):
        stems = {"guitar": read_mono(guitar), REST: read_mono(guitar.with_name("song.ogg"))}
        name = guitar.parent.name.replace(" ", "_")
        yield name, _of_one_length(stems)


def _musdb(folder: Path) -> Songs:
    """MUSDB18 (`.stem.mp4`) or MUSDB18-HQ (WAV): the training songs; those of its validation split are held
    out, those of its test split are not touched."""
    for track in open_musdb(folder, "train"):
        stems = {
            stem: resampled(np.asarray(track.targets[stem].audio, np.float32).mean(axis=1), int(track.rate))
            for stem in STEMS
        }
        yield track.name, _of_one_length(stems)


def open_musdb(folder: Path, subset: str) -> Any:
    """The database as the package `musdb` gives it.

    Args:
        folder: with `train` and `test`.
        subset: train or test.

    Raises:
        RtsepError: the package or what it stands on is missing, or the folder holds no song.
    """
    try:
        import musdb
    except ModuleNotFoundError as error:
        raise RtsepError(
            f"MUSDB18 needs {error.name}, which is not installed", "run pip install 'rtsep[musdb]'"
        ) from None
    except RuntimeError as error:  # what it stands on looks for ffmpeg when it is imported
        raise RtsepError(f"MUSDB18 cannot be read ({error})", "install ffmpeg") from None
    in_wav = any((folder / subset).glob("*/mixture.wav"))
    found = musdb.DB(root=str(folder), subsets=[subset], is_wav=in_wav)
    if not len(found):
        raise RtsepError(
            f"{folder} holds no song of MUSDB18", f"name the folder that holds {subset}/, of either edition"
        )
    return found


# Of `musdb`'s own configuration: 14 songs of the training split.
MUSDB_VALIDATION = (
    "Actions - One Minute Smile",
    "Clara Berry And Wooldog - Waltz For My Victims",
    "Johnny Lokke - Promises & Lies",
    "Patrick Talbot - A Reason To Leave",
    "Triviul - Angelsaint",
    "Alexander Ross - Goodbye Bolero",
    "Fergessen - Nos Palpitants",
    "Leaf - Summerghost",
    "Skelpolu - Human Mistakes",
    "Young Griffo - Pennies",
    "ANiMAL - Rockshow",
    "James May - On The Line",
    "Meaxic - Take A Step",
    "Traffic Experiment - Sirens",
)

_EIF = "Software-Entwicklungskit, Everything is Free (github.com/ichbinsoftware/everythingisfree)"
_MIR1K = "MIR-1K, J.-S. R. Jang"
_WHOLE, _PART = ("sodium", "potassium", "rubidium", "lithium"), ("caesium", "francium", "hydrogen")
_MIR1K_HELD = ("tammy", "titon", "titon-more")
_MIR1K_MANIFEST = Manifest(
    name="mir1k", known=("vocals",), rest=("drums", "bass", "other"), limit_hz=7800.0,
    licence="public research set without a licence file", credit=_MIR1K, held_out=_MIR1K_HELD,
)  # fmt: skip

READERS: dict[str, Reader] = {
    "eif": Reader(
        Manifest(
            name="eif", known=STEMS, rest=(), limit_hz=NYQUIST_HZ, licence="CC0-1.0", credit=_EIF,
            held_out=("rubidium",),
        ),
        _eif(STEMS, _WHOLE),
    ),
    # in these songs one synthesiser plays bass and chords
    "eif-vocals-drums": Reader(
        Manifest(
            name="eif-vocals-drums", known=("vocals", "drums"), rest=("bass", "other"), limit_hz=NYQUIST_HZ,
            licence="CC0-1.0", credit=_EIF,
        ),
        _eif(("vocals", "drums"), _PART),
    ),
    "mir1k": Reader(_MIR1K_MANIFEST, _mir1k),
    "mir1k-joined": Reader(_MIR1K_MANIFEST, _mir1k_joined),
    "trackswitch": Reader(
        Manifest(
            name="trackswitch", known=STEMS, rest=(), limit_hz=NYQUIST_HZ, licence="MIT",
            credit="AudioLabs Erlangen, trackswitch.js",
        ),
        _stems_beside,
    ),
    "musdb18": Reader(
        Manifest(
            name="musdb18", known=STEMS, rest=(), limit_hz=NYQUIST_HZ, licence="academic use only",
            credit="MUSDB18, Rafii et al. 2017", held_out=MUSDB_VALIDATION,
        ),
        _musdb,
    ),
    "frets-on-fire": Reader(
        Manifest(
            name="frets-on-fire", known=("guitar",), rest=("drums", "bass", "other"), limit_hz=NYQUIST_HZ,
            licence="CC-BY-SA-3.0", credit="Lars Muldjord; Sectoid (songs for Frets on Fire)",
            held_out=("chaos_god", "Feelings"),
        ),
        _frets_on_fire,
    ),
}  # fmt: skip

"""Stems on disk, and the mixtures that are made of them.

A folder is read in one of two ways. If its audio files are named part + singer (`soprano1.flac`,
`alto2.wav`, ...), mixtures take one singer per part; otherwise the folder is one mixture of all its audio
files, in the order of their names. A mixture is the plain sum of its stems, and its voices are in the order
S, A, T, B, or of the names: highest voice first.
"""

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from rtsep.kernels.errors import RtsepError
from rtsep.training.measures.protocol import SAMPLERATE, Audio

PARTS = ("soprano", "alto", "tenor", "bass")  # highest first, as the separator's voices
_PART_AND_SINGER = re.compile(rf"({'|'.join(PARTS)})[-_ ]?(\d+)", re.IGNORECASE)
AUDIO_SUFFIXES = {
    ".wav",
    ".flac",
    ".aif",
    ".aiff",
    ".ogg",
    ".oga",
    ".opus",
    ".mp3",
    ".w64",
    ".rf64",
    ".caf",
    ".au",
}


@dataclass(frozen=True)
class Mixture:
    """A name and the stem files that sum to it, highest voice first."""

    name: str
    files: tuple[Path, ...]


def find_mixtures(folder: Path, quartets: str) -> list[Mixture]:
    """The mixtures of a folder.

    quartets : "same" (singer k of every part, every k), "all" (every combination of singers), or the path of
        a text file: one mixture a line, stem names separated by blanks or commas, `#` starts a comment.
    """
    if not folder.is_dir():
        raise RtsepError(f"{folder} is not a folder", "give a folder of stems, one audio file per voice")
    files = sorted(f for f in folder.iterdir() if f.is_file() and f.suffix.lower() in AUDIO_SUFFIXES)
    if not files:
        raise RtsepError(f"{folder} holds no audio file", "give a folder of stems, one audio file per voice")
    if quartets not in ("same", "all"):
        return _from_list(folder, files, Path(quartets))
    singers = _by_part(files)
    if singers is None:
        return [Mixture(folder.name, tuple(files))]
    if quartets == "all":
        chosen = list(itertools.product(*(sorted(part) for part in singers.values())))
    else:
        common = sorted(set.intersection(*(set(part) for part in singers.values())))
        if not common:
            raise RtsepError(
                f"no singer number in {folder} appears in all of {', '.join(singers)}",
                "number the singers of each part from 1, or use --quartets all",
            )
        chosen = [(singer,) * len(singers) for singer in common]
    return [
        Mixture(
            f"{folder.name}/{'-'.join(str(n) for n in numbers)}",
            tuple(part[n] for part, n in zip(singers.values(), numbers, strict=True)),
        )
        for numbers in chosen
    ]


def _by_part(files: list[Path]) -> dict[str, dict[int, Path]] | None:
    """{part: {singer: file}} in part order, or None if any file is named otherwise."""
    singers: dict[str, dict[int, Path]] = {part: {} for part in PARTS}
    for file in files:
        match = _PART_AND_SINGER.fullmatch(file.stem)
        if match is None:
            return None
        singers[match[1].lower()][int(match[2])] = file
    return {part: found for part, found in singers.items() if found}


def pairs(mixtures: list[Mixture]) -> list[Mixture]:
    """Every two voices of every mixture, each pair of files once."""
    found = {
        files: Mixture(f"{mixture.name}:{files[0].stem}+{files[1].stem}", files)
        for mixture in reversed(mixtures)  # so that the first mixture of a pair gives it its name
        for files in itertools.combinations(mixture.files, 2)
    }
    order = {files: None for mixture in mixtures for files in itertools.combinations(mixture.files, 2)}
    return [found[files] for files in order]


def voice_labels(mixtures: list[Mixture]) -> list[tuple[str, ...]]:
    """What to call the voices of every mixture, so that those of one name can be pooled.

    Their parts where all files are named part + singer, else the file names where all mixtures have the
    same, else voice-1, voice-2, ...
    """
    matches = [[_PART_AND_SINGER.fullmatch(file.stem) for file in mixture.files] for mixture in mixtures]
    parts = [tuple(match[1].lower() for match in row if match is not None) for row in matches]
    if all(len(set(row)) == len(mixture.files) for row, mixture in zip(parts, mixtures, strict=True)):
        return parts
    names = [tuple(file.stem for file in mixture.files) for mixture in mixtures]
    if len(set(names)) == 1:
        return names
    return [tuple(f"voice-{i}" for i in range(1, len(row) + 1)) for row in names]


def _from_list(folder: Path, files: list[Path], listing: Path) -> list[Mixture]:
    try:
        lines = listing.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        raise RtsepError(
            f"--quartets {listing} cannot be read ({reason})",
            "use same, all, or a text file of stem names",
        ) from None
    by_name = {file.stem: file for file in files} | {file.name: file for file in files}
    mixtures = []
    for number, line in enumerate(lines, start=1):
        names = line.split("#")[0].replace(",", " ").split()
        unknown = [name for name in names if name not in by_name]
        if unknown:
            raise RtsepError(
                f"{listing}:{number} names {unknown[0]!r}, which is not in {folder}",
                "name stems of that folder",
            )
        if names:
            chosen = tuple(by_name[name] for name in names)
            mixtures.append(Mixture(f"{folder.name}/{'+'.join(names)}", chosen))
    if not mixtures:
        raise RtsepError(
            f"{listing} names no mixture", "write one mixture a line, e.g. soprano1 alto1 tenor1 bass1"
        )
    return mixtures


def read_stem(file: Path) -> Audio:
    """One stem as mono float32 at the protocol's 16 kHz."""
    try:
        audio, samplerate = soundfile.read(file, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise RtsepError(
            f"{file} cannot be read ({error})", "give an audio file that libsndfile reads"
        ) from None
    mono = audio.mean(axis=1)
    if not np.all(np.isfinite(mono)):
        raise RtsepError(f"{file} holds NaN or Inf", "repair the stem: a reference must be finite")
    if samplerate != SAMPLERATE:
        # linear phase with its delay taken out: the stem stays where it was
        mono = soxr.resample(mono, samplerate, SAMPLERATE, quality="VHQ")
    return np.ascontiguousarray(mono, dtype=np.float32)


def read_mixture(mixture: Mixture, read: Callable[[Path], Audio] = read_stem) -> Audio:
    """The stems of a mixture, float32 [voices, samples], cut to the shortest."""
    stems = [read(file) for file in mixture.files]
    frames = min(len(stem) for stem in stems)
    return np.stack([stem[:frames] for stem in stems])

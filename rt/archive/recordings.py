"""Which files of a folder are recordings, and where the stems of each go."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rtsep.rt.cli.input_kind import AUDIO_SUFFIXES

READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Recording:
    """A file that is called like audio.

    Attributes:
        path: of the file; a link stays the link.
        name: path in the archive.
        folder: where its stems go, below the output: the name without its suffix, or with it where another
            recording beside it differs by the suffix alone.
        size_bytes: 0 where it cannot be looked at.
    """

    path: Path
    name: Path
    folder: Path
    size_bytes: int


@dataclass(frozen=True)
class Archive:
    """What a folder holds.

    Attributes:
        recordings: sorted by name.
        others: how many files are no recordings: other suffixes, and hidden ones.
    """

    recordings: list[Recording]
    others: int


def find_recordings(root: Path, leave_out: Path) -> Archive:
    """Looks through a folder and all below it; links to folders are followed once.

    Args:
        root: the archive.
        leave_out: a folder that is not looked into: that of the stems may lie in the archive.
    """
    names: list[Path] = []
    others = 0
    for path in _files(root, leave_out):
        if path.name.startswith(".") or path.suffix.lower() not in AUDIO_SUFFIXES:
            others += 1
        else:
            names.append(path.relative_to(root))
    shared = Counter(name.with_suffix("") for name in names)
    found = []
    for name in sorted(names):
        folder = name.with_suffix("") if shared[name.with_suffix("")] == 1 else name
        try:
            size = (root / name).stat().st_size
        except OSError:
            size = 0
        found.append(Recording(root / name, name, folder, size))
    return Archive(found, others)


def _files(root: Path, leave_out: Path) -> Iterator[Path]:
    seen = set()
    for folder, below, files in os.walk(root, followlinks=True):
        below.sort()
        try:
            status = os.stat(folder)
        except OSError:
            below.clear()
            continue
        if (status.st_dev, status.st_ino) in seen or (
            leave_out.exists() and os.path.samefile(folder, leave_out)
        ):
            below.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        yield from (Path(folder, name) for name in files)


def content_hash(path: Path) -> str:
    """SHA-256 of a file.

    Raises:
        OSError: it cannot be read.
    """
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(READ_BYTES):
            found.update(block)
    return found.hexdigest()

"""What `--input X` means: a pipe, a device or a file, decided by the text and the disk alone."""

import contextlib
import difflib
import os
import stat
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from rtsep.kernels.errors import RtsepError

# What people call audio files. Some are beyond libsndfile: they get an error about the format, not a device.
AUDIO_SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in (
        *("wav", "wave", "w64", "rf64", "bwf", "flac", "ogg", "oga", "opus", "mp3", "aif", "aiff", "aifc"),
        *("au", "snd", "caf", "m4a", "mp4", "aac", "wma", "mka", "webm", "ape", "wv", "raw", "pcm"),
    )
)
MIC = "mic"
PIPE = "-"


class Kind(Enum):
    """Where the sound comes from."""

    PIPE = "pipe"
    DEVICE = "device"
    FILE = "file"


@dataclass(frozen=True)
class NamedInput:
    """One input as the user named it."""

    kind: Kind
    text: str


def classify(text: str) -> NamedInput:
    """Decides by the first rule that fits.

    1. `-` is standard input.
    2. `mic` is the default device, digits are a device index (a file of such a name: `./5`).
    3. A file that exists.
    4. Text with a `/` or a known audio suffix is a file, and it must exist.
    5. A device name or part of one.

    Raises:
        RtsepError: an empty text, a folder, or a file that is not there (with the names that come close).
    """
    if not text.strip():
        raise RtsepError(
            "--input is empty", "give mic, a device name or index, a file, or - for standard input"
        )
    if text == PIPE:
        return NamedInput(Kind.PIPE, text)
    if text == MIC or text.isdecimal():
        return NamedInput(Kind.DEVICE, text)
    # as the shell does it: the home of a user whom nobody knows stays the name that it is
    path = Path(os.path.expanduser(text))
    looks_like_a_file = os.sep in text or path.suffix.lower() in AUDIO_SUFFIXES
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        if looks_like_a_file:
            raise RtsepError(f"input file {text} does not exist", _closest(path)) from None
        return NamedInput(Kind.DEVICE, text)
    except (OSError, ValueError) as error:  # ValueError: a NUL character
        if looks_like_a_file:
            reason = getattr(error, "strerror", None) or str(error)
            raise RtsepError(f"cannot read {text}: {reason}", "check the path and its permissions") from error
        return NamedInput(Kind.DEVICE, text)
    if stat.S_ISDIR(mode):
        raise RtsepError(
            f"input {text} is a folder, one audio file is needed", f"name a file in it{_some(path)}"
        )
    return NamedInput(Kind.FILE, str(path))


def file_hint(text: str) -> str:
    """For a device that was not found: the file the user may have meant, as the end of an error message."""
    near = [name for name in _audio_names(Path()) if Path(name).stem == text or name.startswith(text)]
    near = near or difflib.get_close_matches(text, _audio_names(Path()), n=1)
    return f", or the file {near[0]}" if near else ""


def _audio_names(folder: Path) -> list[str]:
    try:
        return sorted(p.name for p in folder.iterdir() if p.suffix.lower() in AUDIO_SUFFIXES)
    except OSError:
        return []


def _some(folder: Path) -> str:
    names = _audio_names(folder)
    return f", such as {folder / names[0]}" if names else ""


def _closest(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"there is no folder {folder}: check the path"
    by_stem = {Path(name).stem: name for name in _audio_names(folder)}
    near = difflib.get_close_matches(path.stem, by_stem, n=1)
    if near:
        return f"did you mean {folder / by_stem[near[0]]}?"
    with contextlib.suppress(OSError):  # the folder that rtsep was started in may be gone
        folder = folder.absolute()
    return f"check the name; {folder} has no such file"

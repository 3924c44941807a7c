"""A file that is whole or not there: written beside, renamed at the end."""

import contextlib
import os
import secrets
import stat
from io import FileIO
from pathlib import Path

from rtsep.kernels.errors import RtsepError
from rtsep.rt.audio.disk_errors import reason, remedy

PART_SUFFIX = ".part"


def create(path: Path) -> FileIO:
    """A new file, open for writing.

    Raises:
        FileExistsError: something has this name, be it a link that leads nowhere.
    """
    return open(path, "xb", buffering=0)


def create_part(path: Path) -> tuple[Path, FileIO]:
    """A new file beside `path` with a name of its own, `NAME.<8 hex digits>.part`."""
    while True:
        part = path.with_name(f"{path.name}.{secrets.token_hex(4)}{PART_SUFFIX}")
        with contextlib.suppress(FileExistsError):
            return part, create(part)


def place(path: Path, content: bytes, *, on_disk: bool = False) -> None:
    """Writes a whole file; one of the same name is replaced by it.

    Args:
        path: of the file.
        content: of it.
        on_disk: it takes its name only when a power failure leaves it whole.

    Raises:
        OSError: the folder or the disk does not take it; nothing is left behind then.
    """
    part, file = create_part(path)
    try:
        with file:
            left = memoryview(content)
            while left:
                left = left[file.write(left) :]
            if on_disk:
                os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def output_file(option: str, text: str, reads: tuple[str, ...] = ()) -> Path:
    """The path of a file that a run writes.

    Args:
        option: what named it, for messages.
        text: as the user gave it.
        reads: files that the same run reads; it must be none of them.

    Raises:
        RtsepError: no name, a folder, something else than a file (a device, a pipe), no folder to write it
            into, or a file that the run reads.
    """
    if not text.strip() or text == "-":
        raise RtsepError(f"{option} {text!r} names no file", "give a file's name")
    path = Path(os.path.expanduser(text))
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        if not path.parent.is_dir():
            raise RtsepError(
                f"{option} {text}: there is no folder {path.parent}", "make it, or name another"
            ) from None
        return path
    except (OSError, ValueError) as error:  # ValueError: a NUL character
        why = (reason(error), remedy(error)) if isinstance(error, OSError) else (str(error), "another name")
        raise RtsepError(f"{option} {text}: {why[0]}", why[1]) from error
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "no regular file"
        raise RtsepError(f"{option} {text} is {what}", "give a file's name")
    for other in reads:
        with contextlib.suppress(OSError):
            if os.path.samefile(path, other):
                raise RtsepError(f"{option} {text} would overwrite {other}, which is read", "name another")
    return path

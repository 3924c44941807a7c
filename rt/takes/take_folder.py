"""The folders of takes: numbered, never one that is there, and held while somebody writes into them."""

import contextlib
import fcntl
import os
import re
from pathlib import Path

from rtsep.kernels.errors import RtsepError
from rtsep.rt.audio.disk_errors import reason, remedy

TAKE_NAME = re.compile(r"take-(\d+)$")
PART_NAME = "part-{}"  # of the second part and those after it; the first lies in the take's own folder


def prepare_root(root: Path) -> bool:
    """Makes the folder that takes go to; whether it is new.

    Raises:
        RtsepError: it cannot be made or written.
    """
    new = not root.exists()
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RtsepError(f"cannot make the folder {root} ({reason(error)})", "choose another one") from None
    if not os.access(root, os.W_OK | os.X_OK):
        raise RtsepError(
            f"the folder {root} cannot be written", "choose another one or change its permissions"
        )
    return new


def make_next(root: Path) -> Path:
    """A new folder `take-001` or a later number. Making it is what decides who has it, so two sessions that
    record into one folder get two takes.

    Raises:
        RtsepError: it cannot be made.
    """
    taken = [int(match[1]) for name in _names(root) if (match := TAKE_NAME.match(name))]
    number = max(taken, default=0) + 1
    while True:
        folder = root / f"take-{number:03d}"
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            number += 1
        except OSError as error:
            raise RtsepError(f"cannot make the take {folder}: {reason(error)}", remedy(error)) from None


def takes_in(root: Path) -> list[Path]:
    """The takes in a folder, by number."""
    return [root / name for name in sorted(_names(root)) if TAKE_NAME.match(name)]


def _names(root: Path) -> list[str]:
    with contextlib.suppress(OSError):  # a folder that may be written but not listed
        return os.listdir(root)
    return []


class Hold:
    """Tells others that a take is being written, until it is released or the process ends.

    The session and its recorder both hold a take; `is_held` asks whether anybody does.

    Args:
        folder: of the take.
    """

    def __init__(self, folder: Path) -> None:
        self._descriptor: int | None = None
        with contextlib.suppress(OSError):  # some network disks know no locks
            self._descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(self._descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)

    def release(self) -> None:
        """Holds no longer."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def is_held(folder: Path) -> bool:
    """Whether a process writes to this take; also where that cannot be found out."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False
    except OSError:
        return True
    finally:
        os.close(descriptor)

"""A recording that is done: its stems and `done.json` in a folder, all of one run or none of it.

A run separates into a folder of its own under `.rtsep-batch` and moves the files when all are complete. Moved
one by one over those of an older run, they are named in `done.json` before: a kill in between leaves a record
that says "moving", and the recording is done again. A file that no record names is somebody else's.
"""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rtsep.kernels.errors import RtsepError
from rtsep.rt.audio.part_file import place

FORMAT = "rtsep-batch/1"
RECORD = "done.json"
WORK = ".rtsep-batch"  # in the output's folder: what is not complete yet
DONE, MOVING = "done", "moving"


def read_record(folder: Path) -> dict[str, Any] | None:
    """The record of a folder; None where there is none, or somebody else's file of that name."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    right = (
        isinstance(record, dict) and record.get("format") == FORMAT and isinstance(record.get("files"), dict)
    )
    return record if right else None


def is_done(folder: Path, sha256: str, settings: dict[str, Any]) -> bool:
    """Whether the stems of this content by these settings are there, every file as long as it was."""
    record = read_record(folder)
    if record is None or record.get("state") != DONE:
        return False
    if record.get("sha256") != sha256 or record.get("settings") != settings:
        return False
    with contextlib.suppress(OSError):
        return all((folder / name).stat().st_size == size for name, size in record["files"].items())
    return False


def move_in(work: Path, folder: Path, record: dict[str, Any]) -> None:
    """Moves every file of `work` into `folder`, and writes the record.

    Args:
        record: what `is_done` compares, and what else is known.

    Raises:
        RtsepError: a file there that no record names, of a name that is needed.
        OSError: the disk does not take it.
    """
    names = sorted(path.name for path in work.iterdir())
    before = read_record(folder)
    own = set(before["files"]) if before else set()
    foreign = [name for name in (*names, RECORD) if name not in own and (folder / name).exists()]
    if before:
        foreign = [name for name in foreign if name != RECORD]
    if foreign:
        raise RtsepError(
            f"{folder / foreign[0]} is there already and not of rtsep batch",
            "move it away, or another --output",
        )
    folder.mkdir(parents=True, exist_ok=True)
    sizes = {name: (work / name).stat().st_size for name in names}
    full = {"format": FORMAT, **record, "files": sizes}
    both = sizes | {name: 0 for name in own - set(sizes)}
    _write(folder, {**full, "state": MOVING, "files": both})
    for name in names:
        os.replace(work / name, folder / name)
    for name in own - set(sizes):  # of another number of voices, say
        (folder / name).unlink(missing_ok=True)
    _write(folder, {**full, "state": DONE})
    work.rmdir()


def _write(folder: Path, record: dict[str, Any]) -> None:
    place(folder / RECORD, (json.dumps(record, indent=1) + "\n").encode())


@contextlib.contextmanager
def work_room(output: Path) -> Iterator[Path]:
    """A folder for what is not complete, held by this run; what earlier runs left in it goes.

    Raises:
        RtsepError: another batch writes to `output`.
        OSError: it cannot be made.
    """
    room = output / WORK
    room.mkdir(parents=True, exist_ok=True)
    held = os.open(room, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RtsepError(
                f"another rtsep batch writes to {output} at this moment", "wait until it has ended"
            ) from None
        except OSError:  # a file system without locks
            pass
        for left in room.iterdir():
            shutil.rmtree(left, ignore_errors=True)
        yield room
    finally:
        for left in room.iterdir():
            shutil.rmtree(left, ignore_errors=True)
        with contextlib.suppress(OSError):  # a worker far away may still write: it ends when the room is gone
            room.rmdir()
        os.close(held)


def new_work(room: Path) -> Path:
    """A name for a folder in the room that no other run has."""
    return room / secrets.token_hex(8)

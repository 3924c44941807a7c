"""A take whose recorder was killed: its files are made valid and of one length, and its log is closed."""

import bisect
import contextlib
import mmap
import os
from pathlib import Path

import soundfile

from rtsep.rt.audio.wav_writer import cut, frames_in
from rtsep.rt.takes.flac_blocks import block_frames, flac_end, flac_frames, write_flac_frames
from rtsep.rt.takes.take_folder import is_held, takes_in
from rtsep.rt.takes.take_log import RUNNING, TakeLog


def repair_last_part(folder: Path, log: TakeLog) -> None:
    """Cuts the files of the last part to the shortest of them; `log` says so, and is not saved.

    Raises:
        OSError: a file is gone or cannot be written.
    """
    if log.parts:
        part = log.parts[-1]
        names = log.names_of(part)
        paths = {name: folder / part["folder"] / f"{name}.{log.suffix}" for name in names}
        if log.suffix == "wav":
            frames = min(frames_in(path, log.channels) for path in paths.values())
            for path in paths.values():
                cut(path, log.samplerate, log.channels, frames)
        else:
            frames = _cut_flac(list(paths.values()))
        if not frames:  # FLAC cannot say so: 0 is "not known"; what the files hold stays where it is
            log.frames = log.parts.pop()["first_frame"]
            return
        part["bytes"] = {name: path.stat().st_size for name, path in paths.items()}
        log.end_last_part(frames)


def _cut_flac(paths: list[Path]) -> int:
    """To the last block that all files have whole."""
    contents = [_mapped(path) for path in paths]
    frames = min(_whole_frames(path, content) for path, content in zip(paths, contents, strict=True))
    for path, content in zip(paths, contents, strict=True):
        if frames:
            with open(path, "r+b", buffering=0) as file:
                file.truncate(flac_end(content, frames))
                write_flac_frames(file.fileno(), frames)
                os.fsync(file.fileno())
    return frames


def _mapped(path: Path) -> mmap.mmap | bytes:
    """A file of hours, without reading it."""
    with open(path, "rb") as file:
        empty = not os.fstat(file.fileno()).st_size
        return b"" if empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _whole_frames(path: Path, content: mmap.mmap | bytes) -> int:
    """Of a file whose head says how many it was given, and of which a power failure may have cut the end."""
    frames = flac_frames(content)
    if not frames:
        return 0
    block = block_frames(content)
    with contextlib.suppress(soundfile.LibsndfileError), soundfile.SoundFile(path) as file:
        file.seek(frames - block)
        if len(file.read(block)) == block:
            return frames
    blocks = range(1, frames // block)  # the header of the next one tells that a block is whole
    return block * bisect.bisect_left(
        blocks, True, key=lambda n: flac_end(content, n * block) == len(content)
    )


def close_take(folder: Path, state: str, ended: str) -> TakeLog:
    """Repairs and closes a take that nobody writes to.

    Raises:
        OSError, ValueError: it has no log, or cannot be written.
    """
    log = TakeLog.load(folder)
    repair_last_part(folder, log)
    log.state, log.ended = state, ended
    log.save(folder)
    return log


def recover_all(root: Path) -> list[str]:
    """Closes every take in `root` that was not finished and that nobody writes to; a line for each."""
    lines = []
    for folder in takes_in(root):
        try:
            if TakeLog.load(folder).state != RUNNING or is_held(folder):
                continue
            log = close_take(folder, "recovered", "its recorder was killed")
            lines.append(f"{folder.name} was not finished: recovered, {log.frames / log.samplerate:.1f} s")
        except ValueError:
            continue  # somebody's own folder
        except FileNotFoundError as error:
            if error.filename is not None and str(error.filename).endswith(".json"):
                continue
            lines.append(f"{folder.name} was not finished, and {error.filename} is gone")
        except OSError as error:
            lines.append(f"{folder.name} was not finished and cannot be repaired: {error.strerror or error}")
    return lines

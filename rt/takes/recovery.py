"""A take whose recorder was killed: its files are made valid and of one length, and its log is closed."""

import mmap
import os
from pathlib import Path

import soundfile

from rtsep.rt.audio.wav_writer import cut, frames_in
from rtsep.rt.takes.flac_blocks import flac_end, flac_frames, write_flac_frames
from rtsep.rt.takes.take_folder import is_held, takes_in
from rtsep.rt.takes.take_log import RUNNING, TakeLog

READ_FRAMES = 1 << 16


def repair_last_part(folder: Path, log: TakeLog) -> None:
    """Cuts the files of the last part to the shortest of them; `log` says so, and is not saved.

    Raises:
        OSError: a file is gone or cannot be written.
    """
    if log.parts:
        part = log.parts[-1]
        paths = {name: folder / part["folder"] / f"{name}.{log.suffix}" for name in log.names}
        if log.suffix == "wav":
            frames = min(frames_in(path, log.channels) for path in paths.values())
            for path in paths.values():
                cut(path, log.samplerate, log.channels, frames)
        else:
            sizes = [part["bytes"].get(name, 0) for name in log.names]
            frames = _cut_flac(list(paths.values()), sizes)
        if not frames:  # FLAC cannot say so: 0 is "not known"
            for path in paths.values():
                path.unlink()
            log.frames = log.parts.pop()["first_frame"]
            return
        part["bytes"] = {name: path.stat().st_size for name, path in paths.items()}
        log.end_last_part(frames)


def _cut_flac(paths: list[Path], sizes: list[int]) -> int:
    """To the last block that all files say they have; to what can be decoded where a disk has lost some."""
    contents = [_mapped(path) for path in paths]
    if all(len(content) >= size for content, size in zip(contents, sizes, strict=True)):
        frames = min(flac_frames(content) for content in contents)
    else:
        frames = min(_decodable(path) for path in paths)
    for path, content, size in zip(paths, contents, sizes, strict=True):
        with open(path, "r+b", buffering=0) as file:
            file.truncate(flac_end(content, frames, size))
            write_flac_frames(file.fileno(), frames)
            os.fsync(file.fileno())
    return frames


def _mapped(path: Path) -> mmap.mmap:
    """A file of hours, without reading it."""
    with open(path, "rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _decodable(path: Path) -> int:
    frames = 0
    try:
        with soundfile.SoundFile(path) as file:
            while count := len(file.read(READ_FRAMES, dtype="int32", always_2d=True)):
                frames += count
    except (soundfile.LibsndfileError, OSError):
        pass
    return frames


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

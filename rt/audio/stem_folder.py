"""A folder of WAV files out: one per stem, all of one length, none of them half there."""

import contextlib
import fcntl
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels.errors import RtsepError
from rtsep.rt.audio.disk_errors import reason, remedy
from rtsep.rt.audio.wav_writer import BYTES_PER_SAMPLE, WavWriter

ANOTHER = "give another --output folder"


class FolderSink:
    """Writes `voice-1.wav`, ..., `residual.wav` into a folder.

    Files of these names are replaced when the run ends; no other file is touched, and one run at a time
    writes into a folder. Leaving the `with` block finishes all files at the same frame, whatever happened, so
    what was written is there and readable.

    Args:
        folder: made if missing; a leading `~` is a home folder, as in the shell.
        stems: names without suffix.
        samplerate, channels: of every stem.
        frames: expected length, None if unknown; the disk must have room for it.
        input_file: the input's descriptor or path, None where it is no file; none of the outputs may be it.

    Raises:
        RtsepError: a folder that cannot be used or that another run writes to, or too little room.
    """

    may_block = False

    def __init__(
        self,
        folder: str,
        stems: tuple[str, ...],
        samplerate: int,
        channels: int,
        frames: int | None = None,
        input_file: str | int | None = None,
    ) -> None:
        if not folder.strip():
            raise RtsepError("--output is empty", "give a folder, such as stems/")
        self.folder = Path(os.path.expanduser(folder))
        self.paths = [self.folder / f"{stem}.wav" for stem in stems]
        self._samplerate = samplerate
        self._writers: list[WavWriter] = []
        self._made: list[Path] = []
        self._lock: int | None = None
        try:
            self._make_folder()
            self._lock = _lock(self.folder)
            self._refuse_the_input(input_file)
            self._need_room(frames or 0, channels)
            for path in self.paths:
                self._writers.append(WavWriter(path, samplerate, channels))
        except OSError as error:
            self._discard()
            raise RtsepError(f"cannot write to {self.folder}: {reason(error)}", remedy(error)) from error
        except BaseException:
            self._discard()
            raise

    def write(self, stems: NDArray[np.float32]) -> None:
        """Appends float32 [stems, frames, channels].

        Raises:
            RtsepError: the disk does not take it, being full among others; all stems keep what they have.
        """
        for writer, stem in zip(self._writers, stems, strict=True):
            try:
                writer.write(stem)
            except OSError as error:
                done = f"{self.frames / self._samplerate:.2f} s"
                kept = f"{self.folder} keeps these {done}; " if self.frames else ""
                raise RtsepError(
                    f"writing {writer.path} failed after {done} of audio: {reason(error)}",
                    f"{kept}{remedy(error)}, then run again",
                ) from error

    @property
    def frames(self) -> int:
        """Frames that every stem has."""
        return min((writer.frames for writer in self._writers), default=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        frames = self.frames
        if not frames:
            self._discard()
            return
        try:
            for writer in self._writers:
                writer.truncate(frames)
                writer.finish()
            # no stem takes its name before all are complete
            for writer in self._writers:
                writer.place()
        except OSError as failed:
            raise RtsepError(
                f"{writer.path} could not be completed: {reason(failed)}",
                f"its samples are in {writer.part.name}; {remedy(failed)}, then run again",
            ) from failed
        finally:
            self._unlock()

    def _make_folder(self) -> None:
        if self.folder.exists() and not self.folder.is_dir():
            raise RtsepError(f"--output {self.folder} is a file", "give a folder, such as stems/")
        missing = [self.folder, *self.folder.parents]
        for folder in reversed(missing):
            # another run may make the same folder at the same moment
            with contextlib.suppress(FileExistsError):
                if not folder.exists():
                    folder.mkdir()
                    self._made.append(folder)

    def _refuse_the_input(self, input_file: str | int | None) -> None:
        for path in self.paths:
            if path.is_dir():
                raise RtsepError(f"{path} is a folder and a stem has that name", ANOTHER)
            if input_file is not None and path.exists() and _same_file(path, input_file):
                name = "standard input" if isinstance(input_file, int) else input_file
                raise RtsepError(f"the input {name} would be overwritten by the stem {path}", ANOTHER)

    def _need_room(self, frames: int, channels: int) -> None:
        needed = len(self.paths) * frames * channels * BYTES_PER_SAMPLE
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise RtsepError(
                f"the stems need {needed / 1e6:.1f} MB and {self.folder} has {free / 1e6:.1f} MB free",
                "free some space or give --output another disk",
            )

    def _discard(self) -> None:
        with contextlib.suppress(OSError):  # the folder may be gone: then nothing is left to remove
            for writer in self._writers:
                writer.discard()
        # a folder that somebody has used meanwhile stays, and so do those above it
        with contextlib.suppress(OSError):
            for folder in reversed(self._made):
                folder.rmdir()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _lock(folder: Path) -> int | None:
    """A descriptor that holds the folder until it is closed, at the latest when this process ends.

    A file system without locks (some network disks) or a folder that may not be listed holds nobody off:
    there two runs at a time keep their samples apart, each in parts of its own, and each stem is of the run
    that placed it last.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise RtsepError(
            f"another rtsep writes to {folder} at this moment", f"wait until it has ended, or {ANOTHER}"
        ) from None
    except OSError:
        pass
    return descriptor


def _same_file(path: Path, other: str | int) -> bool:
    return os.path.samestat(os.stat(path), os.stat(other))

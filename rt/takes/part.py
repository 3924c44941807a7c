"""One part of a take: a file of the input and of every stem, all growing together."""

import contextlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtsep.rt.takes.stem_files import StemFile, make_stem


class Part:
    """Files of one length in one folder.

    Args:
        folder: made if it is not there.
        names: of the files, without suffix, in the order of a frame's samples.
        form: "wav" or "flac".
        samplerate, channels: of every file.

    Raises:
        OSError: a file of such a name is there, or it cannot be made; none is left behind then.
    """

    def __init__(self, folder: Path, names: list[str], form: str, samplerate: int, channels: int) -> None:
        folder.mkdir(exist_ok=True)
        self._folder, self._form = folder, form
        self._names, self._channels = names, channels
        self.frames = 0
        self._files: list[StemFile] = []
        made: list[Path] = []
        try:
            for name in names:
                path = folder / f"{name}.{form}"
                self._files.append(make_stem(form, path, samplerate, channels))
                made.append(path)
        except OSError:
            for file, path in zip(self._files, made, strict=True):
                with contextlib.suppress(OSError):
                    file.close_at(0)
                    path.unlink()
            raise

    def write(self, rows: NDArray[np.float32]) -> None:
        """Appends float32 [frames, names * channels].

        Raises:
            OSError: the disk does not take it: `abandon` is next.
        """
        for i, file in enumerate(self._files):
            file.write(rows[:, i * self._channels : (i + 1) * self._channels])
        self._renew(len(rows))

    def pad(self, frames: int) -> None:
        """Appends silence.

        Raises:
            OSError: as `write`.
        """
        for file in self._files:
            file.pad(frames)
        self._renew(frames)

    def _renew(self, frames: int) -> None:
        for file in self._files:
            file.renew()
        self.frames += frames

    def sync(self) -> dict[str, int]:
        """Returns when what can be read is on the disk: bytes of each file up to there.

        Raises:
            OSError: as `write`.
        """
        for file in self._files:
            file.sync()
        return {name: file.bytes for name, file in zip(self._names, self._files, strict=True)}

    @property
    def readable(self) -> int:
        """Frames that every file holds, whatever happens next."""
        return min(file.readable for file in self._files)

    @property
    def clipped(self) -> int:
        """Samples that the format could not hold."""
        return sum(file.clipped for file in self._files)

    def close(self) -> None:
        """Completes all files.

        Raises:
            OSError: as `write`.
        """
        for file in self._files:
            file.close()

    def abandon(self) -> None:
        """After a failure: completes all files at the last frame that each of them has."""
        self.frames = self.readable
        for file in self._files:
            with contextlib.suppress(OSError):
                file.close_at(self.frames)

    def discard(self) -> None:
        """After `abandon`: removes the files, in which there is nothing."""
        with contextlib.suppress(OSError):
            for name in self._names:
                (self._folder / f"{name}.{self._form}").unlink()
            if self._folder.name.startswith("part-"):
                self._folder.rmdir()

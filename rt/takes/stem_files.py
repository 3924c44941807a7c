"""One file of a take: float32 WAV, or FLAC of 24 bit. Readable at any moment, however writing ends."""

import os
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile
from numpy.typing import NDArray

from rtsep.rt.audio.wav_writer import WavWriter
from rtsep.rt.takes.flac_blocks import HEAD_BYTES, block_frames, head_bytes, write_flac_frames

FORMATS = ("wav", "flac")
FLAC_CHANNELS = 8  # as many as the format has
FLAC_SCALE = 1 << 23  # full scale of 24 bit
PAD_FRAMES = 1 << 16  # silence is encoded in pieces


class StemFile(Protocol):
    """Appends frames.

    Attributes:
        readable: frames that a reader finds once `renew` has been called, also if nothing more happens.
        bytes: length of the file up to them.
        clipped: samples that the format could not hold.
    """

    clipped: int

    @property
    def readable(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    def write(self, frames: NDArray[np.float32]) -> None: ...
    def pad(self, frames: int) -> None: ...
    def renew(self) -> None: ...
    def sync(self) -> None: ...
    def close(self) -> None: ...
    def close_at(self, frames: int) -> None: ...


class WavStem:
    """Float32, RF64 above 4 GiB; its header is rewritten with every piece.

    Raises:
        OSError: there is such a file already, or it cannot be made.
    """

    clipped = 0

    def __init__(self, path: Path, samplerate: int, channels: int) -> None:
        self._path = path
        self._file = WavWriter(path, samplerate, channels, growing=True)

    @property
    def readable(self) -> int:
        """See `StemFile`."""
        return self._file.frames

    @property
    def bytes(self) -> int:
        """See `StemFile`."""
        return self._path.stat().st_size

    def write(self, frames: NDArray[np.float32]) -> None:
        """Appends float32 [frames, channels]."""
        self._file.write(frames)

    def pad(self, frames: int) -> None:
        """Appends silence."""
        self._file.pad(frames)

    def renew(self) -> None:
        """Makes `readable` true for a reader."""
        self._file.renew_header()

    def sync(self) -> None:
        """Returns when it is on the disk."""
        self._file.sync()

    def close(self) -> None:
        """Completes the file."""
        self._file.sync()
        self._file.close()

    def close_at(self, frames: int) -> None:
        """Completes the file after a failure, with its first `frames` frames."""
        self._file.truncate(frames)
        self._file.close()


class _Blocks:
    """The file under the encoder: keeps an error of the disk, and where each encoded block ends."""

    def __init__(self, path: Path) -> None:
        self.file = open(path, "x+b", buffering=0)  # noqa: SIM115 - closed by FlacStem
        self.ends: list[int] = []  # of blocks, in bytes
        self.before = 0  # blocks that are no longer in `ends`
        self.encoding = False
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            if self.error is not None:  # after a failure nothing more, or blocks would be missing in between
                return 0
            view = memoryview(data)
            while view:
                view = view[self.file.write(view) :]
        except OSError as error:
            self.error = error
            return 0
        if self.encoding:
            self.ends.append(self.file.tell())
        return len(data)

    def read(self, count: int) -> bytes:
        return self.file.read(count) or b""

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        return self.file.tell()


class FlacStem:
    """24 bit. libsndfile writes how long a file is when it closes it, and reads none that does not say it: so
    the number of whole blocks is written into the file's head with every piece.

    Raises:
        OSError: there is such a file already, or it cannot be made.
    """

    def __init__(self, path: Path, samplerate: int, channels: int) -> None:
        self._blocks = _Blocks(path)
        self._channels = channels
        self._encoder = soundfile.SoundFile(
            self._blocks, "w", samplerate, channels, subtype="PCM_24", format="FLAC"
        )
        self._encoder.write(np.zeros((0, channels), np.int32))
        self.clipped = 0
        self._block = 0
        self._written = 0

    @property
    def readable(self) -> int:
        """See `StemFile`."""
        if self._encoder.closed:
            return self._written
        return (self._blocks.before + len(self._blocks.ends)) * self._block

    @property
    def bytes(self) -> int:
        """See `StemFile`."""
        return self._blocks.ends[-1] if self._blocks.ends else 0

    def write(self, frames: NDArray[np.float32]) -> None:
        """Appends float32 [frames, channels], rounded to 24 bit."""
        scaled = np.rint(frames * np.float64(FLAC_SCALE))
        held = np.clip(scaled, -FLAC_SCALE, FLAC_SCALE - 1)
        self.clipped += int(np.count_nonzero(held != scaled))
        self._encode(held.astype(np.int32) << 8)  # libsndfile takes the upper 24 of 32 bits

    def pad(self, frames: int) -> None:
        """Appends silence."""
        silence = np.zeros((min(frames, PAD_FRAMES), self._channels), np.int32)
        while frames > 0:
            self._encode(silence[:frames])
            frames -= len(silence)

    def _encode(self, samples: NDArray[np.int32]) -> None:
        self._blocks.encoding = True
        try:
            self._encoder.write(samples)
        except (AssertionError, soundfile.LibsndfileError):  # the disk's own words are in `error`
            if self._blocks.error is None:
                raise
        finally:
            self._blocks.encoding = False
        self._raise()
        self._written += len(samples)
        if not self._block:
            head = os.pread(self._blocks.file.fileno(), HEAD_BYTES, 0)
            self._block = block_frames(head)
            # the head was written with the first block, in pieces: they are no blocks
            self._blocks.ends = [end for end in self._blocks.ends if end > head_bytes(head)]

    def _raise(self) -> None:
        if self._blocks.error is not None:
            raise self._blocks.error

    def renew(self) -> None:
        """Makes `readable` true for a reader."""
        if self._block:
            self._blocks.before += len(self._blocks.ends[:-1])
            del self._blocks.ends[:-1]
            write_flac_frames(self._blocks.file.fileno(), self.readable)

    def sync(self) -> None:
        """Returns when it is on the disk."""
        self.renew()
        os.fsync(self._blocks.file.fileno())

    def close(self) -> None:
        """Completes the file."""
        self._encoder.close()
        self._raise()
        os.fsync(self._blocks.file.fileno())
        self._blocks.ends = [self._blocks.file.seek(0, os.SEEK_END)]
        self._blocks.file.close()

    def close_at(self, frames: int) -> None:
        """Completes the file after a failure, with its first `frames` frames, whole blocks."""
        count = frames // self._block - self._blocks.before if self._block else 0
        blocks = self._blocks
        blocks.error = blocks.error or OSError()  # the encoder writes no more
        self._encoder.close()
        descriptor = blocks.file.fileno()
        if count > 0:
            os.ftruncate(descriptor, blocks.ends[count - 1])
        write_flac_frames(descriptor, frames)
        blocks.file.close()


def make_stem(form: str, path: Path, samplerate: int, channels: int) -> StemFile:
    """A new file.

    Raises:
        OSError: there is such a file already, or it cannot be made.
    """
    return (FlacStem if form == "flac" else WavStem)(path, samplerate, channels)

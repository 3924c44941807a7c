"""A float32 WAV file that can be read at any moment, however its writing ends.

libsndfile writes its header on close and chooses RF64 before the first sample; a separation may be killed,
may fill the disk, and does not know how long a pipe lasts. Here the header is renewed every second and
becomes RF64 when the data passes 4 GiB (EBU Tech 3306: a `JUNK` chunk keeps the place of `ds64`).
"""

import os
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtsep.rt.audio.part_file import create, create_part

IEEE_FLOAT, EXTENSIBLE = 0x0003, 0xFFFE
# KSDATAFORMAT_SUBTYPE_IEEE_FLOAT, for more than two channels
FLOAT_GUID = bytes.fromhex("0300000000001000800000aa00389b71")
MAX_RIFF_BYTES = 0xFFFFFFFF
BYTES_PER_SAMPLE = 4


class WavWriter:
    """Writes `NAME.<8 hex digits>.part` beside `path`, which takes the name `path` on `close`.

    A run that fails leaves old files whole, and a part is always a new file: no other run's part, and no file
    or hard link of a file that happens to have such a name, is opened for writing.

    Args:
        path: file to become; an existing one is replaced on `close`.
        growing: write `path` itself from the start, which must not exist yet: a take is what it is, however
            it ends.
        samplerate: Hz.
        channels: interleaved channels.
        riff_limit: bytes from which on the file is RF64; the format's own bound unless a test says less.

    Raises:
        OSError: as the system says.
    """

    def __init__(
        self,
        path: Path,
        samplerate: int,
        channels: int,
        *,
        growing: bool = False,
        riff_limit: int = MAX_RIFF_BYTES,
    ) -> None:
        self.path = path
        self.frames = 0
        self._samplerate = samplerate
        self._frame_bytes = channels * BYTES_PER_SAMPLE
        self._channels = channels
        self._riff_limit = riff_limit
        self._frames_in_header = 0
        self.part, self._file = (path, create(path)) if growing else create_part(path)
        try:
            self._file.write(self._header(0))
        except OSError:
            self.discard()
            raise

    def write(self, block: NDArray[np.float32]) -> None:
        """Appends float32 [frames, channels].

        Raises:
            OSError: a full disk among others; what was written before stays readable.
        """
        data = np.ascontiguousarray(block, "<f4").reshape(-1).view(np.uint8).data
        while data:
            data = data[self._file.write(data) :]
        self.frames += len(block)
        if self.frames - self._frames_in_header >= self._samplerate:
            self.renew_header()

    def pad(self, frames: int) -> None:
        """Appends silence; a disk that can keeps no bytes of it.

        Raises:
            OSError: the disk does not take it.
        """
        self.frames += frames
        self._file.truncate(len(self._header(0)) + self.frames * self._frame_bytes)
        self._file.seek(0, os.SEEK_END)
        self.renew_header()

    def sync(self) -> None:
        """Returns when what was written is on the disk, header included.

        Raises:
            OSError: the disk fails.
        """
        self.renew_header()
        os.fsync(self._file.fileno())

    def truncate(self, frames: int) -> None:
        """Keeps the first `frames` frames: drops a block that a full disk has cut."""
        self.frames = min(frames, self.frames)
        self._file.truncate(len(self._header(0)) + self.frames * self._frame_bytes)
        self._file.seek(0, os.SEEK_END)

    def finish(self) -> None:
        """Completes the header and closes the file, which keeps its part's name until `place`."""
        if not self._file.closed:
            self.renew_header()
            self._file.close()

    def place(self) -> None:
        """Gives the finished file its name."""
        os.replace(self.part, self.path)

    def close(self) -> None:
        """Finishes the file and gives it its name; a second time does nothing."""
        if not self._file.closed:
            self.finish()
            self.place()

    def discard(self) -> None:
        """Removes what was written; a file that had the name before stays as it was."""
        self._file.close()
        self.part.unlink(missing_ok=True)

    def renew_header(self) -> None:
        """Makes everything written so far readable; `write` does so every second."""
        os.pwrite(self._file.fileno(), self._header(self.frames), 0)
        self._frames_in_header = self.frames

    def _header(self, frames: int) -> bytes:
        return _header(frames, self._samplerate, self._channels, self._riff_limit)


def frames_in(path: Path, channels: int) -> int:
    """Whole frames that a file of `WavWriter` holds, whatever its header says.

    Raises:
        OSError: it cannot be read.
    """
    head = len(_header(0, 1, channels, MAX_RIFF_BYTES))
    return max(0, path.stat().st_size - head) // (channels * BYTES_PER_SAMPLE)


def cut(path: Path, samplerate: int, channels: int, frames: int) -> None:
    """Makes a file of `WavWriter`, however its writing ended, one of `frames` frames; what lacks is silence.

    Raises:
        OSError: it cannot be written.
    """
    head = _header(frames, samplerate, channels, MAX_RIFF_BYTES)
    with open(path, "r+b", buffering=0) as file:
        file.truncate(len(head) + frames * channels * BYTES_PER_SAMPLE)
        os.pwrite(file.fileno(), head, 0)
        os.fsync(file.fileno())


def _header(frames: int, samplerate: int, channels: int, riff_limit: int) -> bytes:
    frame_bytes = channels * BYTES_PER_SAMPLE
    data_bytes = frames * frame_bytes
    tag = IEEE_FLOAT if channels <= 2 else EXTENSIBLE
    fmt = struct.pack(
        "<HHIIHH", tag, channels, samplerate, samplerate * frame_bytes, frame_bytes, 8 * BYTES_PER_SAMPLE
    )
    fmt += struct.pack("<H", 0) if tag == IEEE_FLOAT else struct.pack("<HHI", 22, 32, 0) + FLOAT_GUID
    body = b"fmt " + struct.pack("<I", len(fmt)) + fmt
    body += b"fact" + struct.pack("<II", 4, min(frames, MAX_RIFF_BYTES)) + b"data"
    riff_bytes = 4 + 36 + len(body) + 4 + data_bytes
    if riff_bytes > riff_limit:
        ds64 = struct.pack("<QQQI", riff_bytes, data_bytes, frames, 0)
        size = struct.pack("<I", MAX_RIFF_BYTES)
        return b"RF64" + size + b"WAVEds64" + struct.pack("<I", len(ds64)) + ds64 + body + size
    return (
        b"RIFF"
        + struct.pack("<I", riff_bytes)
        + b"WAVEJUNK"
        + struct.pack("<I", 28)
        + bytes(28)
        + body
        + struct.pack("<I", data_bytes)
    )

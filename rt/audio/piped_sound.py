"""Sound from a pipe, given on as it arrives: raw samples, or WAV and AU whose header says what they are."""

import io
import os
import stat
from dataclasses import replace

import numpy as np
import soundfile
from numpy.typing import NDArray

from rtsep.kernels.errors import InputRefused
from rtsep.rt.audio.containers.wav_header import (
    CHUNK_BYTES,
    STAND_IN_BYTES,
    HeaderError,
    StreamHeader,
    is_chunk,
    read_header,
)
from rtsep.rt.audio.containers.wav_links import KIND_BYTES, begins_wav
from rtsep.rt.audio.descriptors import READ_BYTES, read_some
from rtsep.rt.audio.files import STDIN, FileSource, check_format, open_for_reading, pick_channels
from rtsep.rt.audio.pipes import RawFormat

STDIN_NAME = "standard input"


def open_sound(path: str | int, input_channels: list[int] | None = None) -> "FileSource | PipedFile":
    """An audio file, or WAV and AU from a named pipe or from standard input (0).

    Raises:
        InputRefused: not readable, not audio, empty, or a rate or channel count outside the bounds.
    """
    name = STDIN_NAME if path == STDIN else str(path)
    descriptor = path if isinstance(path, int) else open_for_reading(path)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return FileSource(descriptor, input_channels, name)
    try:
        return PipedFile(descriptor, name, input_channels)
    except BaseException:
        if descriptor != STDIN:
            os.close(descriptor)
        raise


class RawSource:
    """Raw samples from a descriptor; a read gives what is there and does not wait for a full block.

    Raises:
        InputRefused: `input_channels` are not in the stream.
    """

    frames: int | None = None
    name = STDIN_NAME

    def __init__(self, raw: RawFormat, input_channels: list[int] | None = None, fd: int = STDIN) -> None:
        self.samplerate = raw.samplerate
        self.notes: list[str] = []
        self._pick = pick_channels(self.name, raw.channels, input_channels)
        self.channels = len(self._pick)
        self._raw = raw
        self._fd = fd
        self._rest = b""

    def read(self) -> NDArray[np.float32]:
        """Next frames float32 [frames, channels]; none at the end.

        Raises:
            InputRefused: the stream cannot be read, or ends inside a frame.
        """
        width = self._raw.frame_bytes
        while True:
            data = read_some(self._fd, self.name)
            if not data and self._rest:
                raise InputRefused(
                    f"standard input ended inside a frame: {len(self._rest)} of {width} bytes are left over",
                    "check --raw against what is sent; all whole frames are kept",
                )
            whole = self._rest + data
            used = len(whole) - len(whole) % width
            self._rest = whole[used:]
            if used or not data:
                return self._raw.decode(whole[:used])[:, self._pick]

    def close(self) -> None:
        """Standard input stays open: it is not ours."""


class PipedFile:
    """WAV or AU from a descriptor that cannot go back. What comes is believed, not the length in its header.

    Every wait is one that Ctrl-C and `kill` end, which reads inside libsndfile are not.

    Args:
        descriptor: closed with this unless it is standard input.
        name: what messages call it.
        input_channels: channels to take, counted from 1; None takes all.

    Raises:
        InputRefused: another format, or a rate or channel count outside the bounds.
    """

    frames: int | None = None

    def __init__(self, descriptor: int, name: str, input_channels: list[int] | None = None) -> None:
        self.name = name
        self.notes: list[str] = []
        self._fd = descriptor
        self._ahead = b""  # read, but not used yet
        self._header = self._read_header()
        self.samplerate = self._header.samplerate
        check_format(name, self.samplerate, self._header.channels)
        self._pick = pick_channels(name, self._header.channels, input_channels)
        self.channels = len(self._pick)
        self._rest = b""
        self._stated = self._header.data_bytes  # None: to the end of the pipe
        self._came = 0  # bytes of sound, of this recording
        self._ended = False

    def read(self) -> NDArray[np.float32]:
        """Next frames float32 [frames, channels]; none at the end.

        Raises:
            InputRefused: the pipe cannot be read.
        """
        width = self._header.frame_bytes
        while True:
            data = b"" if self._ended else self._next_bytes()
            whole = self._rest + data
            used = len(whole) - len(whole) % width
            self._rest = whole[used:]
            if used:
                return self._decode(whole[:used])
            if not data:
                return np.zeros((0, self.channels), np.float32)

    def close(self) -> None:
        """Closes a named pipe; standard input is not ours."""
        if self._fd != STDIN:
            os.close(self._fd)
            self._fd = STDIN

    def _read_header(self) -> StreamHeader:
        try:
            return read_header(self._take)
        except HeaderError as error:
            raise InputRefused(
                f"{self.name} is no audio file that can be read from a pipe ({error})",
                "send WAV, or say the raw format with --input -, such as --raw f32le:48000:1",
            ) from None

    def _take(self, count: int) -> bytes:
        data, self._ahead = self._ahead[:count], self._ahead[count:]
        while len(data) < count and (more := read_some(self._fd, self.name, count - len(data))):
            data += more
        return data

    def _next_bytes(self) -> bytes:
        """Bytes of sound: up to the length that the header states, and on where it is wrong."""
        if self._came == self._stated and not self._goes_on():
            self._ended = True
            return b""
        count = READ_BYTES if self._stated is None else min(READ_BYTES, self._stated - self._came)
        data = self._take(min(count, len(self._ahead))) or read_some(self._fd, self.name, count)
        self._came += len(data)
        if not data:
            self._ended = True
            if self._stated is not None and self._stated < STAND_IN_BYTES:
                self._note(
                    f"{self.name} is cut short: {self._came} bytes of the {self._stated} its header "
                    "promises; what came is separated"
                )
        return data

    def _goes_on(self) -> bool:
        """At the end that the header states: whether sound follows, of this recording or of another one.

        Raises:
            InputRefused: the next recording has another format.
        """
        padding = self._came % 2
        behind_sound = True
        while True:
            head = self._take(padding + CHUNK_BYTES + KIND_BYTES)
            if not begins_wav(head):  # not every program fills up to an even number of bytes
                head = head[padding:]
            self._ahead = head + self._ahead
            if begins_wav(head):
                self._begin_another()
                return True
            if head and behind_sound and not is_chunk(head[:CHUNK_BYTES]):
                self._note(f"{self.name} goes on after the end that its header states: all is separated")
                self._stated = None
                return True
            if not is_chunk(head[:CHUNK_BYTES]):
                return False
            length = int.from_bytes(self._take(CHUNK_BYTES)[4:], "little")
            self._skip(length)
            padding, behind_sound = length % 2, False

    def _begin_another(self) -> None:
        before, self._header = self._header, self._read_header()
        if replace(before, data_bytes=None) != replace(self._header, data_bytes=None):
            raise InputRefused(
                f"{self.name} changes from {before.samplerate} Hz, {before.channels} channel(s), "
                f"{before.subtype} to {self._header.samplerate} Hz, {self._header.channels}, "
                f"{self._header.subtype} where another recording begins",
                "send one format; what came before is kept",
            )
        self._stated, self._came, self._rest = self._header.data_bytes, 0, b""
        self._note(f"{self.name} holds several recordings, one after the other: all are separated")

    def _skip(self, count: int) -> None:
        while count and (passed := len(self._take(min(count, READ_BYTES)))):
            count -= passed

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def _decode(self, data: bytes) -> NDArray[np.float32]:
        block: NDArray[np.float32] = soundfile.read(
            io.BytesIO(data),
            dtype="float32",
            always_2d=True,
            samplerate=self.samplerate,
            channels=self._header.channels,
            format="RAW",
            subtype=self._header.subtype,
            endian=self._header.endian,
        )[0]
        return block[:, self._pick]

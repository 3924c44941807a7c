"""Formats of raw samples, and stems on standard output, each block passed on as soon as it is there."""

import re
import sys
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels.errors import InputRefused
from rtsep.rt.audio.descriptors import write_whole
from rtsep.rt.audio.disk_errors import reason, remedy
from rtsep.rt.audio.files import check_format
from rtsep.rt.hop.channels import MAX_CHANNELS

# bytes per sample; names as in ffmpeg -f
SAMPLE_BYTES = {"s16le": 2, "s24le": 3, "s32le": 4, "f32le": 4, "f64le": 8}
EXAMPLE = "write FORMAT:RATE:CHANNELS, such as --raw f32le:48000:1"
STDOUT = 1


@dataclass(frozen=True)
class RawFormat:
    """Headerless interleaved PCM, little endian.

    Attributes:
        encoding: s16le, s24le, s32le, f32le or f64le.
        samplerate: Hz.
        channels: 1 or more.
    """

    encoding: str
    samplerate: int
    channels: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `f32le:48000:1`.

        Raises:
            InputRefused: another form, an unknown encoding, or a rate or channel count out of bounds.
        """
        match = re.fullmatch(r"([^:]*):([^:]*):([^:]*)", text)
        if not match:
            raise InputRefused(f"--raw {text!r} has not the form FORMAT:RATE:CHANNELS", EXAMPLE)
        encoding, rate, channels = match.groups()
        if encoding not in SAMPLE_BYTES:
            raise InputRefused(f"--raw format {encoding!r} is not one of {', '.join(SAMPLE_BYTES)}", EXAMPLE)
        for what, value in (("rate", rate), ("channel count", channels)):
            if not re.fullmatch(r"[0-9]{1,9}", value):
                raise InputRefused(f"--raw {what} {value!r} is not a whole number of 1 or more", EXAMPLE)
        if not 1 <= int(channels) <= MAX_CHANNELS:
            raise InputRefused(f"--raw channel count {channels} is outside 1..{MAX_CHANNELS}", EXAMPLE)
        check_format("--raw", int(rate), int(channels))
        return cls(encoding, int(rate), int(channels))

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return SAMPLE_BYTES[self.encoding] * self.channels

    def decode(self, data: bytes) -> NDArray[np.float32]:
        """Whole frames as float32 [frames, channels], full scale 1."""
        if self.encoding in ("f32le", "f64le"):
            # a float64 beyond float32 becomes Inf here and is zeroed and counted as such by the separator
            with np.errstate(over="ignore"):
                samples = np.frombuffer(
                    data, "<" + self.encoding[0] + str(SAMPLE_BYTES[self.encoding])
                ).astype(np.float32)
        elif self.encoding == "s24le":
            wide = np.zeros((len(data) // 3, 4), np.uint8)
            wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
            samples = (wide.view("<i4")[:, 0] / 2.0**31).astype(np.float32)
        else:
            bits = 8 * SAMPLE_BYTES[self.encoding]
            integers = np.frombuffer(data, f"<i{SAMPLE_BYTES[self.encoding]}")
            samples = (integers / 2.0 ** (bits - 1)).astype(np.float32)
        return samples.reshape(-1, self.channels)


class ReaderLeftError(Exception):
    """The reader of standard output has gone."""


class StdoutSink:
    """Stems as raw float32, little endian: for every frame stem by stem in order, each with its channels."""

    may_block = True

    def __init__(self, fd: int = STDOUT) -> None:
        self._fd = fd

    def write(self, stems: NDArray[np.float32]) -> None:
        """Passes float32 [stems, frames, channels] on, whole, also where the reader's pipe is non-blocking.

        Raises:
            ReaderLeftError: the reader has gone.
            InputRefused: standard output is a file on a full disk, among others.
        """
        frames_first = np.ascontiguousarray(stems.transpose(1, 0, 2), "<f4")
        data = frames_first.reshape(-1).view(np.uint8).data
        try:
            write_whole(self._fd, data)
        except BrokenPipeError:
            raise ReaderLeftError from None
        except OSError as error:
            raise InputRefused(
                f"writing the stems to standard output failed: {reason(error)}", remedy(error)
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """Standard output stays open: it is not ours."""


def refuse_terminal(reading: bool) -> None:
    """Raises RtsepError where `-` stands for a keyboard or a screen, or for a stream that is closed."""
    stream = sys.stdin if reading else sys.stdout
    if stream is None:
        name = "--input - reads standard input" if reading else "--output - writes to standard output"
        raise InputRefused(f"{name}, which is closed", "give a pipe, or name a file or folder")
    if stream.isatty():
        if reading:
            raise InputRefused(
                "--input - reads standard input, which is a terminal", "pipe audio in: ... | rtsep --input -"
            )
        raise InputRefused(
            "--output - writes raw audio to standard output, which is a terminal",
            "pipe it on: rtsep ... | COMMAND",
        )

"""Audio files in, block by block."""

import os
import re
from itertools import pairwise

import numpy as np
import soundfile
from numpy.typing import NDArray

from rtsep.kernels.errors import InputRefused, RtsepError
from rtsep.rt.audio.containers.file_window import FileWindow
from rtsep.rt.audio.containers.ogg_links import link_starts
from rtsep.rt.audio.containers.wav_header import UNKNOWN, shown_whole
from rtsep.rt.audio.containers.wav_links import wav_starts
from rtsep.rt.audio.disk_errors import reason
from rtsep.rt.hop.channels import MAX_CHANNELS
from rtsep.rt.hop.presets import MAX_SAMPLERATE, MIN_SAMPLERATE

STDIN = 0
NO_LENGTH = "does not say how long it is: it is read to its end"
# Samples of a block over all channels: long enough that Python costs nothing, short for a steady bar.
BLOCK_SAMPLES = 16384
SYSTEM_ERROR = 2  # SF_ERR_SYSTEM of sndfile.h
# libsndfile's log of a file that is shorter than its header says: `data : 192044 (should be 1000)`
CUT_SHORT = re.compile(r"^\s*data\s*:\s*(\d+)\s*\(should be (\d+)\)", re.MULTILINE)


# FLAC whose header says 0 samples, as encoders leave it that write into a pipe: libsndfile says 2^63 - 1.
UNKNOWN_FRAMES = 2**62
# What may follow the sound besides sound: tags, and pictures that are small beside it.
UNREAD_BYTES, UNREAD_SHARE = 65536, 0.05


class _Sequential(soundfile.SoundFile):  # type: ignore[misc]  # no types
    """Read from front to end: the binding's `seek` after every read fails at the end of an unknown length."""

    def seekable(self) -> bool:
        return False


class FileSource:
    """An audio file of any format libsndfile reads, in blocks.

    What is in the file is believed more than what its header says; `notes` tell where they differ.

    Args:
        path: the file, or the descriptor of one, which is then closed with this unless it is 0.
        input_channels: channels to take, counted from 1; None takes all.
        name: what messages call it; the path unless given.

    Raises:
        InputRefused: not readable, not audio, empty, or a rate or channel count outside the bounds.
    """

    def __init__(
        self, path: str | int, input_channels: list[int] | None = None, name: str | None = None
    ) -> None:
        self.name = name or ("standard input" if path == STDIN else str(path))
        self.notes: list[str] = []
        # opened here, by whatever bytes its name has: libsndfile's binding takes UTF-8 only
        self._fd = path if isinstance(path, int) else open_for_reading(path)
        self._own_fd = path != STDIN  # standard input is not ours to close
        self._files: list[_Sequential] = []
        try:
            self._open()
            self._examine(input_channels)
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        """Opens what libsndfile is shown: the file, its parts, or the file with a header that is right."""
        shown: list[int | FileWindow] = [self._fd]
        self._believed = False
        size = os.fstat(self._fd).st_size
        if os.lseek(self._fd, 0, os.SEEK_CUR) == 0:
            starts = link_starts(self._fd, size) or wav_starts(self._fd, size) or [0]
            if len(starts) > 1:
                shown = [FileWindow(self._fd, *ends) for ends in pairwise([*starts, size])]
                self.notes.append(
                    f"{self.name} holds {len(starts)} recordings, one after the other: all are separated"
                )
            if (whole := shown_whole(self._fd, size, starts[-1])) is not None:
                shown[-1] = whole[0]
                self.notes.append(f"{self.name}: {whole[1]}")
            self._believed = shown != [self._fd]
        try:
            for one in shown:
                self._files.append(_Sequential(one, closefd=False))
        except (soundfile.LibsndfileError, OSError, TypeError) as error:
            raise self._unreadable(error) from error

    def _examine(self, input_channels: list[int] | None) -> None:
        first = self._files[0]
        self.samplerate = int(first.samplerate)
        counts = [int(file.frames) for file in self._files]
        self.frames: int | None = sum(counts)
        if not self.frames:
            raise InputRefused(
                f"{self.name} has 0 frames of audio, at least 1 is needed", "give a file with sound in it"
            )
        if max(counts) >= UNKNOWN_FRAMES:
            self.frames = None
            self.notes.append(f"{self.name} {NO_LENGTH}")
        check_format(self.name, self.samplerate, first.channels)
        for number, file in enumerate(self._files, start=1):
            if (file.samplerate, file.channels) != (first.samplerate, first.channels):
                raise InputRefused(
                    f"{self.name} changes from {first.samplerate} Hz with {first.channels} channel(s) to "
                    f"{file.samplerate} Hz with {file.channels} in its part {number}",
                    "make it one format, for example with ffmpeg -i FILE out.wav",
                )
        self._pick = pick_channels(self.name, first.channels, input_channels)
        self.channels = len(self._pick)
        self._block = max(256, BLOCK_SAMPLES // first.channels)
        # of several recordings only the last can be shorter than its header says
        if (cut := CUT_SHORT.search(self._files[-1].extra_info)) and int(cut[1]) > int(cut[2]):
            if int(cut[1]) == UNKNOWN:  # what a program writes that cannot go back to its header
                self.notes.append(f"{self.name} {NO_LENGTH}")
                return
            self.notes.append(
                f"{self.name} is cut short: {cut[2]} bytes of the {cut[1]} its header promises; "
                "what is there is separated"
            )

    def read(self) -> NDArray[np.float32]:
        """Next block float32 [frames, channels]; none at the end.

        Raises:
            InputRefused: the file is damaged from here on.
        """
        while True:
            block = self._read_block()
            if len(block) or len(self._files) == 1:
                break
            self._files.pop(0).close()
        if not len(block):
            self._tell_the_unread()
        return block if self._in_order and self.channels == block.shape[1] else block[:, self._pick]

    def _read_block(self) -> NDArray[np.float32]:
        try:
            block: NDArray[np.float32] = self._files[0].read(self._block, dtype="float32", always_2d=True)
            return block
        except (soundfile.LibsndfileError, OSError) as error:
            if getattr(error, "code", SYSTEM_ERROR) == SYSTEM_ERROR:
                raise InputRefused(
                    f"reading {self.name} failed: {_system_reason(self._fd)}",
                    "what came before is kept; check the disk that it is on",
                ) from error
            raise InputRefused(
                f"{self.name} is damaged: {str(error).rstrip('.')}",
                "what came before is kept; repair the file",
            ) from error

    def _tell_the_unread(self) -> None:
        """A format whose header is believed ends where it says: whether much of the file is left is told."""
        if self._believed or self._files[0].format in ("WAV", "WAVEX", "RF64"):  # looked at before
            return
        size = os.fstat(self._fd).st_size
        unread = size - os.lseek(self._fd, 0, os.SEEK_CUR)
        note = (
            f"{unread / 1e6:.1f} MB at the end of {self.name} hold no sound of which its header knows: "
            "if sound is missing, convert the file, for example with ffmpeg -i FILE out.wav"
        )
        if unread > max(UNREAD_BYTES, UNREAD_SHARE * size) and note not in self.notes:
            self.notes.append(note)

    @property
    def _in_order(self) -> bool:
        return self._pick == list(range(self.channels))

    def close(self) -> None:
        """Closes the file."""
        for file in self._files:
            file.close()
        if self._own_fd:
            os.close(self._fd)
            self._own_fd = False

    def _unreadable(self, error: Exception) -> RtsepError:
        if not os.fstat(self._fd).st_size:
            return RtsepError(f"{self.name} is empty: 0 bytes", "give a file with sound in it")
        cause = getattr(error, "error_string", str(error)).rstrip(".")
        return RtsepError(
            f"{self.name} is not an audio file that libsndfile reads ({cause})",
            "convert it, for example with ffmpeg -i FILE out.wav",
        )


def _system_reason(fd: int) -> str:
    """Why a file cannot be read on: libsndfile knows only that the system said so."""
    try:
        os.read(fd, 1)
    except OSError as error:
        return reason(error)
    return "the system reports an error"


def open_for_reading(path: str) -> int:
    """A descriptor of the file `path`.

    Raises:
        InputRefused: it cannot be read.
    """
    try:
        # a named pipe without a writer would hold up `open` itself, which no signal ends
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise InputRefused(
            f"cannot read {path}: {reason(error)}", "check the path and its permissions"
        ) from error


def check_format(name: str, samplerate: int, channels: int) -> None:
    """Raises RtsepError for a sample rate or a channel count that cannot be separated."""
    if not MIN_SAMPLERATE <= samplerate <= MAX_SAMPLERATE:
        raise InputRefused(
            f"{name} has a sample rate of {samplerate} Hz, outside {MIN_SAMPLERATE}..{MAX_SAMPLERATE} Hz",
            "resample it first, for example with ffmpeg -i FILE -ar 48000 out.wav",
        )
    if channels < 1:
        raise InputRefused(
            f"{name} has {channels} channels, at least 1 is needed", "give audio with channels"
        )


def pick_channels(name: str, channels: int, wanted: list[int] | None) -> list[int]:
    """Indices from 0 of the channels to take.

    Raises:
        InputRefused: a channel that is not there, or more than a separator takes.
    """
    if wanted is None:
        if channels > MAX_CHANNELS:
            raise InputRefused(
                f"{name} has {channels} channels, outside 1..{MAX_CHANNELS}",
                "pick some with --input-channels",
            )
        return list(range(channels))
    for number in wanted:
        if number > channels:
            raise InputRefused(
                f"--input-channels {number} is outside 1..{channels}, the channels of {name}",
                "pick one of these",
            )
    return [number - 1 for number in wanted]

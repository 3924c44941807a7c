"""Audio files in, block by block."""

import re
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from rtsep.kernels.errors import RtsepError
from rtsep.rt.hop.channels import MAX_CHANNELS
from rtsep.rt.hop.presets import MAX_SAMPLERATE, MIN_SAMPLERATE

# Samples of a block over all channels: long enough that Python costs nothing, short for a steady bar.
BLOCK_SAMPLES = 16384
# libsndfile's log of a file that is shorter than its header says: `data : 192044 (should be 1000)`
CUT_SHORT = re.compile(r"^\s*data\s*:\s*(\d+)\s*\(should be (\d+)\)", re.MULTILINE)


class FileSource:
    """An audio file of any format libsndfile reads, in blocks.

    Args:
        path: the file, or 0 for standard input in a format that needs no seeking (WAV, AU).
        input_channels: channels to take, counted from 1; None takes all.

    Raises:
        RtsepError: not readable, not audio, empty, or a rate or channel count outside the bounds.
    """

    def __init__(self, path: str | int, input_channels: list[int] | None = None) -> None:
        self.name = "standard input" if path == 0 else str(path)
        self.notes: list[str] = []
        try:
            # descriptor 0 is not ours to close
            self._file = soundfile.SoundFile(path, closefd=path != 0)
        except (soundfile.LibsndfileError, OSError, TypeError) as error:
            raise self._unreadable(error) from error
        self.samplerate = int(self._file.samplerate)
        seekable = bool(self._file.seekable())
        self.frames: int | None = int(self._file.frames) if seekable else None
        if seekable and not self.frames:
            raise RtsepError(
                f"{self.name} has 0 frames of audio, at least 1 is needed", "give a file with sound in it"
            )
        check_format(self.name, self.samplerate, self._file.channels)
        self._pick = pick_channels(self.name, self._file.channels, input_channels)
        self.channels = len(self._pick)
        self._block = max(256, BLOCK_SAMPLES // self._file.channels)
        if seekable and (cut := CUT_SHORT.search(self._file.extra_info)) and int(cut[1]) > int(cut[2]):
            self.notes.append(
                f"{self.name} is cut short: {cut[2]} bytes of the {cut[1]} its header promises; "
                "what is there is separated"
            )

    def read(self) -> NDArray[np.float32]:
        """Next block float32 [frames, channels]; none at the end.

        Raises:
            RtsepError: the file is damaged from here on.
        """
        try:
            block: NDArray[np.float32] = self._file.read(self._block, dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, OSError) as error:
            raise RtsepError(
                f"{self.name} is damaged: {str(error).rstrip('.')}",
                "what came before is kept; repair the file",
            ) from error
        return block if self.channels == block.shape[1] and self._in_order else block[:, self._pick]

    @property
    def _in_order(self) -> bool:
        return self._pick == list(range(self.channels))

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _unreadable(self, error: Exception) -> RtsepError:
        if self.name != "standard input":
            path = Path(self.name)
            try:
                with path.open("rb") as file:
                    if not file.read(1):
                        return RtsepError(f"{self.name} is empty: 0 bytes", "give a file with sound in it")
            except OSError as cause:
                return RtsepError(
                    f"cannot read {self.name}: {cause.strerror}", "check the path and its permissions"
                )
        reason = getattr(error, "error_string", str(error)).rstrip(".")
        if self.name == "standard input":
            return RtsepError(
                f"standard input is no audio file that can be read from a pipe ({reason})",
                "send WAV, or say the raw format, such as --raw f32le:48000:1",
            )
        return RtsepError(
            f"{self.name} is not an audio file that libsndfile reads ({reason})",
            "convert it, for example with ffmpeg -i FILE out.wav",
        )


def check_format(name: str, samplerate: int, channels: int) -> None:
    """Raises RtsepError for a sample rate or a channel count that cannot be separated."""
    if not MIN_SAMPLERATE <= samplerate <= MAX_SAMPLERATE:
        raise RtsepError(
            f"{name} has a sample rate of {samplerate} Hz, outside {MIN_SAMPLERATE}..{MAX_SAMPLERATE} Hz",
            "resample it first, for example with ffmpeg -i FILE -ar 48000 out.wav",
        )
    if channels < 1:
        raise RtsepError(f"{name} has {channels} channels, at least 1 is needed", "give audio with channels")


def pick_channels(name: str, channels: int, wanted: list[int] | None) -> list[int]:
    """Indices from 0 of the channels to take.

    Raises:
        RtsepError: a channel that is not there, or more than a separator takes.
    """
    if wanted is None:
        if channels > MAX_CHANNELS:
            raise RtsepError(
                f"{name} has {channels} channels, outside 1..{MAX_CHANNELS}",
                "pick some with --input-channels",
            )
        return list(range(channels))
    for number in wanted:
        if number > channels:
            raise RtsepError(
                f"--input-channels {number} is outside 1..{channels}, the channels of {name}",
                "pick one of these",
            )
    return [number - 1 for number in wanted]

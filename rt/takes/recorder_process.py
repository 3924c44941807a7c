"""The process that writes a take to disk while the show goes on: `input.wav`, and a file for each stem that
the model has, such as `voice-1.wav`, with `residual.wav` last.

Started by `rtsep.rt.session` as `python -m rtsep.rt.takes.recorder_process`. It takes frames of
[input, stem 1, ..., residual] from a ring in shared memory, where the input is as old as the stems, so all
files are aligned. Headers are brought up to date with every write: whatever ends this process, what was
written can be read.
"""

import contextlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.kernels.errors import RtsepError
from rtsep.rt.audio.disk_errors import reason, remedy
from rtsep.rt.audio.wav_writer import WavWriter
from rtsep.rt.process.block import Block
from rtsep.rt.process.shared_memory import SharedMemory

SUFFIX = ".wav"
TAKE_INPUT = "input"  # the file beside those of the stems
CHUNK_S = 0.25  # what a crash may lose, and the longest stretch written at once
POLL_S = 0.05
# After the parent is gone the engine ends within its housekeeping interval; a ring silent for so long is
# complete.
GRACE_S = 1.0


@dataclass(frozen=True)
class RecordPlan:
    """What the recorder is asked for: folder, file names without suffix, Hz, and how many first frames to
    leave out.
    """

    folder: str
    names: list[str]
    samplerate: int
    skip_frames: int

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Self:
        """Back from `to_json`."""
        return cls(**json.loads(line))


def prepare_folder(folder: Path) -> bool:
    """Makes the folder of a take; whether it is new.

    Raises:
        RtsepError: it cannot be made or written.
    """
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RtsepError(
            f"cannot make the folder {folder} ({error.strerror})", "choose another one"
        ) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise RtsepError(
            f"the folder {folder} cannot be written", "choose another one or change its permissions"
        )
    return new


def refuse_earlier_files(folder: Path, names: list[str]) -> None:
    """Before sound starts: a take never stands among files of another one, or of a separated file.

    Args:
        folder: of the take, as `prepare_folder` has left it.
        names: of the files to come, without suffix.

    Raises:
        RtsepError: the folder holds a file of one of these names.
    """
    for name in names:
        path = folder / f"{name}{SUFFIX}"
        if os.path.lexists(path):  # a link that leads nowhere is somebody's too
            raise RtsepError(
                f"the folder {folder} already holds {path.name}",
                "choose another folder or move its files away",
            )


class TakeWriter:
    """One WAV file per name, all growing together."""

    def __init__(self, plan: RecordPlan, channels: int) -> None:
        self._channels = channels
        self.frames = 0
        self._files: list[WavWriter] = []
        try:
            for name in plan.names:
                path = Path(plan.folder) / f"{name}{SUFFIX}"
                self._files.append(WavWriter(path, plan.samplerate, channels, growing=True))
        except OSError:  # no take has begun: the files made for it go again, and no other's
            for file in self._files:
                file.discard()
            raise

    def write(self, frames: NDArray[np.float32]) -> None:
        """float32 [frames, names * channels].

        Raises:
            OSError: the disk does not take it.
        """
        for i, file in enumerate(self._files):
            file.write(frames[:, i * self._channels : (i + 1) * self._channels])
        for file in self._files:
            file.renew_header()
        self.frames += len(frames)

    def close(self) -> None:
        """Complete files of one length, also after a failed write."""
        for file in self._files:
            with contextlib.suppress(OSError):
                file.truncate(self.frames)
                file.close()


class Recorder:
    """Drains the ring into a take until it is closed or its engine has ended."""

    def __init__(self, plan: RecordPlan, ring: _core.SampleRing, block: Block) -> None:
        self._plan, self._ring, self._block = plan, ring, block
        self._chunk = np.zeros((round(CHUNK_S * plan.samplerate), ring.channels), np.float32)
        self._skip = plan.skip_frames
        self._writer: TakeWriter | None = None
        self._terminated = False
        self._frames_at_failure = 0
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._terminate)
        self._poll = select.poll()
        self._poll.register(sys.stdin, select.POLLIN | select.POLLHUP)

    def _terminate(self, *_: object) -> None:
        self._terminated = True

    def run(self) -> None:
        """Until the end of the take."""
        self._try(self._open)
        filled_at = time.monotonic()
        while True:
            closed = self._ring.closed  # before reading: nothing comes after it
            count = self._ring.read(self._chunk)
            if count:
                filled_at = time.monotonic()
                self._take(self._chunk[:count])
            elif closed or (self._abandoned() and time.monotonic() - filled_at > GRACE_S):
                break
            if count < len(self._chunk):
                time.sleep(POLL_S)
        if self._writer is not None:
            self._writer.close()
            self._publish("finished", "")

    def _abandoned(self) -> bool:
        return self._terminated or bool(self._poll.poll(0))

    def _open(self) -> None:
        self._writer = TakeWriter(self._plan, self._ring.channels // len(self._plan.names))
        self._publish("recording", "")

    def _take(self, frames: NDArray[np.float32]) -> None:
        skip = min(self._skip, len(frames))
        self._skip -= skip
        if self._writer is not None and len(frames) > skip:
            writer = self._writer
            self._try(lambda: writer.write(frames[skip:]))
        if self._writer is not None:
            self._publish("recording", "")

    def _try(self, action: Callable[[], None]) -> None:
        """After a failure the ring is still emptied, so that the engine never waits; nothing more
        is written.
        """
        try:
            action()
        except OSError as error:
            writer, self._writer = self._writer, None
            if writer is not None:
                writer.close()
            self._frames_at_failure = writer.frames if writer is not None else 0
            self._publish(
                "failed", f"recording to {self._plan.folder} stopped: {reason(error)}; {remedy(error)}"
            )

    def _publish(self, state: str, error: str) -> None:
        frames = self._writer.frames if self._writer is not None else self._frames_at_failure
        self._block.write({"record_state": state, "record_frames": frames, "error": error})


def main() -> int:
    """Entry of the recorder process: argv holds the descriptors of its status and of the ring."""
    block = Block(SharedMemory(int(sys.argv[1])))
    ring = _core.SampleRing.attach(SharedMemory(int(sys.argv[2])).memory)
    Recorder(RecordPlan.from_json(sys.stdin.readline()), ring, block).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A show without an engine: hops whose samples tell their frames, through the real feed into a recorder."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from rtsep.rt.takes import take_feed
from rtsep.rt.takes.record_plan import RecordPlan
from rtsep.rt.takes.take_feed import TakeFeed
from rtsep.rt.takes.take_log import TakeLog
from rtsep.rt.takes.take_memory import TakeMemory

NAMES = ["input", "voice-1", "residual"]
RATE, HOP, DELAY = 8000, 64, 100  # no whole number of hops: a seam lies within a record
STEPS = 1 << 23  # of 24 bit: every sample below is exact in FLAC too
SIGNS = (1, -1, 2)  # input, stems
PLAN = RecordPlan(NAMES, RATE, HOP, 1)


def samples(first: int, frames: int) -> NDArray[np.float32]:
    """float32 [frames, names]: what the show plays at these frames. Never zero."""
    numbers = np.arange(first + 1, first + frames + 1, dtype=np.float64)
    return (numbers[:, None] / STEPS * SIGNS).astype(np.float32)


@dataclass
class FakeDevice:
    """What the feed asks of the device callback."""

    position: int = 0
    xruns: int = 0
    late_hops: int = 0
    fallback_samples: int = 0


class Show:
    """Runs hops. `lost` holds the frames that the ring did not take, by the feed's own count of hops."""

    def __init__(self, memory: TakeMemory) -> None:
        self.memory = memory
        self.lost: set[int] = set()
        self._waiting = np.zeros((DELAY + HOP, 3), np.float32)
        self._frames_waiting = np.full(DELAY + HOP, -1)
        self.engine()

    def engine(self, going_on: bool = False) -> None:
        """A new hop loop, on the old device or a new one; `going_on` with the state of the one before."""
        state = self.feed.state() if going_on else None
        self.device = FakeDevice()
        self.feed = TakeFeed(self.memory, 2, HOP, 1, DELAY, RATE, self.device)  # type: ignore[arg-type]
        if state is not None:
            self.feed.restore(state)
        else:
            self._frames_waiting[:] = -1

    def play(self, hops: int, lost_frames: int = 0) -> None:
        """Hops of the show, each as soon as it is there."""
        for _ in range(hops):
            self.device.position += HOP
            first = self._next_frame()
            played = samples(first, HOP)
            self._push(played, np.arange(first, first + HOP))
            taken = self.feed.lost_frames
            self.feed.write(played[:, :1], self._stems(), lost_frames, skipped=False)
            self._count(taken)

    def _count(self, taken: int) -> None:
        if self.feed.lost_frames > taken:
            self.lost |= set(self._frames_waiting[:HOP].tolist()) - {-1}

    def _next_frame(self) -> int:
        """Where the feed will put the next hop. It asks for the time once, at an engine's first hop: this is
        that moment.
        """
        if self.feed._next is not None:
            return self.feed._next
        self.feed._base = self.feed._next = self.feed._first_frame(
            self.device.position, take_feed.time.monotonic()
        )
        return self.feed._next

    def end(self) -> None:
        """The show ends in order."""
        for _ in range(-(-DELAY // HOP)):
            self._push(np.zeros((HOP, 3), np.float32), np.full(HOP, -1))
            taken = self.feed.lost_frames
            self.feed.write_rest(self._stems())
            self._count(taken)
        self.feed.finish()

    def _push(self, rows: NDArray[np.float32], frames: NDArray[np.int64]) -> None:
        self._waiting = np.concatenate([self._waiting[HOP:], rows])
        self._frames_waiting = np.concatenate([self._frames_waiting[HOP:], frames])

    def _stems(self) -> NDArray[np.float32]:
        return np.ascontiguousarray(self._waiting[:HOP, 1:].T[:, :, None])


def read_take(folder: Path, log: TakeLog | None = None) -> NDArray[np.float32]:
    """float32 [frames, names]: the files of all parts, end to end."""
    log = log or TakeLog.load(folder)
    parts = [
        np.stack(
            [
                soundfile.read(folder / part["folder"] / f"{name}.{log.suffix}", dtype="float32")[0]
                for name in NAMES
            ],
            axis=1,
        )
        for part in log.parts
    ]
    return np.concatenate(parts)


def check_take(folder: Path) -> TakeLog:
    """Every frame is what was played, or silence where the log lists a hole; and the files are as long as the
    log says.
    """
    log = TakeLog.load(folder)
    take = read_take(folder, log)
    assert len(take) == log.frames
    starts = [part["first_frame"] for part in log.parts] + [log.frames]
    assert [part["frames"] for part in log.parts] == np.diff(starts).tolist()
    expected = samples(log.first_frame, log.frames)
    for hole in log.holes:
        expected[hole["first_frame"] : hole["first_frame"] + hole["frames"]] = 0
    np.testing.assert_array_equal(take, expected)
    return log


def holes(log: TakeLog) -> list[tuple[int, int, str]]:
    """First frame, frames and reason."""
    return [(hole["first_frame"], hole["frames"], hole["reason"]) for hole in log.holes]


def in_holes(log: TakeLog) -> set[int]:
    """Frames of all holes."""
    return {hole["first_frame"] + i for hole in log.holes for i in range(hole["frames"])}

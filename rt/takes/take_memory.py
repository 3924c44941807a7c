"""What the engine and the recorder share: a ring of hops, and the clock of the show."""

import math
import time
from mmap import mmap

import numpy as np

from rtsep.kernels import _core
from rtsep.rt.process.shared_memory import SharedMemory

RING_FRAMES = 1 << 18  # 5 s at 48 kHz: a disk may pause for so long
ALIGNMENT = 64  # of a ring and of a snapshot
CLOCK_VALUES = 5
# Two snapshots, written in turn: a writer that is killed in the middle of one leaves the other.
CLOCK_SLOTS = 2
SLOT_BYTES = -(-_core.ValueSnapshot.bytes_needed(CLOCK_VALUES) // ALIGNMENT) * ALIGNMENT
CLOCK_BYTES = CLOCK_SLOTS * SLOT_BYTES


class TakeClock:
    """The show's frame at a moment, and where the show has ended.

    A frame of the show is counted by the device while it runs. While device or engine are away, wall clock
    counts: the next engine begins where the show would be now. One process writes at a time: the engine, and
    the session once the engine has ended.

    Args:
        memory: of `CLOCK_BYTES`, as `TakeMemory` lays it out.

    Attributes:
        ended_away: after `read`: the show has ended without the engine, so its last frames never came.
    """

    def __init__(self, memory: memoryview) -> None:
        self._slots = [
            _core.ValueSnapshot.attach(memory[i * SLOT_BYTES : (i + 1) * SLOT_BYTES])
            for i in range(CLOCK_SLOTS)
        ]
        self._found = np.zeros((CLOCK_SLOTS, CLOCK_VALUES))
        self._out = np.zeros(CLOCK_VALUES)
        self._turn = 0
        self._serial = 0
        self.ended_away = False

    def tick(self, frame: int, now_s: float) -> None:
        """At `now_s` (of `time.monotonic`) the device was at `frame`."""
        self._write(frame, now_s, -1.0, False)

    def finish(self, end_frame: int, away: bool = False) -> None:
        """The show has ended: no frame from `end_frame` on will come. `away`: the engine does not say so."""
        frame, at_s, end = self.read()
        if end is None:
            self._write(frame, at_s, end_frame, away)

    def read(self) -> tuple[int, float, int | None]:
        """Frame, its moment (of `time.monotonic`, NaN before the first), and the end, None before it."""
        for slot, found in zip(self._slots, self._found, strict=True):
            slot.poll(found)
        serial, frame, at_s, end, away = max(self._found.tolist())
        self.ended_away = bool(away)
        self._serial = max(self._serial, round(serial))
        if not serial:
            return 0, math.nan, None
        return round(frame), at_s, None if end < 0 else round(end)

    def frame_at(self, samplerate: float, now_s: float | None = None) -> int:
        """Where the show is at `now_s`, now unless given; its end once it has ended."""
        frame, at_s, end = self.read()
        if end is not None:
            return end
        if math.isnan(at_s):
            return 0
        now_s = time.monotonic() if now_s is None else now_s
        return frame + max(0, round((now_s - at_s) * samplerate))

    def _write(self, frame: float, at_s: float, end: float, away: bool) -> None:
        self._serial += 1
        self._out[:] = self._serial, frame, at_s, end, away
        self._slots[self._turn].write(self._out)
        self._turn = 1 - self._turn


class TakeMemory:
    """Ring and clock in one shared memory; engine, recorder and session each make one of the same memory.

    Attributes:
        shared: the memory.
        clock: of the show.
        ring: hops as `hop_record` lays them out.
    """

    def __init__(self, shared: SharedMemory) -> None:
        self.shared = shared
        view = memoryview(shared.memory)
        self.clock = TakeClock(view[:CLOCK_BYTES])
        self.ring = _core.SampleRing.attach(view[CLOCK_BYTES:])

    @classmethod
    def create(cls, width: int, ring_frames: int = RING_FRAMES) -> "TakeMemory":
        """New memory.

        Args:
            width: samples of a frame: of the input and all stems, every channel.
            ring_frames: a power of two.
        """
        shared = SharedMemory.create(CLOCK_BYTES + _core.SampleRing.bytes_needed(ring_frames, width))
        lay_out(shared.memory, width, ring_frames)
        return cls(shared)


def lay_out(memory: mmap, width: int, ring_frames: int) -> None:
    """An empty ring, and a clock that has not begun."""
    view = memoryview(memory)
    for i in range(CLOCK_SLOTS):
        _core.ValueSnapshot(CLOCK_VALUES, view[i * SLOT_BYTES : (i + 1) * SLOT_BYTES])
    _core.SampleRing(ring_frames, width, view[CLOCK_BYTES:])

"""Pitches on their way out of a running engine: a ring in shared memory, one row a hop.

It lies behind the parameters, in the memory that the engine has anyway. The engine never waits for a reader:
a row that finds no room is left out, and later ones bear their own times.
"""

import time
from mmap import mmap

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.kernels.assignments import MAX_VOICES
from rtsep.models.voice_report import VoiceReport
from rtsep.rt.pitches.pitch_hop import PitchHop
from rtsep.rt.process.shared_memory import SharedMemory

ROWS = 16384  # a power of two: 44 s at the shortest hop
ALIGNMENT = 64  # of a ring
TIME_FLOATS = 2  # a time is float64
HEAD = TIME_FLOATS + 1  # and how many voices the row has
KINDS = 3  # f0_hz, followed_hz, level_db


def _offset(first_bytes: int) -> int:
    return -(-first_bytes // ALIGNMENT) * ALIGNMENT


def make_memory(first_bytes: int, voices: int) -> SharedMemory:
    """Shared memory of `first_bytes` for something else, and a ring behind them; none for 0 voices. There is
    room for as many as a session can be changed to.
    """
    if not voices:
        return SharedMemory.create(first_bytes)
    at, width = _offset(first_bytes), HEAD + KINDS * max(voices, MAX_VOICES)
    shared = SharedMemory.create(at + ALIGNMENT + _core.SampleRing.bytes_needed(ROWS, width))
    _core.SampleRing(ROWS, width, memoryview(shared.memory)[at + ALIGNMENT :])
    return shared


class PitchFeed:
    """The engine's end.

    Args:
        memory: of `make_memory`.
        first_bytes: as there.
        hop_s: a hop's time.
        delay_s: how long before the end of a hop the time of its pitches lies, see `Preset.pitch_delay_s`.
    """

    def __init__(self, memory: mmap, first_bytes: int, hop_s: float, delay_s: float) -> None:
        at = _offset(first_bytes)
        view = memoryview(memory)
        self._origin_s = np.frombuffer(view[at : at + 8], np.float64)  # of `time.monotonic`, 0 before sound
        self._ring = _core.SampleRing.attach(view[at + ALIGNMENT :])
        self._row = np.zeros((1, self._ring.channels), np.float32)
        self._values = self._row[0, HEAD:].reshape(KINDS, -1)
        self._time = self._row[0, :TIME_FLOATS].view(np.float64)
        self._hop_s, self._delay_s = hop_s, delay_s
        self._base_s = 0.0
        self._next = -1

    @classmethod
    def of(cls, memory: mmap, first_bytes: int, hop_s: float, delay_s: float) -> "PitchFeed | None":
        """None where there is no ring behind the first bytes."""
        return cls(memory, first_bytes, hop_s, delay_s) if len(memory) > first_bytes else None

    def go_over(self, hop_s: float, delay_s: float, origin_s: float) -> None:
        """The next hops are another engine's, whose hops count from `origin_s` of the one before it."""
        self._hop_s, self._delay_s = hop_s, delay_s
        if self._next >= 0:
            self._base_s += origin_s
            self._next = 0

    def write(self, hop_index: int, voices: VoiceReport) -> None:
        """The pitches of a hop that has been separated; hops count from 0 where sound began (anew)."""
        end_s = (hop_index + 1) * self._hop_s
        if self._next < 0 or hop_index < self._next:  # the first, or sound began anew: the clock says when
            now_s = time.monotonic()
            if self._origin_s[0] == 0:
                self._origin_s[0] = now_s - end_s
            self._base_s = now_s - end_s - self._origin_s[0]
        self._next = hop_index + 1
        self._time[0] = self._base_s + end_s - self._delay_s
        count = min(voices.f0_hz.size, self._values.shape[1])
        self._row[0, TIME_FLOATS] = count
        told = voices.f0_hz, voices.followed_hz, voices.level_db
        for row, values in zip(self._values, told, strict=True):
            row[:count] = values[:count]
        self._ring.write(self._row)


class PitchReader:
    """The other end, in one process at a time.

    Args:
        memory, first_bytes: as of `PitchFeed`.
    """

    def __init__(self, memory: mmap, first_bytes: int) -> None:
        self._ring = _core.SampleRing.attach(memoryview(memory)[_offset(first_bytes) + ALIGNMENT :])
        self._rows = np.zeros((256, self._ring.channels), np.float32)

    def read(self) -> list[PitchHop]:
        """All hops that have come since the last call, 256 at most."""
        count = self._ring.read(self._rows[: min(len(self._rows), self._ring.available)])
        rows: NDArray[np.float32] = self._rows[:count]
        times_s = np.ascontiguousarray(rows[:, :TIME_FLOATS]).view(np.float64)[:, 0]
        values = rows[:, HEAD:].reshape(count, KINDS, (rows.shape[1] - HEAD) // KINDS).copy()
        told = zip(times_s, rows[:, TIME_FLOATS].astype(int), values, strict=True)
        return [PitchHop(float(t), v[0, :n], v[1, :n], v[2, :n]) for t, n, v in told]

"""What the processes around a change of engines share: who orders it, who loads it, who plays it.

An order goes from the session to `engine_watch`, which starts the second process, and to the hop loop, which
takes its stems. Two slots, as the engine that plays now may be a second process itself.
"""

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.models.voice_report import VoiceReport
from rtsep.rt.live.engines.remote_guide import PLACE_VALUES, SENT_VALUES
from rtsep.rt.process.block import BLOCK_BYTES, Block
from rtsep.rt.process.shared_memory import SharedMemory

SLOTS = 2
CHANGING = ("loading", "warming")  # states of a change that is under way
MAX_STEMS = 64
# what the hop loop tells with a hop: the last hop to skip, which stems are heard, where the follower is sent
SENT_AT = 1 + MAX_STEMS
TOLD_VALUES = SENT_AT + SENT_VALUES
# what the second process tells: the arrays of `VoiceReport`, one after the other, and its place in a score
REPORTED = ("f0_hz", "followed_hz", "level_db", "merged")
PLACE_AT = len(REPORTED) * MAX_STEMS
REPORT_VALUES = PLACE_AT + PLACE_VALUES
PAGE = 65536  # a multiple of every page size
SNAPSHOT_BYTES = PAGE
# Hops of a second process at 192 kHz and 43 ms, eight channels of 20 stems; untouched pages cost nothing.
EXCHANGE_BYTES = 64 << 20
SLOT_BYTES = BLOCK_BYTES + 2 * SNAPSHOT_BYTES + EXCHANGE_BYTES


class EngineSlot:
    """Where the hop loop and one second process meet.

    Attributes:
        facts: what the second process says of itself; `engine_watch` says "loading" before it.
        exchange: memory for a `_core.HopExchange`, which the second process lays out.
    """

    def __init__(self, fd: int, offset: int) -> None:
        self.facts = Block(SharedMemory(fd, offset, BLOCK_BYTES))
        offset += BLOCK_BYTES
        self._told = SharedMemory(fd, offset, SNAPSHOT_BYTES).memory
        self._report = SharedMemory(fd, offset + SNAPSHOT_BYTES, SNAPSHOT_BYTES).memory
        self.exchange = SharedMemory(fd, offset + 2 * SNAPSHOT_BYTES, EXCHANGE_BYTES).memory

    def lay_out(self) -> tuple[_core.ValueSnapshot, _core.ValueSnapshot]:
        """By the second process: what it is told, and what it reports."""
        told = _core.ValueSnapshot(TOLD_VALUES, self._told)
        return told, _core.ValueSnapshot(REPORT_VALUES, self._report)

    def attach(self) -> tuple[_core.ValueSnapshot, _core.ValueSnapshot]:
        """By the hop loop, once the second process is ready."""
        return _core.ValueSnapshot.attach(self._told), _core.ValueSnapshot.attach(self._report)


class EngineMemory:
    """One memory for a session.

    Attributes:
        shared: the memory.
        orders: the last order (`changing`), empty before the first.
        slots: of second processes.
    """

    def __init__(self, shared: SharedMemory) -> None:
        self.shared = shared
        self.orders = Block(SharedMemory(shared.fd, 0, BLOCK_BYTES))
        self.slots = [EngineSlot(shared.fd, BLOCK_BYTES + i * SLOT_BYTES) for i in range(SLOTS)]

    @classmethod
    def create(cls) -> "EngineMemory":
        """New memory, without an order."""
        return cls(SharedMemory.create(BLOCK_BYTES + SLOTS * SLOT_BYTES))


def write_report(report: VoiceReport, values: NDArray[np.float64]) -> None:
    """Voices into float64 [REPORT_VALUES], in the order of `report.stems`."""
    count = len(report.stems)
    for row, name in enumerate(REPORTED):
        values[row * MAX_STEMS : row * MAX_STEMS + count] = getattr(report, name)


def read_report(stems: tuple[str, ...], values: NDArray[np.float64]) -> VoiceReport:
    """Back from `write_report`; `stems` are those that have a pitch."""
    rows = values[:PLACE_AT].reshape(-1, MAX_STEMS)[:, : len(stems)].astype(np.float32)
    return VoiceReport(stems, rows[0], rows[1], rows[2], rows[3] != 0)

"""A snapshot in shared memory that one process writes and any other may read without waiting."""

import json
import struct
import zlib
from typing import Any, Self

from rtsep.rt.process.shared_memory import SharedMemory

# sequence number and checksum of the snapshot, its length, and the last sequence number a reader has seen
HEADER = struct.Struct("<QIIQ")
SEEN = struct.Struct("<Q")
SEEN_OFFSET = HEADER.size - SEEN.size
BLOCK_BYTES = 65536  # hundreds of connections of a JACK graph fit
READ_ATTEMPTS = (
    1000  # a writer is done in microseconds, so this many torn reads mean that it died while writing
)


class Block:
    """A shared snapshot: one writer, any number of readers, no locks.

    The writer replaces the bytes and their checksum; a reader that meets the two apart reads again.
    """

    def __init__(self, shared: SharedMemory) -> None:
        self.shared = shared
        self._sequence: int = HEADER.unpack_from(shared.memory)[0]  # a second writer goes on from the first

    @classmethod
    def create(cls) -> Self:
        """An empty block."""
        return cls(SharedMemory.create(BLOCK_BYTES))

    def write(self, values: dict[str, Any]) -> int:
        """Publishes `values` (JSON types); returns the snapshot's sequence number."""
        payload = json.dumps(values, separators=(",", ":"), allow_nan=False).encode()
        if HEADER.size + len(payload) > BLOCK_BYTES:
            raise ValueError(f"status of {len(payload)} bytes does not fit into {BLOCK_BYTES}")
        self._sequence += 1
        memory = self.shared.memory
        memory[HEADER.size : HEADER.size + len(payload)] = payload
        memory[:SEEN_OFFSET] = HEADER.pack(self._sequence, zlib.crc32(payload), len(payload), 0)[:SEEN_OFFSET]
        return self._sequence

    def read(self) -> dict[str, Any]:
        """The newest snapshot, empty before the first; tells the writer that it has been seen."""
        return self._snapshot(mark_seen=True)

    def peek(self) -> dict[str, Any]:
        """`read` without telling."""
        return self._snapshot(mark_seen=False)

    def _snapshot(self, *, mark_seen: bool) -> dict[str, Any]:
        memory = self.shared.memory
        for _ in range(READ_ATTEMPTS):
            sequence, checksum, length, _ = HEADER.unpack_from(memory)
            payload = memory[HEADER.size : HEADER.size + length]
            if sequence == 0:
                return {}
            if zlib.crc32(payload) == checksum:
                if mark_seen:
                    memory[SEEN_OFFSET : HEADER.size] = SEEN.pack(sequence)
                return dict(json.loads(payload))
        return {}

    @property
    def seen(self) -> int:
        """Sequence number of the last snapshot that was read."""
        return int(SEEN.unpack_from(self.shared.memory, SEEN_OFFSET)[0])

    @property
    def sequence(self) -> int:
        """Sequence number of the last snapshot written by this object."""
        return self._sequence

    @property
    def written(self) -> int:
        """Sequence number of the last snapshot in the memory, whoever wrote it."""
        return int(HEADER.unpack_from(self.shared.memory)[0])

    def resume(self) -> None:
        """Goes on from what another writer, that is no more, wrote meanwhile."""
        self._sequence = self.written

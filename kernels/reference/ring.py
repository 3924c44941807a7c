"""NumPy reference of kernels/src/ring.cpp: the same positions and copies, for one thread, over memory of its
own.
"""

import numpy as np
from numpy.typing import NDArray


class SampleRing:
    """Ring of float32 frames between one producer and one consumer.

    Args:
        capacity_frames: a power of two.
        channels: samples per frame.
        start_position: absolute frame number of the first frame.
    """

    def __init__(self, capacity_frames: int, channels: int, start_position: int = 0) -> None:
        self._samples = np.zeros((capacity_frames, channels), np.float32)
        self.capacity_frames, self.channels = capacity_frames, channels
        self.write_position = self.read_position = start_position
        self.closed = False

    @property
    def available(self) -> int:
        """Frames to read."""
        return self.write_position - self.read_position

    @property
    def space(self) -> int:
        """Frames that fit."""
        return self.capacity_frames - self.available

    def close(self) -> None:
        """Tells the consumer that nothing more will come."""
        self.closed = True

    def _indices(self, position: int, count: int) -> NDArray[np.int64]:
        return (position % self.capacity_frames + np.arange(count)) % self.capacity_frames

    def write(self, block: NDArray[np.float32]) -> int:
        """Appends as many frames of `block` [frames, channels] as fit; returns how many."""
        count = min(len(block), self.space)
        self._samples[self._indices(self.write_position, count)] = block[:count]
        self.write_position += count
        return count

    def read(self, out: NDArray[np.float32]) -> int:
        """Takes up to len(out) frames into `out` [frames, channels]; returns how many."""
        count = min(len(out), self.available)
        out[:count] = self._samples[self._indices(self.read_position, count)]
        self.read_position += count
        return count

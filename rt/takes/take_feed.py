"""From the hop loop to the recorder: a frame of the input and of every stem, all of one age."""

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels import _core


class TakeFeed:
    """Writes every hop into the recorder's ring, and counts what the ring could not take.

    Args:
        ring: read by the recorder; frames of [input, stem 1, ..., residual].
        stems, hop, channels: of what the model gives.
        delay_samples: how much older the stems are than the input of the same hop.

    Attributes:
        lost_frames: frames that did not fit.
    """

    def __init__(
        self, ring: _core.SampleRing, stems: int, hop: int, channels: int, delay_samples: int
    ) -> None:
        self._ring = ring
        self._frame = np.zeros((hop, (stems + 1) * channels), np.float32)
        self._aligned = np.zeros((delay_samples + hop, channels), np.float32)
        self.lost_frames = 0

    @property
    def aligned(self) -> NDArray[np.float32]:
        """The input that waits for its stems, float32 [delay + hop, channels].

        Set when a hop loop goes on where another one stopped.
        """
        return self._aligned

    def write(self, hop: NDArray[np.float32], stems: NDArray[np.float32]) -> None:
        """A hop of the input, float32 [hop, channels], and of the stems, float32 [stems, hop, channels]."""
        frames, channels = hop.shape
        self._aligned[:-frames] = self._aligned[frames:]
        self._aligned[-frames:] = hop
        self._frame[:, :channels] = self._aligned[:frames]
        of_stems: NDArray[np.float32] = self._frame[:, channels:].reshape(frames, -1, channels)  # a view
        of_stems[...] = stems.transpose(1, 0, 2)
        if self._ring.space >= frames:
            self._ring.write(self._frame)
        else:
            self.lost_frames += frames

    def close(self) -> None:
        """Nothing comes after this."""
        self._ring.close()

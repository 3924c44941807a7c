"""How long a disk will last."""

import os
from pathlib import Path

LOW_S = 300.0  # warned below: the time to find another disk
# Kept free: what a file system needs to complete files and `take.json`, and what others write meanwhile.
RESERVE_S, RESERVE_BYTES = 2.0, 1 << 20
RESUME_S = 10.0  # a disk on which so much can be written again is no longer full


class DiskSpace:
    """Free space in terms of recorded time.

    Args:
        folder: on the disk.
        bytes_per_s: of all files at most.
    """

    def __init__(self, folder: Path, bytes_per_s: float) -> None:
        self._folder = folder
        self._largest = self._bytes_per_s = bytes_per_s

    def measured(self, bytes_per_s: float) -> None:
        """What has been written took this. Silence takes little, and music is to come: not less than half."""
        self._bytes_per_s = min(self._largest, max(bytes_per_s, self._largest / 2))

    def left_s(self) -> float | None:
        """Seconds until the disk is full, None where the system does not say."""
        try:
            found = os.statvfs(self._folder)
        except OSError:
            return None
        free = found.f_bavail * found.f_frsize
        return (free - RESERVE_BYTES) / self._bytes_per_s - RESERVE_S

    def is_full(self, seconds: float = 0.0) -> bool:
        """Whether less than `seconds` can be written."""
        left = self.left_s()
        return left is not None and left < seconds

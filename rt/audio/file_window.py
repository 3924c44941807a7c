"""A stretch of a file as a file of its own, with some bytes replaced: so libsndfile is shown what is there."""

import os
from collections.abc import Mapping


class FileWindow:
    """Bytes `start` to `end` of a descriptor, as a file that can be read and searched.

    Args:
        descriptor: stays open and keeps its own position.
        start, end: bytes.
        patches: position in the window -> bytes to show there instead of the file's.
    """

    def __init__(
        self, descriptor: int, start: int, end: int, patches: Mapping[int, bytes] | None = None
    ) -> None:
        self._descriptor = descriptor
        self._start, self._size = start, end - start
        self._patches = dict(patches or {})
        self._position = 0
        self.error: OSError | None = None

    def read(self, count: int = -1) -> bytes:
        """Up to `count` bytes. An error of the system ends the file and is kept in `error`: libsndfile, which
        calls this, has no way to pass an exception on.
        """
        left = max(0, self._size - self._position)
        count = left if count < 0 else min(count, left)
        try:
            data = os.pread(self._descriptor, count, self._start + self._position)
        except OSError as error:
            self.error = error
            return b""
        for position, patch in self._patches.items():
            for i, byte in enumerate(patch):
                at = position + i - self._position
                if 0 <= at < len(data):
                    data = data[:at] + bytes([byte]) + data[at + 1 :]
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves to a byte of the window and returns its number."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """Number of the next byte."""
        return self._position

"""A stretch of a file behind a header of our own, as one file: libsndfile is shown what is there."""

import os


class FileWindow:
    """`header`, then bytes `start` to `end` of a descriptor, as a file that can be read and searched.

    Args:
        descriptor: stays open and keeps its own position.
        start, end: bytes.
        header: shown before them.
    """

    def __init__(self, descriptor: int, start: int, end: int, header: bytes = b"") -> None:
        self._descriptor = descriptor
        self._start, self._header = start, header
        self._size = len(header) + end - start
        self._position = 0
        self.error: OSError | None = None

    def read(self, count: int = -1) -> bytes:
        """Up to `count` bytes. An error of the system ends the file and is kept in `error`: libsndfile, which
        calls this, has no way to pass an exception on.
        """
        left = max(0, self._size - self._position)
        count = left if count < 0 else min(count, left)
        data = self._header[self._position : self._position + count]
        behind = self._position + len(data) - len(self._header)
        try:
            if count > len(data):
                data += os.pread(self._descriptor, count - len(data), self._start + behind)
        except OSError as error:
            self.error = error
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

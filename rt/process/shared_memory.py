"""Memory shared between rtsep's processes, without a name: nothing is left behind however a process ends."""

import fcntl
import mmap
import os
import tempfile

LAST_STANDARD_FD = 2  # standard error


class SharedMemory:
    """An anonymous file mapped into this process; children map the same memory through the inherited
    descriptor.

    Args:
        fd: file descriptor.
        offset: where the mapping begins, a multiple of the page size; size: its bytes, to the file's end
            where left out.
    """

    def __init__(self, fd: int, offset: int = 0, size: int | None = None) -> None:
        self.fd = fd
        self.memory = mmap.mmap(fd, os.fstat(fd).st_size - offset if size is None else size, offset=offset)

    @classmethod
    def create(cls, size: int) -> "SharedMemory":
        """New memory of `size` bytes, zeroed."""
        if hasattr(os, "memfd_create"):
            fd = os.memfd_create("rtsep")
        else:  # outside Linux: a file that has no name any more
            with tempfile.TemporaryFile() as file:
                fd = os.dup(file.fileno())
        if fd <= LAST_STANDARD_FD:  # one of them was closed: a child's own would take its place
            low, fd = fd, fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, LAST_STANDARD_FD + 1)
            os.close(low)
        os.ftruncate(fd, size)
        return cls(fd)

    def close(self) -> None:
        """Gives the descriptor back; the mapping goes with its last user."""
        os.close(self.fd)

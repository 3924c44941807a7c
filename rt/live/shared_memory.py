"""Memory shared between rtsep's processes, without a name: nothing is left behind however a process ends."""

import mmap
import os
import tempfile


class SharedMemory:
    """An anonymous file mapped into this process; children map the same memory through the inherited
    descriptor.

    Args:
        fd: file descriptor. The mapping has the file's size.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.memory = mmap.mmap(fd, os.fstat(fd).st_size)

    @classmethod
    def create(cls, size: int) -> "SharedMemory":
        """New memory of `size` bytes, zeroed."""
        if hasattr(os, "memfd_create"):
            fd = os.memfd_create("rtsep")
        else:  # outside Linux: a file that has no name any more
            with tempfile.TemporaryFile() as file:
                fd = os.dup(file.fileno())
        os.ftruncate(fd, size)
        return cls(fd)

    def close(self) -> None:
        """Gives the descriptor back; the mapping goes with its last user."""
        os.close(self.fd)

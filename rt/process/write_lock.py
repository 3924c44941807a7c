"""One writer at a time in memory that several processes and threads write: readers know nothing of it."""

import fcntl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rtsep.kernels.errors import RtsepError

# Whoever writes is done in microseconds; who holds the lock for so long has been stopped in the middle.
LONGEST_WAIT_S = 0.5
RETRY_S = 0.0005


class WriteLock:
    """A lock on the file behind shared memory. The system gives it back when its holder dies.

    A record lock (POSIX) belongs to a process: inherited descriptors exclude each other too. Threads of one
    process exclude each other by a lock of their own.

    Args:
        fd: descriptor of the memory, the same file in every process that writes.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._threads = threading.Lock()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Around a write.

        Raises:
            RtsepError: another process holds it and does not go on.
        """
        with self._threads:
            self._acquire()
            try:
                yield
            finally:
                fcntl.lockf(self._fd, fcntl.LOCK_UN)

    def _acquire(self) -> None:
        deadline = time.monotonic() + LONGEST_WAIT_S
        while True:
            try:
                fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except OSError as error:  # EACCES or EAGAIN: held
                if time.monotonic() > deadline:
                    raise RtsepError(
                        f"the parameters have been held by another process for {LONGEST_WAIT_S:g} s",
                        "continue the process that was stopped (kill -CONT), or end it",
                    ) from error
            time.sleep(RETRY_S)

"""Reading and writing descriptors that another program may have left non-blocking."""

import os
import select

from rtsep.kernels.errors import RtsepError
from rtsep.rt.audio.disk_errors import reason

# What a Linux pipe holds at most; a read returns less where less is there.
READ_BYTES = 65536


def write_whole(descriptor: int, data: bytes | memoryview) -> None:
    """Writes all of `data`, also where another program has left the descriptor non-blocking.

    Python's own text streams lose what does not fit when they are unbuffered.

    Raises:
        OSError: as the system says.
    """
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            wait_for(descriptor, select.POLLOUT)


def wait_for(descriptor: int, events: int) -> None:
    """Waits until a descriptor is ready for `select.POLLIN` or `POLLOUT`, or its other end is closed."""
    poll = select.poll()
    poll.register(descriptor, events)
    poll.poll()


def read_some(descriptor: int, name: str, count: int = READ_BYTES) -> bytes:
    """What is there at this moment, after waiting for something; nothing at the end.

    Raises:
        RtsepError: the system cannot read it.
    """
    while True:
        wait_for(descriptor, select.POLLIN)
        try:
            return os.read(descriptor, count)
        except BlockingIOError:  # somebody else who reads it was faster
            continue
        except OSError as error:
            raise RtsepError(
                f"reading {name} failed: {reason(error)}",
                "what came before is kept; check what sends the sound",
            ) from error

"""Reading and writing descriptors that another program may have left non-blocking."""

import os
import select


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

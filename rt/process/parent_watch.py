"""When a process of a session is to end: its parent asks, or is gone."""

import os
import select
import signal


class ParentWatch:
    """True once stdin closes, the parent is another one than at first, or SIGTERM came.

    SIGINT is the parent's to handle: a terminal sends it to the whole group.
    """

    def __init__(self) -> None:
        self._terminated = False
        self._parent = os.getppid()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._terminate)
        self._poll = select.poll()
        self._poll.register(0, select.POLLIN | select.POLLHUP)

    def _terminate(self, *_: object) -> None:
        self._terminated = True

    def __call__(self) -> bool:
        return self._terminated or bool(self._poll.poll(0)) or os.getppid() != self._parent

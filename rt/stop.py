"""Ctrl-C and `kill` end a run between two blocks, so that every file ends on the same frame."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Self

EXIT_BASE = 128  # shells report a death by signal s as 128 + s


class Stopped(BaseException):
    """The user ended the run. Not an `Exception`: no handler of errors may swallow it."""

    def __init__(self, signum: int) -> None:
        self.signum = signum
        super().__init__(signal.Signals(signum).name)

    @property
    def exit_code(self) -> int:
        """130 after Ctrl-C, 143 after `kill`."""
        return EXIT_BASE + self.signum


class StopSignals:
    """While entered, SIGINT and SIGTERM set `signum`; waiting for a slow source or sink ends with `Stopped`.

    A second signal raises wherever the run is: the way out when a disk or a driver hangs.
    """

    def __init__(self) -> None:
        self.signum = 0
        self._interruptible = self._held = False
        self._previous: dict[int, object] = {}

    def __enter__(self) -> Self:
        for signum in (signal.SIGINT, signal.SIGTERM):
            self._previous[signum] = signal.signal(signum, self._handle)
        return self

    def __exit__(self, *exc: object) -> None:
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)  # type: ignore[arg-type]  # what `signal` itself returned

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Around a call that may block for long and leaves nothing half done when it is cut."""
        self._interruptible = True
        try:
            self.check()
            yield
        finally:
            self._interruptible = False

    def hold(self) -> None:
        """From here on a signal is only remembered: files are being completed, which takes a moment."""
        self._held = True

    def check(self) -> None:
        """Raises `Stopped` if a signal came."""
        if self.signum:
            raise Stopped(self.signum)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        again = self.signum != 0
        self.signum = signum
        if not self._held and (self._interruptible or again):
            raise Stopped(signum)

"""Calls into an audio driver that may not return for as long as an audio server hangs.

Such a call is made in a thread of its own, so that a caller who waits for it can still be stopped. Python has
no way to end that thread: after `GaveUp` the process must leave the driver alone and end with `os._exit` or
`exec`.
"""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

POLL_S = 0.02

T = TypeVar("T")


class GaveUp(BaseException):
    """The call has not returned, and its caller has gone on."""


def call_driver(action: Callable[[], T], give_up: Callable[[], bool]) -> T:
    """What `action` returns or raises, unless `give_up` (asked fifty times a second) says so first.

    Raises:
        GaveUp: `action` still runs.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(action())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(POLL_S)
        if thread.is_alive() and give_up():
            raise GaveUp
    if errors:
        raise errors[0]
    return results[0]


def after(seconds: float) -> Callable[[], bool]:
    """For `give_up`: true once so many seconds have passed from now."""
    deadline = time.monotonic() + seconds
    return lambda: time.monotonic() > deadline

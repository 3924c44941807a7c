"""The interpreter of a process whose JACK callbacks are written in Python, kept from being late itself."""

import contextlib
import gc
import os
import sys
from collections.abc import Iterator

from rtsep.rt.process.scheduling import FIFO_PRIORITY

SWITCH_INTERVAL_S = 1e-4  # callbacks and the main thread share one interpreter lock: handed over at once


@contextlib.contextmanager
def prompt_interpreter() -> Iterator[None]:
    """For the thread that calls it, while others of the process run callbacks.

    A callback waits for the interpreter lock. Whoever holds it must not be kept from the processor by
    ordinary work: where permitted, the calling thread runs before that, but after rtsep's engine. Processes
    and threads that it starts do not. And nobody collects garbage meanwhile, which takes tens of
    milliseconds.
    """
    switch_interval_s, collects = sys.getswitchinterval(), gc.isenabled()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.disable()
    before = None
    if hasattr(os, "SCHED_RESET_ON_FORK"):
        with contextlib.suppress(OSError):
            found = os.sched_getscheduler(0), os.sched_getparam(0)
            own = os.sched_param(FIFO_PRIORITY - 1)
            os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, own)
            before = found
    try:
        yield
    finally:
        if before is not None:
            os.sched_setscheduler(0, *before)
        if collects:
            gc.enable()
        sys.setswitchinterval(switch_interval_s)

"""Asking the operating system for the processor before others, and for memory that stays."""

import contextlib
import ctypes
import gc
import os
import sys

# Above ordinary work, below the audio server's own threads (JACK's clients run at 5 to 10, its server above).
FIFO_PRIORITY = 4
REAL_TIME = "SCHED_FIFO"
NICENESS = -11
MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT = 1, 2, 4  # sys/mman.h; on fault: nothing is read in for its own sake


def raise_priority() -> str:
    """Real-time scheduling where permitted, else a better nice value; returns what was granted.

    For the calling thread and all it starts.
    """
    if hasattr(os, "sched_setscheduler"):
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(FIFO_PRIORITY))
            return f"{REAL_TIME} {FIFO_PRIORITY}"
        except OSError:
            pass
    try:
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
        return f"nice {NICENESS}"
    except OSError:
        return "normal"


def hurry(pid: int) -> None:
    """A better nice value, where permitted, for a process that has just been started and loads what it needs:
    on a machine with much other work that takes most of the time until there is sound again.
    """
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, NICENESS)


def no_hurry() -> None:
    """What `hurry` was for is done: the nice value of the parent again."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, os.getppid()))


def give_way(niceness: int) -> None:
    """For a process that shows something: it waits where processor time is short, and where the system knows
    batch work (Linux) its waking interrupts nobody.
    """
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, niceness)
    if hasattr(os, "SCHED_BATCH"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def may_run_realtime(priority: int) -> bool:
    """Whether this process would be given a real-time priority; it keeps the one it has."""
    if not hasattr(os, "sched_setscheduler"):
        return False
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
        os.sched_setscheduler(0, *before)
    except OSError:
        return False
    return True


def stop_collecting() -> None:
    """No garbage collection from here on: what is alive stays out of it, and cycles are not looked for."""
    gc.collect()
    gc.freeze()
    gc.disable()


def lock_memory() -> bool:
    """Keeps what this process has touched and will touch in memory (Linux); False where not permitted.

    A page reclaimed as idle comes back through a fault of up to milliseconds: half a hop.
    """
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0)

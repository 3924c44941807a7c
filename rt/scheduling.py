"""Asking the operating system to run the calling thread, and all it starts later, before others."""

import os

# Above ordinary work, below the audio server's own threads (JACK's clients run at 5 to 10, its server above).
FIFO_PRIORITY = 4
NICENESS = -11


def raise_priority() -> str:
    """Real-time scheduling where permitted, else a better nice value; returns what was granted."""
    if hasattr(os, "sched_setscheduler"):
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(FIFO_PRIORITY))
            return f"SCHED_FIFO {FIFO_PRIORITY}"
        except OSError:
            pass
    try:
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
        return f"nice {NICENESS}"
    except OSError:
        return "normal"

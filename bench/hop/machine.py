"""Facts about the machine, without which a time means nothing."""

import importlib.metadata
import os
import platform
import resource
import sys
from pathlib import Path
from typing import Any

import numpy as np

MEBIBYTE = 2**20


def machine_facts() -> dict[str, Any]:
    """CPU, system, versions, scheduling and load; None where the system does not tell."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "governor": _line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "rtsep": importlib.metadata.version("rtsep"),
        "load_average": list(os.getloadavg()),
    }


def scheduling() -> str:
    """How the operating system runs this process: class and priority, or nice value."""
    if hasattr(os, "sched_getscheduler"):
        names = {os.SCHED_FIFO: "SCHED_FIFO", os.SCHED_RR: "SCHED_RR"}
        policy = os.sched_getscheduler(0)
        if policy in names:
            return f"{names[policy]} {os.sched_getparam(0).sched_priority}"
    return f"nice {os.getpriority(os.PRIO_PROCESS, 0)}"


def resident_bytes() -> int:
    """Resident memory now (on systems without /proc: its peak so far)."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return peak_resident_bytes()
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak_resident_bytes() -> int:
    """Largest resident memory so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _line(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return None


def _cpu_model() -> str | None:
    for line in (_line("/proc/cpuinfo") or "").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or None

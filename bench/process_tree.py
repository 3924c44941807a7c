"""What the processes of a show use, by the module of rtsep that each runs (Linux)."""

import contextlib
import os
from collections import Counter
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
HOST = "host"
USER, SYSTEM = 11, 12  # fields of /proc/PID/stat behind the name, from 0: utime, stime


def modules(pid: int) -> dict[int, str]:
    """A process and all that it has started which run rtsep: "host", or the last part of a module's name."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            parents[int(entry.name)] = int(_fields(int(entry.name))[1])
    mine = {pid}
    while more := {child for child, parent in parents.items() if parent in mine} - mine:
        mine |= more
    found = {pid: HOST}
    for one in mine - {pid}:
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{one}/cmdline").read_text().split("\0")
            if module := next((word for word in words if word.startswith("rtsep.")), ""):
                found[one] = module.rpartition(".")[2]
    return found


def resident_kib(pid: int) -> dict[str, int]:
    """Memory by module; one of several processes of a module."""
    found = {}
    for one, module in modules(pid).items():
        with contextlib.suppress(OSError, StopIteration):
            lines = Path(f"/proc/{one}/status").read_text().splitlines()
            found[module] = int(next(line for line in lines if line.startswith("VmRSS:")).split()[1])
    return found


def processor_s(pid: int) -> "Counter[str]":
    """Seconds of processor time so far, by module."""
    found: Counter[str] = Counter()
    for one, module in modules(pid).items():
        with contextlib.suppress(OSError):
            fields = _fields(one)
            found[module] += (int(fields[USER]) + int(fields[SYSTEM])) / TICKS_PER_S  # type: ignore[assignment]
    return found


def _fields(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()

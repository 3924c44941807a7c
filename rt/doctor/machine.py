"""Processor, memory and the rights to have them at once."""

import os
import resource
from pathlib import Path

from rtsep.rt.doctor.finding import Finding
from rtsep.rt.process.rights import CONTAINER_REMEDY, in_container, rights_hint
from rtsep.rt.process.scheduling import FIFO_PRIORITY, REAL_TIME, may_run_realtime

WANTED_LOCKED_BYTES = 512 * 2**20  # an engine with its libraries maps 200 to 400 MB
LEAST_FREE_BYTES = 1 << 30
FAST_GOVERNORS = ("performance", "schedutil")  # the others lower the clock between two hops


def look_at_machine(root: Path = Path("/")) -> list[Finding]:
    """Findings about the machine.

    Args:
        root: where /proc and /sys are; another place in tests.
    """
    return [_priority(), _locked_memory(), *_processor(root), *_memory(root)]


def _priority() -> Finding:
    if not hasattr(os, "sched_setscheduler"):
        return Finding("real-time priority", "note", "this system has none to give to a program")
    if not may_run_realtime(FIFO_PRIORITY):
        _, _, remedy = rights_hint().partition(": ")
        return Finding("real-time priority", "warning", "refused: other programs may delay the sound", remedy)
    return Finding("real-time priority", "ok", f"{REAL_TIME} {FIFO_PRIORITY} is granted")


def _locked_memory() -> Finding:
    _, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if os.geteuid() == 0 or hard == resource.RLIM_INFINITY or hard >= WANTED_LOCKED_BYTES:
        return Finding("locked memory", "ok", "the engine may keep its memory")
    remedy = (
        CONTAINER_REMEDY
        if in_container()
        else "write '@audio - memlock unlimited' into /etc/security/limits.d/audio.conf, join the group "
        "audio and log in again"
    )
    problem = f"at most {hard // 1024} kB: a page may be fetched in a hop"
    return Finding("locked memory", "warning", problem, remedy)


def _processor(root: Path) -> list[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found = [
        Finding("processor", "ok", f"{cores} cores")
        if cores > 1
        else Finding(
            "processor", "warning", "one core for the engine and all else", "use a machine with two or more"
        )
    ]
    governors = {
        text
        for file in sorted((root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor"))
        if (text := _text(file))
    }
    slow = sorted(governors - set(FAST_GOVERNORS))
    if slow:
        found.append(
            Finding("clock", "warning", f"governor {', '.join(slow)}: the clock sinks between hops",
                    "sudo cpupower frequency-set -g performance")
        )  # fmt: skip
    elif governors:
        found.append(Finding("clock", "ok", f"governor {', '.join(sorted(governors))}"))
    else:
        found.append(Finding("clock", "note", "the system does not tell its governor"))
    load = os.getloadavg()[0]
    if load > cores:
        found.append(
            Finding(
                "load",
                "warning",
                f"{load:.1f} programs want {cores} cores",
                "end what is not needed: see top",
            )
        )
    return found


def _memory(root: Path) -> list[Finding]:
    lines = (_text(root / "proc/meminfo") or "").splitlines()
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines if len(line.split()) > 1}
    if "MemAvailable" not in kilobytes:
        return []
    free = 1024 * kilobytes["MemAvailable"]
    text = f"{free / 2**30:.1f} GiB free"
    if free < LEAST_FREE_BYTES:
        return [Finding("memory", "warning", text, "end what is not needed: an engine takes 0.1 to 0.3 GiB")]
    return [Finding("memory", "ok", text)]


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None

"""What ran when a hop took too long: who used the processor, and what the kernel did to this process."""

import contextlib
import os
import resource
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

PERIOD_S = 0.1  # between looks: a burst that delays a hop lasts milliseconds to seconds
SHOWN = 8  # processes, the busiest first
TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Busy:
    """One process in the time around the hop: processor seconds, and the core it ran on last."""

    pid: int
    name: str
    cpu_s: float
    core: int


@dataclass(frozen=True)
class Look:
    """All processes at one moment."""

    at: float
    used: dict[int, tuple[str, float, int]]
    preempted: int
    page_faults: int
    major_faults: int


def look() -> Look:
    """Reads /proc; empty where there is none."""
    used = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # it has ended
        name, _, rest = text.partition("(")[2].rpartition(")")
        fields = rest.split()
        used[int(file.parent.name)] = (name, TICK_S * (int(fields[11]) + int(fields[12])), int(fields[36]))
    own = resource.getrusage(resource.RUSAGE_SELF)
    return Look(time.perf_counter(), used, own.ru_nivcsw, own.ru_minflt, own.ru_majflt)


class Trace:
    """Looks around ten times a second, in a thread, until it is stopped; keeps the last two looks.

    A look costs a core about a millisecond: this is for finding what disturbs, not for times.
    """

    def __init__(self) -> None:
        self._over = threading.Event()
        self._looks: list[Look] = []
        self._last: Look | None = None

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """While this lasts."""
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _run(self) -> None:
        while True:
            self._looks = [*self._looks[-1:], look()]
            if self._over.wait(PERIOD_S):
                return

    def stop(self) -> None:
        """The hop has just ended."""
        self._last = look()
        self._over.set()

    def report(self, hop_index: int, response_us: float) -> dict[str, Any]:
        """JSON types: the hop, its response, and who used the processor from the look before it."""
        last = self._last or look()
        first = self._looks[0] if self._looks else last
        busy = [
            Busy(pid, name, round(cpu_s - first.used.get(pid, ("", cpu_s, 0))[1], 3), core)
            for pid, (name, cpu_s, core) in last.used.items()
        ]
        busy.sort(key=lambda b: -b.cpu_s)
        return {
            "hop": hop_index,
            "response_us": round(response_us, 1),
            "window_s": round(last.at - first.at, 3),
            "preempted": last.preempted - first.preempted,
            "page_faults": last.page_faults - first.page_faults,
            "major_page_faults": last.major_faults - first.major_faults,
            "busy": [asdict(b) for b in busy[:SHOWN] if b.cpu_s > 0],
        }


def trace_lines(broke: dict[str, Any]) -> list[str]:
    """A report for people."""
    lines = [
        f"hop {broke['hop']} took {broke['response_us']:.0f} us. In the {broke['window_s']:.2f} s before its "
        f"end this process was preempted {broke['preempted']} times, had {broke['page_faults']} page faults "
        f"({broke['major_page_faults']} from disk), and these used the processor:"
    ]
    lines += [f"{b['cpu_s']:8.2f} s  core {b['core']:<3} {b['pid']:>7}  {b['name']}" for b in broke["busy"]]
    return lines if broke["busy"] else [*lines, "         nobody longer than 10 ms"]

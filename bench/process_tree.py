"""What the processes of a show use, by the module of rtsep that each runs."""

import contextlib
from collections import Counter
from collections.abc import Iterator

import psutil

HOST = "host"


def modules(pid: int) -> dict[int, str]:
    """A process and all that it has started which run rtsep: "host", or the last part of a module's name."""
    return {process.pid: module for process, module in _processes(pid)}


def resident_kib(pid: int) -> dict[str, int]:
    """Memory by module; one of several processes of a module."""
    found = {}
    for process, module in _processes(pid):
        with contextlib.suppress(psutil.Error):
            found[module] = process.memory_info().rss // 1024
    return found


def processor_s(pid: int) -> "Counter[str]":
    """Seconds of processor time so far, by module."""
    found: Counter[str] = Counter()
    for process, module in _processes(pid):
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            found[module] += times.user + times.system
    return found


def _processes(pid: int) -> "Iterator[tuple[psutil.Process, str]]":
    """Each process with its module; what ends meanwhile is left out."""
    host = psutil.Process(pid)
    yield host, HOST
    for process in host.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if module := next((word for word in process.cmdline() if word.startswith("rtsep.")), ""):
                yield process, module.rpartition(".")[2]

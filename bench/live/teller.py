"""Processes beside the one that is measured: what works until its standard input closes, and tells then; what
only keeps a core busy.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rtsep.rt.python_process import environment, interpreter, module_command

BUSY = "import os\nos.sched_setaffinity(0, {{{core}}})\nwhile True: pass"


@contextmanager
def running(module: str, *arguments: str) -> Iterator[dict[str, Any]]:
    """Runs a module of rtsep; the dict gets the JSON object that it has printed when it has ended."""
    told: dict[str, Any] = {}
    process = subprocess.Popen(
        module_command(module, *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        yield told
    finally:
        out, _ = process.communicate("")
        told |= json.loads(out or "{}")


@contextmanager
def busy_core(core: int | None) -> Iterator[None]:
    """A process that never rests, on one core; none without."""
    if core is None:
        yield
        return
    process = subprocess.Popen([interpreter(), "-P", "-c", BUSY.format(core=core)], env=environment())
    try:
        yield
    finally:
        process.kill()
        process.wait()

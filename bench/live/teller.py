"""A process beside the one that is measured: it works until its standard input closes, and tells then."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rtsep.rt.python_process import environment, module_command


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

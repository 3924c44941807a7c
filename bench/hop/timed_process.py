"""Runs what is timed in a fresh, single-threaded process."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from rtsep.kernels.errors import RtsepError
from rtsep.rt.python_process import environment, module_command


def run_worker(settings: dict[str, Any], module: str = "rtsep.bench.hop.worker") -> dict[str, Any]:
    """What `python -m MODULE SETTINGS` prints, a JSON object.

    Raises:
        RtsepError: what the separator objects to.
    """
    arguments = settings | {"spawned_at": time.monotonic()}
    done = subprocess.run(
        module_command(module, json.dumps(arguments)),
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 2) or not done.stdout:
        raise RuntimeError(f"the timed process ended with code {done.returncode}")
    report: dict[str, Any] = json.loads(done.stdout)
    if "error" in report:
        raise RtsepError(*report["error"])
    return report


def answer(work: Callable[[Any], dict[str, Any]]) -> int:
    """The other side of `run_worker`: prints what `work` makes of the settings; the exit code."""
    try:
        print(json.dumps(work(json.loads(sys.argv[1])), allow_nan=False))
    except RtsepError as error:
        print(json.dumps({"error": [error.problem, error.remedy]}))
        return 2
    return 0

"""Waiting for an engine: until there is sound, or it says why there is none."""

import subprocess
import time
from collections.abc import Callable
from typing import IO, Any

from rtsep.kernels.errors import DeviceRefused, of_kind
from rtsep.rt.process.block import Block

START_TIMEOUT_S = 30.0  # a trained model may take seconds to load from a cold disk
POLL_S = 0.01


def await_running(engine: "subprocess.Popen[str]", status: Block, log_tail: Callable[[], str]) -> None:
    """Returns once the engine runs, or waits for a device that it had.

    Args:
        engine: its process.
        status: where it publishes.
        log_tail: what it printed last.

    Raises:
        RtsepError: what it was asked for cannot be had, as it says itself.
        DeviceRefused: no sound after `START_TIMEOUT_S`.
        RuntimeError: it ended without saying why.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        ended = engine.poll() is not None  # before reading: its last words are then there
        values = status.read()
        if "error" in values:
            raise of_kind(*values["error"])
        if values.get("state") in ("running", "device-lost"):
            return
        if ended:
            raise RuntimeError(f"the engine ended with code {engine.returncode}:\n{log_tail()}")
        if time.monotonic() > deadline:
            raise DeviceRefused(
                f"the engine did not start within {START_TIMEOUT_S:.0f} s", "try another device"
            )
        time.sleep(POLL_S)


def log_tail(log: IO[bytes] | None) -> str:
    """What the processes of a session printed last."""
    if log is None:
        return ""
    log.seek(0)
    return log.read()[-2000:].decode(errors="replace")


def note_death(
    engine: "subprocess.Popen[str] | None", values: dict[str, Any], tail: Callable[[], str]
) -> None:
    """An engine that has gone without saying so has failed: entered into the values of its status."""
    if engine is not None and engine.poll() is not None and values["state"] not in ("stopped", "failed"):
        words = " ".join(tail().strip().splitlines()[-1:])
        values["state"] = "failed"
        values["last_error"] = (
            f"the engine ended with code {engine.returncode} {words}; start the session again"
        )

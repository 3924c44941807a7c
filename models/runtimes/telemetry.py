"""Runtimes that report every run to their makers are kept from it: a stage's computer may be offline, and a
show must start no thread and write no file that the user has not asked for.

ONNX Runtime (1.32) reads `ORT_DISABLE_TELEMETRY` while it is imported; `rtsep/__init__.py` sets it, before
anything of rtsep can import it. OpenVINO has no such switch: it reports on import, and does without where
its reporting package is missing.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import onnxruntime

OPENVINO_REPORTER = "openvino_telemetry"


def silence_onnxruntime() -> None:
    """For a host that imported ONNX Runtime before rtsep, when the variable came too late: what was set up
    then stays, no more events are added. A user who sets the variable to 0 keeps the reports.
    """
    if os.environ.get("ORT_DISABLE_TELEMETRY") != "0":
        onnxruntime.disable_telemetry_events()


@contextmanager
def openvino_unreported() -> Iterator[None]:
    """Around the first import of OpenVINO: its reporting package cannot be found meanwhile."""
    found = sys.modules.get(OPENVINO_REPORTER)
    sys.modules[OPENVINO_REPORTER] = None  # type: ignore[assignment]  # documented: importing it fails
    try:
        yield
    finally:
        del sys.modules[OPENVINO_REPORTER]
        if found is not None:
            sys.modules[OPENVINO_REPORTER] = found

"""A recording as a job: separated in a process of its own on whatever machine runs it."""

import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rtsep.rt.python_process import environment, module_command

LOOK_S = 0.1
END_S = 10.0  # a process that is told to end completes its files first
PICTURE, TABLE = "pitches.png", "pitches.csv"


@dataclass(frozen=True)
class Job:
    """What a worker is given; paths are the same on every machine.

    Attributes:
        recording: the file.
        work: folder to make, for its stems.
        options: of the root command.
        pitches: write the picture and the table of its pitches too.
    """

    recording: str
    work: str
    options: tuple[str, ...]
    pitches: bool


@dataclass(frozen=True)
class Outcome:
    """What came of a job: the root command's JSON report, or why there are no stems."""

    report: dict[str, Any] = field(default_factory=dict)
    error: str = ""


STOP = threading.Event()  # of this process's jobs: they end, and leave no stems


def run_job(job: Job) -> Outcome:
    """Separates; never raises for what goes wrong with a recording or its process."""
    picture = str(Path(job.work, PICTURE)) if job.pitches else ""
    options = ["--input", job.recording, "--output", job.work, "--json", *job.options]
    if job.pitches:
        Path(job.work).mkdir(parents=True, exist_ok=True)
        options += ["--f0-out", str(Path(job.work, TABLE))]
    command = module_command("rtsep.rt.archive.one_recording", str(os.getpid()), picture, *options)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=said,
            env=environment(),
            process_group=0,  # a terminal's Ctrl-C reaches the batch alone, which then ends them in order
        )
        code = _wait(process, Path(job.work).parent)
        out.seek(0)
        said.seek(0)
        lines = said.read().decode(errors="replace").strip().splitlines()
        if code == 0:
            return Outcome(report=json.loads(out.read().decode().strip().splitlines()[-1]))
    return Outcome(error=_why(code, lines))


def _wait(process: "subprocess.Popen[bytes]", room: Path) -> int:
    """Its exit code; it is ended where the batch has stopped: here, or elsewhere, when its room is gone."""
    while (code := process.poll()) is None and not STOP.wait(LOOK_S) and room.exists():
        pass
    if code is not None:
        return code
    process.terminate()
    deadline = time.monotonic() + END_S
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(LOOK_S)
    process.kill()
    return process.wait()


def _why(code: int, lines: list[str]) -> str:
    said = next((line for line in reversed(lines) if line.startswith("rtsep: error: ")), "")
    if said:
        return said.removeprefix("rtsep: error: ")
    if code < 0:
        name = signal.Signals(-code).name
        more = "; it may have run out of memory, give fewer --jobs" if -code == signal.SIGKILL else ""
        return f"its process was ended by {name}{more}"
    return f"its process ended with code {code}: {lines[-1] if lines else 'nothing said'}"

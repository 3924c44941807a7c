"""Faults of the recorder and of its disk."""

import contextlib
import subprocess
import tempfile
import time
from pathlib import Path

from rtsep.bench.live.faults.stage import WAIT_S, Stage
from rtsep.bench.live.faults.told import Told, unheard, watched
from rtsep.kernels.errors import RtsepError


def _take_grows(stage: Stage, since: int, patience_s: float = WAIT_S) -> float:
    """When the files of the take have more bytes than `since`."""
    deadline = time.monotonic() + patience_s
    while stage.take_bytes() <= since:
        if time.monotonic() > deadline:
            raise RtsepError("the take does not grow again", "look why")
        time.sleep(0.01)
    return time.monotonic()


def recorder_killed(folder: Path) -> Told:
    with Stage(folder) as stage, watched(stage, "recorder killed", "SIGKILL to the recorder") as told:
        stage.process("recorder_process").kill()
        begin = time.monotonic()
        time.sleep(0.02)
        told.recover_s, told.recovered = _take_grows(stage, stage.take_bytes()) - begin, "the take grows"
    told.expect(len(list(stage.takes.rglob("input.wav"))) == 2, "there is no second part")
    told.expect(not told.lost.get("frames of holes"), "the take has a hole")
    return unheard(told)


def recorder_stopped(folder: Path) -> Told:
    injected = "SIGSTOP to the recorder for 8 s"
    with Stage(folder) as stage, watched(stage, "recorder stopped", injected) as told:
        recorder = stage.process("recorder_process")
        recorder.suspend()
        time.sleep(8.0)
        before = stage.take_bytes()
        recorder.resume()
        begin = time.monotonic()
        told.recover_s, told.recovered = _take_grows(stage, before) - begin, "the take grows"
    told.expect(told.lost.get("frames of holes", 0) > 0, "what the ring cannot hold is not listed")
    return unheard(told)


def disk_full(folder: Path) -> Told:
    """On a memory disk of its own, which another file fills; needs the right to mount one."""
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as stack:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=192m", "tmpfs", place], stderr=subprocess.DEVNULL
        )
        if mounted.returncode:
            raise RtsepError("no memory disk can be mounted", "run it as root")
        stack.callback(subprocess.run, ["umount", place], check=True)
        filler = Path(place) / "filler"
        with Stage(folder, takes=Path(place) / "takes") as stage:
            injected = "another file fills the disk, and is gone 3 s later"
            with watched(stage, "disk full", injected) as told:
                with contextlib.suppress(OSError), filler.open("wb") as file:
                    while True:
                        file.write(bytes(1 << 20))
                stage.until(lambda status: status.record_state == "held")
                time.sleep(3.0)
                filler.unlink()
                freed = time.monotonic()
                at, _ = stage.until(lambda status: status.record_state == "recording")
                told.recover_s, told.recovered = at - freed, "the take goes on"
        return unheard(told)

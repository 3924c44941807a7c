"""The sound does not depend on who reads the log of a live run."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

FAKE = """
import os, signal, sys, types
from rtsep.rt.cli import run_live
from rtsep.rt.cli.main import main
from rtsep.rt.live.status import Status

class Session:
    looks = 0
    control = types.SimpleNamespace(parameters=())
    memories = ()
    scenes = types.SimpleNamespace(stop=lambda: None)
    def __init__(self, **settings): pass
    def start(self): pass
    def stop(self): pass
    def status(self):
        return Status(state="running", samplerate=48000, frames=48000 * self.looks, stems=("residual",))
    def snapshot(self):
        return self.status().as_dict()
    def wait(self, timeout=None):
        self.looks += 1
        if self.looks == 2000:
            os.kill(os.getpid(), signal.SIGINT)
        return False

run_live.Session = Session
main(["--input", "mic", *sys.argv[1:]])
"""


def run(stdout: int | IO[bytes], *options: str, shell: str = "") -> subprocess.CompletedProcess[bytes]:
    """A run of 2000 looks that Ctrl-C ends, its standard output at `stdout`."""
    command = [sys.executable, "-P", "-c", FAKE, *options]
    if shell:
        command = ["sh", "-c", f'exec "$@" {shell}', "sh", *command]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, timeout=120, check=False)


@pytest.mark.parametrize("option", ["--json", "--voices=2"])
def test_a_full_log_disk_is_told_at_the_end(option: str) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with open("/dev/full", "wb") as full:
        done = run(full, option)
    assert done.returncode == 130
    first = done.stderr.decode().splitlines()[0]
    assert first.startswith(
        "rtsep: note: standard output failed (No space left on device), the sound went on: 2000.0 s, xruns 0"
    ) or first.startswith(
        "rtsep: note: standard output failed (No space left on device), the sound went on: 1999.0 s, xruns 0"
    )
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("option", ["--json", "--voices=2"])
def test_a_reader_that_leaves_is_told_at_the_end(option: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = run(writer, option)
    os.close(writer)
    assert done.returncode == 130
    assert b"standard output failed (Broken pipe), the sound went on" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("option", ["--json", "--voices=2"])
def test_a_reader_that_does_not_read_delays_nothing(option: str) -> None:
    """2000 lines are more than a pipe holds: what has no room is left out, and one Ctrl-C is enough."""
    reader, writer = os.pipe()
    done = run(writer, option)
    os.close(writer)
    assert done.returncode == 130
    assert done.stderr == b""
    with os.fdopen(reader, "rb") as left:
        lines = left.read().splitlines(keepends=True)
    assert 10 < len(lines) < 2000
    assert all(line.endswith(b"\n") for line in lines)


@pytest.mark.parametrize("shell", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_closed_streams_end_nothing(shell: str) -> None:
    done = run(subprocess.DEVNULL, "--json", shell=shell)
    assert done.returncode == 130
    assert b"Traceback" not in done.stderr


def test_json_ends_with_how_it_ended() -> None:
    done = run(subprocess.PIPE, "--json")
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    assert all("ended" not in before for before in objects[:-1])
    assert objects[-1]["ended"] == {"exit_code": 130, "reason": "SIGINT"}
    assert objects[-1]["frames"] == 48000 * 2000


def test_json_tells_an_end_before_the_start() -> None:
    command = [sys.executable, "-P", "-m", "rtsep", "--input", "nosuchdevice", "--json"]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    last = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, last["ended"]["exit_code"]) == (2, 2)
    assert last["ended"]["reason"] in done.stderr.decode()  # said to people too
    assert "device" in last["ended"]["reason"]

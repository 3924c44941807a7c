"""A show over a real JACK server: its file read again while it plays, a fade, and all of it found again."""

import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.cli_helpers import run_command
from helpers.lateness import attempts

from rtsep.bench.jack_rig import JackServer
from rtsep.rt.control.socket_server import ask, running_sessions

pytestmark = pytest.mark.jack

WAIT_S = 60.0  # a busy machine starts an engine in seconds
FILE = """
input = "system"
driver = "jack"
connect = "none"
latency = 5
name = "evening"
{more}
[parameters]
"voice-1.gain" = {gain}
[scenes.low]
"voice-2.gain" = -30
"""


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline, "it has not come about"
        time.sleep(0.05)


@contextlib.contextmanager
def show(path: Path, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """`rtsep --config` in a process of its own, until Ctrl-C."""
    command = [sys.executable, "-m", "rtsep", "--config", str(path), *options]
    with (path.parent / "err.txt").open("w") as err:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=err, text=True)
    try:
        until(lambda: "evening" in running_sessions() or process.poll() is not None)
        assert process.poll() is None, (path.parent / "err.txt").read_text()
        yield process
    finally:
        process.terminate()
        process.wait(WAIT_S)


def value(name: str) -> float:
    return float(ask("evening", {"do": "get", "name": name}))


def test_a_show_is_reloaded_faded_and_found_again(
    jack_server: JackServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for variable in ("XDG_STATE_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(tmp_path))
    path = tmp_path / "show.toml"
    path.write_text(FILE.format(gain=-6, more="voices = 2"))
    with show(path) as process:
        assert (value("voice-1.gain"), value("voice-2.gain")) == (-6.0, 0.0)
        latency = ask("evening", {"do": "status"})["live_latency_samples"]
        # a name that is taken is refused before there is a second JACK client
        second = run_command(capfd, "--config", str(path))
        assert (second.code, "is a session that runs" in second.err) == (2, True)

        path.write_text(FILE.format(gain=-9, more="voices = 3"))
        process.send_signal(signal.SIGHUP)
        until(lambda: value("voice-1.gain") == -9.0)
        until(lambda: "voices will change at the next start" in (tmp_path / "err.txt").read_text())
        path.write_text(FILE.format(gain=99, more="voices = 2"))
        refused = run_command(capfd, "control", "reload")
        assert (refused.code, "voice-1.gain 99 dB" in refused.err, value("voice-1.gain")) == (2, True, -9.0)

        assert run_command(capfd, "control", "scene", "list").out == "low\n"
        assert run_command(capfd, "control", "scene", "recall", "low", "0.2").code == 0
        until(lambda: value("voice-2.gain") == -30.0)
        assert run_command(capfd, "control", "scene", "store", "verse").code == 0
        ask("evening", {"do": "set", "name": "voice-1.gain", "value": -1.0})
        assert ask("evening", {"do": "status"})["live_latency_samples"] == latency
    path.write_text(FILE.format(gain=-9, more="voices = 2"))
    with show(path):
        # what the file names holds, the rest is as it was left
        assert (value("voice-1.gain"), value("voice-2.gain")) == (-9.0, -30.0)
        assert run_command(capfd, "control", "scene", "list").out == "low\nverse\n"
    with show(path, "--no-restore"):
        assert value("voice-2.gain") == 0.0
        assert run_command(capfd, "control", "scene", "list").out == "low\n"


def test_values_of_voices_that_come_later(
    jack_server: JackServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Those of the file at the start, and those of a reload: for a voice that never was there, and for one
    that has gone. A session of two voices keeps what was set of a third for the next one of three.
    """
    for variable in ("XDG_STATE_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(tmp_path))
    path = tmp_path / "show.toml"
    later = '"voice-{n}.gain" = {db}'

    def change() -> dict[str, Any]:
        found: dict[str, Any] = ask("evening", {"do": "status"})["change"]
        return found

    def voices(count: int) -> None:
        for attempt in attempts():
            before = change().get("serial")
            assert run_command(capfd, "control", "voices", str(count)).code == 0
            until(lambda: change().get("serial") != before)  # noqa: B023
            until(lambda: change()["state"] in ("done", "refused"))
            if change()["state"] == "refused":
                attempt.was_refused(change()["text"])
        assert change()["text"] == f"voices {count}"

    path.write_text(FILE.format(gain="-6\n" + later.format(n=3, db=-11), more="voices = 2"))
    with show(path) as process:
        voices(3)
        assert value("voice-3.gain") == -11.0
        voices(2)
        reloaded = "\n".join([later.format(n=3, db=-12), later.format(n=4, db=-13)])
        path.write_text(FILE.format(gain="-6\n" + reloaded, more="voices = 2"))
        process.send_signal(signal.SIGHUP)
        until(lambda: "is kept until there is such a stem" in (tmp_path / "err.txt").read_text())
        voices(4)
        assert (value("voice-3.gain"), value("voice-4.gain")) == (-12.0, -13.0)
        ask("evening", {"do": "set", "name": "voice-4.delay", "value": 7.0})
    path.write_text(FILE.format(gain=-6, more="voices = 2"))
    with show(path):
        ask("evening", {"do": "set", "name": "voice-2.delay", "value": 3.0})
    path.write_text(FILE.format(gain=-6, more="voices = 4"))
    with show(path):
        assert (value("voice-4.delay"), value("voice-2.delay")) == (7.0, 3.0)


def test_a_taken_port_is_refused_before_the_sound(capfd: pytest.CaptureFixture[str]) -> None:
    """There is no device here at all: the port is told all the same."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        done = run_command(capfd, "--input", "mic", "--osc", str(port))
    assert (done.code, "cannot be listened on" in done.err) == (2, True)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_command(capfd, "--input", "mic", "--web", str(port))
    assert (done.code, f"--web 127.0.0.1:{port} cannot be listened on" in done.err) == (2, True)

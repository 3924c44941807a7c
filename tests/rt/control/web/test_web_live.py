"""The page's server beside a real engine: what it sets is heard, and whatever befalls it sound goes on."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.web_desk import own_runtime_folder, until

from rtsep.bench.jack_rig import JackServer, Rig
from rtsep.rt.control.command_model import CommandModel
from rtsep.rt.control.surfaces import Surfaces
from rtsep.rt.drivers.jack_options import JackOptions
from rtsep.rt.session import Session

pytestmark = pytest.mark.jack

ALONE = JackOptions(connect="none", restore=False)


def ask(url: str, path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, method="GET" if body is None else "PUT")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def test_what_is_set_is_heard_and_a_hung_server_is_not(
    jack_server: JackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_runtime_folder(monkeypatch, tmp_path)
    noise = np.random.default_rng(0).uniform(-0.2, 0.2, 48000 * 60).astype(np.float32)
    with Session(voices=2, latency_ms=5, jack=ALONE) as session, Rig(0, 1.0, "rtsep") as rig:
        model = CommandModel(session.control, {}, session.snapshot)
        with Surfaces(model, "show", web="0", memories=session.memories) as surfaces:
            assert surfaces.web is not None
            url, pid = surfaces.web.url, surfaces.web.pid
            assert pid is not None
            rig.connect(timeout_s=30.0)
            rig.start(noise)

            def loudest() -> float:
                levels = ask(url, "api/status")["levels"]["output_peak_db"]
                return max(level for recent in levels for level in recent)

            until(lambda: loudest() > -30.0)
            latency = session.latency_samples
            assert ask(url, "api/parameters/output.mute", 1) == {"name": "output.mute", "value": 1.0}
            until(lambda: loudest() < -100.0)
            assert (session.control.get("output.mute"), session.latency_samples) == (1.0, latency)
            os.kill(pid, signal.SIGSTOP)
            before = session.status()
            session.control.set("output.mute", 0.0)
            until(lambda: max(session.status().output_peak_db) > -30.0)
            until(lambda: session.status().frames > before.frames + 4800)
            assert session.status().engine_restarts == 0
            os.kill(pid, signal.SIGKILL)
            until(lambda: loudest() > -30.0)  # another one answers
            assert session.status().engine_pid == before.engine_pid


def test_the_server_ends_with_a_killed_session(
    jack_server: JackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_runtime_folder(monkeypatch, tmp_path)
    command = [
        str(Path(sys.executable).with_name("rtsep")),
        "--input",
        "mic",
        "--voices",
        "1",
        "--latency",
        "5",
    ]
    command += ["--driver", "jack", "--connect", "none", "--no-restore", "--web", "0", "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "mixer page" in line)
        url = line.split()[-1]
        assert url.startswith("http://127.0.0.1:")
        until(lambda: {"mark", "record"} <= set(ask(url, "api/do")))
        assert ask(url, "api/status")["state"] == "running"
    finally:
        process.kill()
        process.wait()

    def is_gone() -> bool:
        try:
            ask(url, "api/status")
        except OSError:
            return True
        return False

    until(is_gone)

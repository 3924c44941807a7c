"""rtsep in the graph of a PipeWire daemon of its own, through PipeWire's libjack."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.jack

WAIT_S = 60.0
NEEDED = ("pipewire", "pw-jack", "pw-cli", "jack_lsp")


@pytest.fixture
def pipewire(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a daemon with nothing but its dummy driver."""
    if missing := [name for name in NEEDED if shutil.which(name) is None]:
        pytest.skip(f"{', '.join(missing)} not installed: apt install pipewire pipewire-jack jackd2")
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    environment = {
        **os.environ,
        "XDG_RUNTIME_DIR": str(runtime),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "DBUS_SESSION_BUS_ADDRESS": "",
    }
    daemon = subprocess.Popen(
        ["pipewire"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + WAIT_S
        while not (runtime / "pipewire-0").exists():
            assert daemon.poll() is None, "pipewire ended"
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield environment
    finally:
        daemon.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            daemon.wait(5)
        daemon.kill()


def test_it_runs_and_tells_the_graph_its_latency(pipewire: dict[str, str]) -> None:
    """Blocks come, none is late, and each port says the latency that the status says."""
    command = [sys.executable, "-m", "rtsep", "--input", "mic", "--voices", "1", "--driver", "jack", "--json"]
    rtsep = subprocess.Popen(
        ["pw-jack", *command, "--connect", "none"], env=pipewire, stdout=subprocess.PIPE, text=True
    )
    assert rtsep.stdout is not None
    try:
        deadline = time.monotonic() + WAIT_S
        while True:
            status = json.loads(rtsep.stdout.readline())
            assert time.monotonic() < deadline, status
            if status["state"] == "running" and status["frames"] > 48000 and status["jack_client"]:
                break
        told = subprocess.run(
            ["pw-jack", "jack_lsp", "-l"], env=pipewire, stdout=subprocess.PIPE, text=True, check=True
        ).stdout
    finally:
        rtsep.send_signal(signal.SIGINT)
        rest = rtsep.communicate(timeout=WAIT_S)[0]
    latency = status["live_latency_samples"]
    assert latency == status["algorithmic_samples"] + status["buffering_samples"] > 0
    ports = {port.split()[0]: port for port in told.split("rtsep:") if port.strip()}
    assert set(ports) == {"in_1", "voice-1", "residual"}
    assert f"capture latency = [ {latency} {latency} ]" in ports["voice-1"]
    assert f"playback latency = [ {latency} {latency} ]" in ports["in_1"]
    assert rtsep.returncode == 130
    assert json.loads(rest.splitlines()[-1])

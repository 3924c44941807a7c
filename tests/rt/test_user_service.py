"""The service of docs/stage.md under a systemd of a user: it waits for a sound server, comes back, stops."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rtsep.bench.jack_rig import JackServer

MANAGER = Path("/lib/systemd/systemd")
# A systemd of a user wants a machine that was booted with systemd, and looks for that under /run. Here /run
# is a private one, so that a container has such a machine for this process alone.
OWN_RUN = "mount --make-rprivate / && mount -t tmpfs none /run"
BOOTED = f'{OWN_RUN} && mkdir -p /run/systemd/system && exec {MANAGER} "$@"'
PRIVATE = ["unshare", "--mount", "--fork", "--kill-child=TERM"]
PATIENCE_S = 60.0
GUIDE = (Path(__file__).parents[2] / "docs" / "stage.md").read_text()


def may_unshare() -> bool:
    if not MANAGER.exists() or shutil.which("jackd") is None or shutil.which("unshare") is None:
        return False
    return subprocess.run([*PRIVATE, "sh", "-c", OWN_RUN], capture_output=True).returncode == 0


pytestmark = [
    pytest.mark.slow,
    pytest.mark.jack,
    pytest.mark.skipif(not may_unshare(), reason="needs systemd, jackd, and root for a private /run"),
]


def systemctl(*arguments: str) -> str:
    done = subprocess.run(["systemctl", "--user", *arguments], capture_output=True, text=True)
    return done.stdout.strip()


def shown(of_unit: str) -> str:
    return systemctl("show", "rtsep", "--value", "-p", of_unit)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, systemctl("status", "rtsep")
        time.sleep(0.2)


def plays() -> bool:
    """Whether the session runs with a sound server, as `rtsep control` has it."""
    look = [str(Path(sys.executable).with_name("rtsep")), "control", "--session", "stage", "status"]
    done = subprocess.run(look, capture_output=True, text=True)
    return done.returncode == 0 and json.loads(done.stdout)["state"] == "running"


@contextlib.contextmanager
def manager() -> Iterator[None]:
    """basic.target alone: none of the services that this machine has for its users."""
    command = [*PRIVATE, "sh", "-c", BOOTED, "sh", "--user", "--unit=basic.target", "--log-target=null"]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        until(lambda: systemctl("is-active", "basic.target") == "active")
        yield
    finally:
        systemctl("stop", "rtsep")
        systemctl("exit")
        process.wait(30)


def test_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "DBUS_SESSION_BUS_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    found = re.search(r"```ini\n# ~/(\S+)\n(.*?)```", GUIDE, re.DOTALL)
    assert found is not None
    unit, program = tmp_path / found[1], tmp_path / ".local" / "bin" / "rtsep"
    for place in (unit, program):
        place.parent.mkdir(parents=True)
    unit.write_text(found[2])
    program.symlink_to(Path(sys.executable).with_name("rtsep"))
    server = JackServer(waits=False)
    with server:
        server.stop()  # its name is in the environment: there is none yet
        with manager():
            systemctl("start", "rtsep")
            until(lambda: int(shown("NRestarts")) >= 1)
            server.start()
            until(plays)
            pid = int(shown("MainPID"))
            os.kill(pid, signal.SIGKILL)
            until(lambda: shown("MainPID") not in ("0", str(pid)) and plays())
            systemctl("stop", "rtsep")
            assert (shown("ActiveState"), shown("Result")) == ("inactive", "success")

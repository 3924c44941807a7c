"""Recipes of docs/stage.md as they stand there: the service is one that systemd takes, Pure Data steers."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.web_desk import WebDesk, until

from rtsep.rt.control.osc_server import OscServer

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "stage.md").read_text()


def test_the_service_is_one_that_systemd_takes(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed: apt install systemd")
    found = re.search(r"```ini\n# ~/(\S+)\n(.*?)```", GUIDE, re.DOTALL)
    assert found is not None
    unit = tmp_path / found[1]
    unit.parent.mkdir(parents=True)
    unit.write_text(found[2])
    program = tmp_path / ".local" / "bin" / "rtsep"
    program.parent.mkdir(parents=True)
    program.symlink_to(Path(sys.executable).with_name("rtsep"))
    done = subprocess.run(
        ["systemd-analyze", "--user", "verify", str(unit)],
        env={**os.environ, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_pure_data_steers_and_hears(tmp_path: Path) -> None:
    if shutil.which("pd") is None:
        pytest.skip("pd is not installed: apt install puredata-core")
    found = re.search(r"`pd (-nogui .*?) -open steer\.pd -send \"(.*?)\"`", GUIDE)
    assert found is not None
    desk, log = WebDesk(), tmp_path / "log"
    with OscServer(desk.model, ("127.0.0.1", 0)) as server, log.open("w") as printed:
        told = found[2].replace("9000", str(server.address[1]))
        patch = str(ROOT / "examples" / "steer.pd")
        pd = subprocess.Popen(
            ["pd", *found[1].split(), "-stderr", "-open", patch, "-send", told], stderr=printed
        )
        try:
            until(lambda: desk.model.get("voice-1.gain") == -6.0)
            until(lambda: "rtsep meter peak_db" in log.read_text())
            assert (server.refused, server.malformed) == (0, 0)
        finally:
            pd.terminate()
            pd.wait(60)

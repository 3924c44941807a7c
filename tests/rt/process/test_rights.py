"""The right to be run before others: the hint where it is refused names a group that the system knows, or
lines to write; who was in a hurry gives it back.
"""

import os
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest

from rtsep.rt.process.rights import rights_hint
from rtsep.rt.process.scheduling import NICENESS, hurry

if not sys.platform.startswith("linux"):
    pytest.skip("limits of PAM are Linux's", allow_module_level=True)


@pytest.fixture(autouse=True)
def as_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


def test_the_group_that_the_system_names(tmp_path: Path) -> None:
    (tmp_path / "95-pipewire.conf").write_text("# @wrong - rtprio 90\n@pipewire   - rtprio  95\n")
    assert "join the group pipewire (sudo usermod -aG pipewire $USER)" in rights_hint(f"{tmp_path}/*.conf")


def test_a_group_without_priority_is_none(tmp_path: Path) -> None:
    (tmp_path / "audio.conf").write_text("@video - rtprio 0\n")
    hint = rights_hint(f"{tmp_path}/*.conf")
    assert "'@audio - rtprio 95' and '@audio - memlock unlimited'" in hint
    assert "/etc/security/limits.d/audio.conf" in hint


def test_root_is_told_of_the_container(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "cap-add=sys_nice" in rights_hint(f"{tmp_path}/*.conf")


def test_who_loads_in_a_hurry_is_as_its_parent_afterwards() -> None:
    """Where it is permitted; where it is not, nothing happens."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    code = (
        "import os, sys; from rtsep.rt.process.scheduling import no_hurry; sys.stdin.readline();"
        "first = os.getpriority(os.PRIO_PROCESS, 0); no_hurry();"
        "print(first, os.getpriority(os.PRIO_PROCESS, 0))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=PIPE, stdout=PIPE, text=True) as process:
        hurry(process.pid)
        out, _ = process.communicate("\n")
    first, after = map(int, out.split())
    assert first in (NICENESS, before)
    assert after == before

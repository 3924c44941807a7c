"""The right to be run before others: the hint where it is refused names a group that the system knows, or
lines to write; who was in a hurry gives it back.
"""

import os
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest

from rtsep.rt.process import rights
from rtsep.rt.process.rights import in_container, rights_hint
from rtsep.rt.process.scheduling import NICENESS, hurry

if not sys.platform.startswith("linux"):
    pytest.skip("limits of PAM are Linux's", allow_module_level=True)


@pytest.fixture(autouse=True)
def as_a_user_of_a_whole_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(rights, "in_container", lambda: False)  # these tests may run in one


def test_the_group_that_the_system_names(tmp_path: Path) -> None:
    (tmp_path / "95-pipewire.conf").write_text("# @wrong - rtprio 90\n@pipewire   - rtprio  95\n")
    assert "join the group pipewire (sudo usermod -aG pipewire $USER)" in rights_hint(f"{tmp_path}/*.conf")


def test_a_group_without_priority_is_none(tmp_path: Path) -> None:
    (tmp_path / "audio.conf").write_text("@video - rtprio 0\n")
    hint = rights_hint(f"{tmp_path}/*.conf")
    assert "'@audio - rtprio 95' and '@audio - memlock unlimited'" in hint
    assert "/etc/security/limits.d/audio.conf" in hint


def test_no_login_reads_the_limits_of_a_container(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A package in the image brings its file of limits, and joining its group changes nothing there."""
    (tmp_path / "25-pw-rlimits.conf").write_text("@pipewire - rtprio 95\n")
    mark = tmp_path / ".containerenv"
    assert not in_container((str(mark),))
    mark.touch()
    assert in_container((str(mark),))
    monkeypatch.setattr(rights, "in_container", lambda: True)
    hint = rights_hint(f"{tmp_path}/*.conf")
    assert "--ulimit rtprio=95 --ulimit memlock=-1" in hint
    assert "group" not in hint


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

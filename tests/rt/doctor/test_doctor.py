"""Findings: every fault of a machine that can be made here, and that each has a remedy."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from rtsep.kernels.errors import DeviceRefused, RtsepError
from rtsep.rt.cli.main import root
from rtsep.rt.doctor import audio, machine, software
from rtsep.rt.doctor.finding import GRADES, Finding


def by_topic(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.topic: finding for finding in findings}


def fake_root(folder: Path, governor: str, available_kb: int, cards: str = "") -> Path:
    for cpu in range(2):
        file = folder / f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor"
        file.parent.mkdir(parents=True)
        file.write_text(governor + "\n")
    (folder / "proc/asound").mkdir(parents=True)
    (folder / "proc/meminfo").write_text(f"MemTotal: 8000000 kB\nMemAvailable: {available_kb} kB\n")
    (folder / "proc/asound/cards").write_text(cards)
    return folder


def test_a_machine_that_saves_power_and_has_no_memory(tmp_path: Path) -> None:
    found = by_topic(machine.look_at_machine(fake_root(tmp_path, "powersave", 100_000)))
    assert found["clock"].grade == found["memory"].grade == "warning"
    assert "powersave" in found["clock"].found
    assert "cpupower" in found["clock"].remedy


def test_a_machine_that_is_ready(tmp_path: Path) -> None:
    found = by_topic(machine.look_at_machine(fake_root(tmp_path, "performance", 4_000_000)))
    assert found["clock"].grade == found["memory"].grade == "ok"


def test_no_locked_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (65536, 65536))
    finding = by_topic(machine.look_at_machine(tmp_path))["locked memory"]
    assert finding.grade == "warning"
    assert "64 kB" in finding.found
    assert "memlock" in finding.remedy


def test_no_priority(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(machine.os, "sched_setscheduler", refuse)
    finding = by_topic(machine.look_at_machine(tmp_path))["real-time priority"]
    assert finding.grade == "warning"
    assert finding.remedy


def test_cards_on_usb(tmp_path: Path) -> None:
    cards = " 0 [PCH ]: HDA-Intel - HDA Intel\n 1 [CODEC ]: USB-Audio - USB Audio CODEC\n"
    found = by_topic(audio.look_at_audio(fake_root(tmp_path, "performance", 4_000_000, cards)))
    assert found["sound cards"].found.startswith("2, 1 on USB")


def test_a_driver_that_refuses_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise DeviceRefused("the PortAudio library cannot be loaded (gone)", "apt install libportaudio2")

    monkeypatch.setattr(audio, "list_devices", refuse)
    finding = by_topic(audio.look_at_audio())["audio devices"]
    assert (finding.grade, finding.remedy) == ("fault", "apt install libportaudio2")


def test_a_damaged_model_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(*_: object) -> bytes:
        raise RtsepError("choir-pitch.onnx is damaged", "install rtsep again")

    monkeypatch.setattr(software.shipped_models()["choir"].__class__, "read", damaged)
    found = by_topic(software.look_at_software())
    assert found["model choir"].grade == "fault"


def test_the_command_says_it_for_people_and_for_programs() -> None:
    told = CliRunner().invoke(root, ["doctor", "--json"])
    findings = json.loads(told.stdout)
    assert {"versions", "models", "real-time priority", "audio devices"} <= {f["topic"] for f in findings}
    assert {f["grade"] for f in findings} <= set(GRADES)
    assert all(f["remedy"] for f in findings if f["grade"] in ("warning", "fault"))
    assert told.exit_code == int(any(f["grade"] == "fault" for f in findings))
    lines = subprocess.run(
        [sys.executable, "-P", "-m", "rtsep", "doctor"], capture_output=True, text=True, check=False
    ).stdout.splitlines()
    assert any(line.split()[:2] == ["ok", "models"] for line in lines)

"""The live command around a session; sessions themselves are tested with a real audio server elsewhere."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest
from helpers.cli_helpers import run_command

from rtsep.kernels.errors import RtsepError
from rtsep.rt.cli import run_live
from rtsep.rt.live.status import Status

Capture = pytest.CaptureFixture[str]


class FakeSession:
    """Runs for three looks; what happens then is set by a test."""

    last: Self
    start_error: RtsepError | None = None
    final_error = ""
    signum = 0
    control = SimpleNamespace(parameters=())
    memories = ()
    scenes = SimpleNamespace(stop=lambda: None)

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self.looks = 0
        self.stopped = False
        type(self).last = self

    def start(self) -> None:
        if self.start_error:
            raise self.start_error

    def wait(self, timeout: float | None = None) -> bool:
        self.looks += 1
        if self.looks == 2 and self.signum:
            os.kill(os.getpid(), self.signum)
        return self.looks == 3

    def status(self) -> Status:
        running = Status(
            state="running", samplerate=48000, frames=48000 * self.looks, stems=("voice-1", "residual")
        )
        return replace(running, last_error=self.final_error if self.stopped else "")

    def snapshot(self) -> dict[str, Any]:
        return self.status().as_dict()

    def stop(self) -> None:
        self.stopped = True


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[FakeSession]:
    class Session(FakeSession):
        pass

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_live, "Session", Session)
    return Session


def test_every_option_reaches_the_session(capfd: Capture, session: type[FakeSession]) -> None:
    Path("f0.csv").write_text("0,330,220\n")
    options = "--input USB --input-channels 3 --output-device 5 --output-channels 1-2 --voices 2 --latency 21"
    desk = ["--route", "voice-1>1; voice-2>2", "--input-mix", "1+2", "--yes-feedback"]
    more = "--samplerate 44100 --blocksize 64 --record take --backend cpu --model choir-fixed --f0 f0.csv"
    assert run_command(capfd, *options.split(), *more.split(), *desk, "--render", "synth").code == 0
    settings = session.last.settings
    assert settings.pop("f0").voices == 2
    assert settings == {
        "stems": None,
        "add_ons": (),
        "input": "USB",
        "input_channels": [3],
        "output": "5",
        "output_channels": [1, 2],
        "route": "voice-1>1; voice-2>2",
        "input_mix": "1+2",
        "allow_feedback": True,
        "driver": None,
        "jack": None,
        "voices": 2,
        "latency_ms": 21,
        "samplerate": 44100,
        "blocksize": 64,
        "record": "take",
        "record_format": "wav",
        "pre_roll": False,
        "backend": "cpu",
        "render": "synth",
        "pitches": 0,
        "parameters": {},
        "score": None,
        "parts": None,
        "model": "choir-fixed",
    }
    assert session.last.stopped


def test_what_is_left_out_is_left_to_the_session(capfd: Capture, session: type[FakeSession]) -> None:
    assert run_command(capfd, "--input", "mic").code == 0
    settings = session.last.settings
    assert settings["input"] == "mic"
    for name in ("input_channels", "output", "output_channels", "samplerate", "blocksize", "record", "f0"):
        assert settings[name] is None


def test_json_is_nothing_but_json(capfd: Capture, session: type[FakeSession]) -> None:
    lines = run_command(capfd, "--input", "mic", "--json").out.splitlines()
    *running, end = [json.loads(line) for line in lines]
    assert [status["frames"] for status in running] == [48000, 96000, 144000]
    assert (end["frames"], end["ended"]) == (144000, {"exit_code": 0, "reason": ""})


def test_quiet_says_nothing(capfd: Capture, session: type[FakeSession]) -> None:
    result = run_command(capfd, "--input", "mic", "--quiet")
    assert (result.out, result.err) == ("", "")


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_stop_the_session(
    capfd: Capture, session: type[FakeSession], monkeypatch: pytest.MonkeyPatch, signum: int, code: int
) -> None:
    monkeypatch.setattr(session, "signum", signum)
    result = run_command(capfd, "--input", "mic", "--record", "take")
    assert result.code == code
    assert session.last.stopped
    assert "take" in result.out
    assert result.err == ""


def test_a_fault_that_ends_a_run_is_told(
    capfd: Capture, session: type[FakeSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "final_error", "the device USB went away; plug it in and start again")
    result = run_command(capfd, "--input", "mic")
    assert result.code == 2
    assert result.err == "rtsep: error: the device USB went away; plug it in and start again\n"


def test_an_unknown_device_names_the_file_that_was_perhaps_meant(
    capfd: Capture, session: type[FakeSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("choir.wav").write_bytes(b"")
    monkeypatch.setattr(session, "start_error", RtsepError("no device 'choir'", "choose one"))
    result = run_command(capfd, "--input", "choir")
    assert result.code == 2
    assert result.err == "rtsep: error: no device 'choir'; choose one, or the file choir.wav\n"


def test_a_take_with_holes_is_told_by_last_line_and_exit_code(
    capfd: Capture, session: type[FakeSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the run ended: with Ctrl-C too."""
    status = session.status
    holes = {
        "record_state": "finished",
        "record_take": "takes/take-001",
        "record_frames": 96000,
        "record_holes": 2,
        "record_hole_frames": 4800,
        "record_holes_text": "0.050 s at 1.000 s (recorder late), 0.050 s at 1.500 s (device lost)",
    }
    monkeypatch.setattr(session, "status", lambda self: replace(status(self), **holes))
    monkeypatch.setattr(session, "signum", signal.SIGINT)
    result = run_command(capfd, "--input", "mic", "--record", "takes")
    assert result.code == 4
    assert result.out.splitlines()[-1] == (
        "take of 2.0 s in takes/take-001: finished, 2 holes of 0.100 s in all: "
        "0.050 s at 1.000 s (recorder late), 0.050 s at 1.500 s (device lost)"
    )
    holes |= {"record_holes": 0, "record_hole_frames": 0, "record_holes_text": ""}
    result = run_command(capfd, "--input", "mic", "--record", "takes")
    assert result.code == 130
    assert result.out.splitlines()[-1] == "take of 2.0 s in takes/take-001: finished, without a hole"


def test_kill_usr1_starts_and_stops_a_take(
    capfd: Capture, session: type[FakeSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    state = {"record_state": "armed"}

    def start(self: FakeSession) -> str:
        done.append("start")
        state["record_state"] = "recording"
        return "takes/take-001"

    def stop(self: FakeSession) -> None:
        done.append("stop")
        raise RtsepError("nothing is being recorded", "start a take first")

    def wait(self: FakeSession, timeout: float | None = None) -> bool:
        os.kill(os.getpid(), signal.SIGUSR1)
        return before(self, timeout)

    before, status = session.wait, session.status
    monkeypatch.setattr(session, "record_start", start, raising=False)
    monkeypatch.setattr(session, "record_stop", stop, raising=False)
    monkeypatch.setattr(session, "wait", wait)
    monkeypatch.setattr(session, "status", lambda self: replace(status(self), **state))
    result = run_command(capfd, "--input", "mic", "--record", "takes", "--pre-roll")
    assert done == ["start", "stop", "stop"]
    assert result.err == 2 * "rtsep: note: nothing is being recorded; start a take first\n"

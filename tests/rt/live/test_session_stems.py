"""Other voices in a whole session: a port for each, every way in, takes."""

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.cli_helpers import run_command
from pythonosc.udp_client import SimpleUDPClient

from rtsep.bench.jack_rig import JackServer
from rtsep.kernels.errors import RtsepError
from rtsep.rt.cli.session_actions import session_actions
from rtsep.rt.control.command_model import CommandModel
from rtsep.rt.control.session_file import SessionKeeper, load_session
from rtsep.rt.control.surfaces import Surfaces
from rtsep.rt.drivers.jack_options import JackOptions
from rtsep.rt.session import Session
from rtsep.rt.takes.take_log import TakeLog

TWO = ("voice-1", "voice-2", "residual")
THREE = ("voice-1", "voice-2", "voice-3", "residual")
pytestmark = [pytest.mark.jack, pytest.mark.slow]


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def ports() -> list[str]:
    told = subprocess.run(["jack_lsp"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    return [name.removeprefix("rtsep:") for name in told if name.startswith("rtsep:")]


def test_a_port_for_a_voice_that_comes(
    jack_server: JackServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It has the voice's name and usual connections, or those that it had before; it stays when the voice
    goes, and an engine that is started again has it too.
    """
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with Session(voices=2, latency_ms=43, driver="jack") as session:
        assert ports() == ["in_1", "voice-1", "voice-2", "residual"]
        session.control.set("voice-2.gain", -3.0)
        session.change(voices=3)
        assert ports() == ["in_1", "voice-1", "voice-2", "residual", "voice-3"]
        until(lambda: any(wire.startswith("voice-3>system:playback") for wire in session.status().wires))
        session.control.set("voice-3.gain", -6.0)
        session.change(voices=1)
        pid = session.status().engine_pid
        assert session.status().stems == ("voice-1", "residual")
        os.kill(pid, signal.SIGKILL)
        until(lambda: session.status().engine_pid != pid and session.status().state == "running")
        assert ports() == ["in_1", "voice-1", "voice-2", "residual", "voice-3"]
        assert session.status().stems == ("voice-1", "residual")
        session.change(voices=3)
        assert (session.control.get("voice-2.gain"), session.control.get("voice-3.gain")) == (-3.0, -6.0)
        assert session.control.get("voice-3.to-4") == 1.0
    with Session(voices=2, latency_ms=43, driver="jack") as session:
        subprocess.run(["jack_connect", "rtsep:voice-2", "system:playback_1"], check=True)
        session.change(voices=3)
        until(lambda: any(wire.startswith("voice-3>system:playback") for wire in session.status().wires))
        (wire,) = (w.partition(">")[2] for w in session.status().wires if w.startswith("voice-3>"))
        subprocess.run(["jack_disconnect", "rtsep:voice-3", wire], check=True)
        until(lambda: not any(w.startswith("voice-3>") for w in session.status().wires))
        time.sleep(1.0)
    with Session(voices=2, latency_ms=43, driver="jack") as session:
        session.change(voices=3)
        time.sleep(0.5)
        assert not any(w.startswith("voice-3>") for w in session.status().wires)


class Ways:
    """Into one session, each opened before the voices change."""

    def __init__(self, surfaces: Surfaces, session: Session, capfd: pytest.CaptureFixture[str]) -> None:
        assert surfaces.osc is not None
        assert surfaces.web is not None
        self._session, self._capfd = session, capfd
        self._osc = SimpleUDPClient(*surfaces.osc.address)
        self._server = surfaces.osc
        self._url = f"http://127.0.0.1:{surfaces.web.port}/api/parameters"

    def osc(self, name: str, value: float) -> bool:
        refused, accepted = self._server.refused, self._server.accepted
        self._osc.send_message("/rtsep/" + name.replace(".", "/"), value)
        until(lambda: self._server.refused + self._server.accepted > refused + accepted)
        return self._server.refused == refused

    def http(self, name: str, value: float) -> bool:
        body = json.dumps({"value": value}).encode()
        request = urllib.request.Request(
            f"{self._url}/{name}", body, {"Content-Type": "application/json"}, method="PUT"
        )
        try:
            with urllib.request.urlopen(request, timeout=20):
                return True
        except urllib.error.HTTPError:
            return False

    def shell(self, name: str, value: float) -> bool:
        return run_command(self._capfd, "control", name, f"{value!r}").code == 0

    def python(self, name: str, value: float) -> bool:
        try:
            self._session.control.set(name, value)
            return True
        except RtsepError:
            return False

    def names(self) -> list[set[str]]:
        """As each way lists them."""
        with urllib.request.urlopen(self._url, timeout=20) as answer:
            page = {row["name"] for row in json.load(answer)}
        shell = json.loads(run_command(self._capfd, "control", "--list", "--json").out)
        return [page, {row["name"] for row in shell}, {p.name for p in self._session.control.parameters}]


def test_every_way_leads_to_what_has_come_and_none_to_what_has_gone(
    jack_server: JackServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """OSC, HTTP, shell and Python; a scene that fades meanwhile, and the file of the session."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with Session(voices=2, latency_ms=43, jack=JackOptions(restore=False)) as session:
        model = CommandModel(session.control, session_actions(session), session.snapshot)
        with (
            Surfaces(model, "show", "0", "0", session.memories) as surfaces,
            SessionKeeper(session.control, session.scenes, "show"),
        ):
            ways = Ways(surfaces, session, capfd)
            session.scenes.store("two")
            session.control.update({"voice-2.gain": -20.0, "residual.gain": -20.0})
            session.scenes.recall("two", 30.0)  # goes on while a voice that it moves goes
            for here, gone in ((3, 4), (1, 2)):
                answer = run_command(capfd, "control", "voices", str(here)).out
                assert answer == f"voices {here} is being loaded\n"
                until(lambda: session.status().change.get("text") == f"voices {here}")  # noqa: B023
                until(lambda: session.status().change["state"] == "done")
                name, other = f"voice-{here}.gain", f"voice-{gone}.gain"
                assert all(name in names for names in ways.names())
                assert not [names for names in ways.names() if other in names]
                for number, way in enumerate((ways.osc, ways.http, ways.shell, ways.python)):
                    assert way(name, -10.0 - number)
                    assert session.control.get(name) == -10.0 - number
                    assert not way(other, 0.0)
            assert not session.scenes.wait(0.0)
            session.scenes.stop()
            session.change(voices=3)
            assert session.control.get("voice-3.gain") == -13.0
            assert -20.0 < session.control.get("voice-2.gain") < 0.0
            session.change(voices=2)
            session.scenes.recall("two")
            assert session.control.get("voice-2.gain") == 0.0
    kept = load_session("show").values
    assert (kept["voice-1.gain"], kept["voice-2.gain"], kept["voice-3.gain"]) == (0.0, 0.0, -13.0)


def test_a_session_that_records_is_changed(
    jack_server: JackServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The same take, without a hole, through a change and a recorder that dies after it; the next take begins
    with what plays then.
    """
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    options = JackOptions(connect="none", restore=False)
    with Session(voices=2, latency_ms=43, jack=options, record=tmp_path / "takes") as session:
        session.change(voices=3)
        session.change(latency_ms=21)
        time.sleep(0.5)
        assert session._takes is not None
        assert session._takes._process is not None
        session._takes._process.kill()
        time.sleep(1.5)
        session.record_stop()
        session.record_start()
        time.sleep(1.0)
        session.record_stop()
        time.sleep(0.5)
    first, second = (TakeLog.load(tmp_path / "takes" / f"take-00{n}") for n in (1, 2))
    assert [hole["reason"] for hole in first.holes] in ([], ["recorder died"])
    assert [first.names_of(part) for part in first.parts][:2] == [["input", *TWO], ["input", *THREE]]
    assert first.names_of(first.parts[-1]) == ["input", *THREE]
    assert first.parts[-1]["latency_samples"]["algorithmic"] == 1024
    assert sum(event["kind"] == "engine-changed" for event in first.events) == 2
    assert (second.names, second.holes, len(second.parts)) == (["input", *THREE], [], 1)
    assert second.latency_samples["algorithmic"] == 1024

"""Every parameter of a live session moved by OSC, MIDI, HTTP, shell and Python: read back by another way,
without a click, at the same latency.

The JACK server freewheels: nothing is late on a busy machine, and every sample that comes out is looked at.
"""

import contextlib
import json
import math
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers.cli_helpers import run_command
from helpers.click_rig import ClickRig
from helpers.osc_client import OscClient

from rtsep.bench.jack_rig import JackServer
from rtsep.rt.cli.session_actions import session_actions
from rtsep.rt.control.command_model import CommandModel
from rtsep.rt.control.midi.binding import Binding
from rtsep.rt.control.midi.fader_law import FaderLaw
from rtsep.rt.control.midi.messages import Address, encode, raw_of, way_of
from rtsep.rt.control.parameters import RAMP_S, Parameter
from rtsep.rt.control.surfaces import Surfaces
from rtsep.rt.drivers.jack_options import JackOptions
from rtsep.rt.session import Session

pytestmark = pytest.mark.jack

CLIENT, CONTROLLER = "rtsep", "rig-desk"
TONE_HZ, LEVEL = 110.0, 0.1
RATE = 48000
WAIT_S = 60.0
VALUES = {
    "dB": (-6.0, 3.0, -3.0, 2.0, -1.0),
    "dBFS": (1.0, 2.0, 3.0, 4.0, 5.0),  # a ceiling above the tone: one below it would change its form
    "ms": (1.0, 3.0, 2.0, 5.0, 4.0),
    "left..right": (-0.5, 0.5, 0.25, -0.25, 0.75),
    "dry share": (0.5, 0.25, 0.75, 0.4, 0.6),
}
LOUDEST = 10 ** (3 / 20)  # of `VALUES`


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.002)


def osc_address(p: Parameter) -> str:
    return "/rtsep/" + p.name.replace(".", "/")


class Ways:
    """The five ways into one session, each to set and to ask where it can."""

    def __init__(self, session: Session, surfaces: Surfaces, capfd: pytest.CaptureFixture[str]) -> None:
        import rtmidi

        self._session, self._capfd = session, capfd
        assert surfaces.osc is not None
        assert surfaces.web is not None
        self._osc = OscClient(surfaces.osc.address, WAIT_S)
        self._url = f"http://127.0.0.1:{surfaces.web.port}/api/parameters/"
        self._midi = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, CONTROLLER)
        self._midi.open_virtual_port("out")
        self.numbers = {p.name: number for number, p in enumerate(session.control.parameters)}

    def close(self) -> None:
        self._osc.close()
        self._midi.close_port()
        self._midi.delete()

    def osc(self, p: Parameter, value: float) -> float:
        self._osc.send(osc_address(p), value)
        return float(np.float32(value))

    def ask_osc(self, p: Parameter) -> float:
        return float(self._osc.ask(osc_address(p))[1][0])

    def midi(self, p: Parameter, value: float) -> float:
        law = FaderLaw(p)
        raw = raw_of(law.way(value), 14)
        for message in encode(Address("nrpn", 1, self.numbers[p.name]), raw):
            self._midi.send_message(message)
        return value if p.unit == "on/off" else law.value(way_of(raw, 14))

    def http(self, p: Parameter, value: float) -> float:
        request = urllib.request.Request(
            self._url + p.name, json.dumps({"value": value}).encode(), {"Content-Type": "application/json"},
            method="PUT",
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
            assert answer.status == 200
        return value

    def ask_http(self, p: Parameter) -> float:
        with urllib.request.urlopen(self._url + p.name, timeout=WAIT_S) as answer:
            return float(json.load(answer)["value"])

    def shell(self, p: Parameter, value: float) -> float:
        assert run_command(self._capfd, "control", p.name, f"{value!r}").code == 0
        return value

    def ask_shell(self, p: Parameter) -> float:
        return float(run_command(self._capfd, "control", p.name, "--json").out)

    def python(self, p: Parameter, value: float) -> float:
        self._session.control.set(p.name, value)
        return value

    def ask_python(self, p: Parameter) -> float:
        return self._session.control.get(p.name)


@pytest.fixture
def show(
    jack_server: JackServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[tuple[Session, Ways, ClickRig]]:
    """A session that plays, its surfaces open as the command line opens them, in a server without a clock."""
    import jack

    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with contextlib.ExitStack() as stack:
        options = JackOptions(CLIENT, "none", restore=False)
        session = stack.enter_context(Session(voices=1, latency_ms=5, jack=options))
        path = tmp_path / "desk.toml"
        lines = []
        for number, p in enumerate(session.control.parameters):
            mode = "momentary" if p.unit == "on/off" else None
            binding = Binding(p.name, False, Address("nrpn", 1, number), mode=mode, pick_up=False)
            lines.append(f'"{p.name}" = {binding.as_toml()}')
        path.write_text("[parameters]\n" + "\n".join(lines) + "\n")
        model = CommandModel(session.control, session_actions(session), session.snapshot)
        surfaces = Surfaces(model, "show", "0", "0", session.memories, [(CONTROLLER, path)])
        stack.enter_context(surfaces)
        ways = Ways(session, surfaces, capfd)
        stack.callback(ways.close)
        rig = stack.enter_context(ClickRig(len(session.status().stems), CLIENT, TONE_HZ, LEVEL))
        rig.connect(WAIT_S)
        news: list[str] = []
        until(lambda: bool(news.extend(surfaces.take_news()) or news), "the controller is not found")
        assert news == [f"MIDI from {CONTROLLER}:out, which cannot be told anything"]
        driver = jack.Client("bouncer", no_start_server=True)
        driver.activate()
        stack.callback(driver.close)
        driver.set_freewheel(True)
        stack.callback(driver.set_freewheel, False)
        yield session, ways, rig


def test_every_parameter_by_five_ways(
    show: tuple[Session, Ways, ClickRig], capfd: pytest.CaptureFixture[str]
) -> None:
    session, ways, rig = show

    def wait(frames: int) -> None:
        start = session.status().frames
        until(lambda: session.status().frames >= start + frames, f"{session.status().state} stands still")

    rows = json.loads(run_command(capfd, "control", "--list", "--json").out)
    assert [row["name"] for row in rows] == list(ways.numbers)
    told = session.status().live_latency_samples
    wait(RATE)
    before = rig.delay(wait)
    wait(RATE)
    asked: list[Callable[[Parameter], float]] = [ways.ask_http, ways.ask_shell, ways.ask_osc, ways.ask_python]
    by: list[Callable[[Parameter, float], float]] = [ways.osc, ways.midi, ways.http, ways.shell, ways.python]
    counters = session.status()
    # a tone's own slope, and a ramp over the whole of it, each at the loudest value
    allowed = LOUDEST * LEVEL * (2 * math.pi * TONE_HZ / RATE + 2 / (RAMP_S * RATE))
    found: dict[str, float] = {}
    for p in session.control.parameters:
        moved = [1.0 - p.default, p.default] * 3 if p.unit == "on/off" else [*VALUES[p.unit], p.default]
        rig.forget()
        for turn, value in enumerate(moved):
            way = by[turn % len(by)]
            expected = way(p, value)
            ask = asked[turn % len(asked)]
            until(lambda: ask(p) == pytest.approx(expected, abs=1e-6), f"{p.name} by {way.__name__}")  # noqa: B023
            wait(round(2 * RAMP_S * RATE))
        found[p.name] = float(rig.steps.max())
        assert session.status().live_latency_samples == told
    wait(RATE)
    after = rig.delay(wait)
    status = session.status()
    assert (status.late_hops, status.skipped_hops, status.fallback_samples) == (
        counters.late_hops, counters.skipped_hops, counters.fallback_samples
    )  # fmt: skip
    assert before == after
    print("ALLOWED", allowed, "LAT", before, told, sorted(found.items(), key=lambda x: -x[1])[:8])
    assert {name: step for name, step in found.items() if step > allowed} == {}

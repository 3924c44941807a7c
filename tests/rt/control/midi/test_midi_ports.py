"""A controller on a real server: found, learnt, told, lost and found again; a flood; a fault; the options."""

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.cli_helpers import run_command
from helpers.web_desk import WebDesk, own_runtime_folder, until

from rtsep.bench.jack_rig import JackServer, jack_client
from rtsep.kernels.errors import RtsepError
from rtsep.rt.cli.list_devices import midi_lines
from rtsep.rt.cli.session_actions import midi_controllers
from rtsep.rt.control.midi import midi_server, ports
from rtsep.rt.control.midi.controllers import Controllers
from rtsep.rt.control.midi.midi_server import MidiServer
from rtsep.rt.control.socket_server import running_sessions
from rtsep.rt.control.surfaces import Surfaces


class Controller:
    """Somebody's nanoKONTROL, with a port each way."""

    def __init__(self, name: str = "nanoKONTROL") -> None:
        import rtmidi

        self._ins = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, name)
        self._outs = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name)
        self._ins.open_virtual_port("in")
        self._outs.open_virtual_port("out")

    def send(self, *message: int) -> None:
        self._outs.send_message(list(message))

    def heard(self) -> list[list[int]]:
        messages = []
        while (message := self._ins.get_message()) is not None:
            messages.append(message[0])
        return messages

    def unplug(self) -> None:
        for end in (self._ins, self._outs):
            end.close_port()
            end.delete()


@contextlib.contextmanager
def controller(name: str = "nanoKONTROL") -> Iterator[Controller]:
    plugged = Controller(name)
    try:
        yield plugged
    finally:
        plugged.unplug()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(midi_server, "LOOK_S", 0.1)
    monkeypatch.setattr(ports, "RENEW_S", 0.5)


def news_until(server: MidiServer | Controllers, words: str) -> list[str]:
    told: list[str] = []
    until(lambda: told.extend(server.take_news()) or any(words in news for news in told))  # type: ignore[func-returns-value]
    return told


@pytest.mark.jack
@pytest.mark.usefixtures("quick")
def test_found_learnt_told_lost_and_found(jack_server: JackServer, tmp_path: Path) -> None:
    desk = WebDesk()
    path = tmp_path / "desk.toml"
    with MidiServer(desk.model, "NANOkontrol", path) as server:
        assert "no MIDI port has 'NANOkontrol' in its name yet" in server.notes[0]
        with controller() as nano:
            news_until(server, "MIDI from nanoKONTROL")
            assert "move a fader" in server.do("learn voice-1.gain")
            for value in range(60, 100):
                nano.send(0xB0, 7, value)
            assert "follows control change 7 on channel 1" in news_until(server, "follows")[-1]
            nano.send(0xB0, 7, 127)
            until(lambda: desk.model.get("voice-1.gain") == 12.0)
            nano.heard()
            desk.control.set("voice-1.gain", 0.0)
            heard: list[list[int]] = []
            until(lambda: heard.extend(nano.heard()) or bool(heard))  # type: ignore[func-returns-value]
            assert heard == [[0xB0, 7, 99]]
            assert server.do("list").split() == [
                "voice-1.gain",
                "control",
                "change",
                "7",
                "on",
                "channel",
                "1",
            ]
            assert "nanoKONTROL" in server.do("ports")
        assert "is gone; the sound goes on" in news_until(server, "gone")[-1]
        with controller() as nano:
            news_until(server, "MIDI from nanoKONTROL")
            nano.send(0xB0, 7, 99)  # stands where the value is
            nano.send(0xB0, 7, 0)
            until(lambda: desk.model.get("voice-1.gain") < -60.0)
        news_until(server, "gone")
        jack_server.stop()
        jack_server.start()
        with controller():
            news_until(server, "MIDI from nanoKONTROL")


def await_cycles(clock: Any, cycles: int) -> None:
    """Until the server has begun so many more."""
    for _ in range(cycles):
        begun = clock.last_frame_time
        until(lambda: clock.last_frame_time != begun, step_s=0.001)  # noqa: B023


@pytest.mark.jack
def test_a_flood_leaves_the_last_value_of_every_fader(jack_server: JackServer, tmp_path: Path) -> None:
    desk = WebDesk()
    path = tmp_path / "desk.toml"
    lines = [
        f'"{stem}.gain" = {{ cc = {n}, pick-up = false }}' for n, stem in enumerate(("voice-1", "voice-2"))
    ]
    path.write_text("[parameters]\n" + "\n".join(lines))
    with controller() as nano, MidiServer(desk.model, "nano", path) as server, jack_client("clock") as clock:
        clock.activate()
        for turn in range(3000):
            nano.send(0xB0, turn % 2, (turn // 2) % 128)
            if turn % 100 == 99:  # what the server has not fetched yet has room in the controller
                await_cycles(clock, 2)
        for number in (0, 1):
            nano.send(0xB0, number, 127)
        until(lambda: desk.model.get("voice-1.gain") == desk.model.get("voice-2.gain") == 12.0)
        assert server.take_news() == []


@pytest.mark.jack
@pytest.mark.usefixtures("quick")
def test_a_fault_of_the_thread_is_told_and_survived(
    jack_server: JackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = WebDesk()
    (tmp_path / "desk.toml").write_text('[parameters]\n"bypass" = { note = 1 }\n')
    with controller() as nano, MidiServer(desk.model, "nano", tmp_path / "desk.toml") as server:
        take = server._map.take

        def fails(*args: Any) -> Any:
            raise ZeroDivisionError("planted")

        monkeypatch.setattr(server._map, "take", fails)
        nano.send(0x90, 1, 1)
        assert "MIDI has failed (ZeroDivisionError: planted)" in news_until(server, "failed")[-1]
        monkeypatch.setattr(server._map, "take", take)
        news_until(server, "MIDI from nano")
        until(lambda: nano.send(0xC0, 1) or server._port is not None)  # type: ignore[func-returns-value]
        nano.send(0x90, 1, 1)
        until(lambda: desk.model.get("bypass") == 1.0)


@pytest.mark.jack
def test_two_controllers_steer_one_desk_and_the_first_that_moves_learns(
    jack_server: JackServer, tmp_path: Path
) -> None:
    desk = WebDesk()
    wanted = [("nano", tmp_path / "nano.toml"), ("twister", tmp_path / "twister.toml")]
    wanted[0][1].write_text('[parameters]\n"voice-2.gain" = { cc = 3, pick-up = false }\n')
    with (
        controller() as nano,
        controller("Twister") as twister,
        Surfaces(desk.model, "two", midi=wanted) as surfaces,
    ):
        server = surfaces.midi
        assert server is not None
        assert "move a fader" in server.do("learn voice-1.gain")
        for value in (1, 1, 2, 127, 127):  # an endless knob, to both sides
            twister.send(0xB0, 16, value)
        news_until(server, "voice-1.gain follows control change 16 on channel 1, an endless knob")
        assert 'encoder = "twos-complement"' in wanted[1][1].read_text()
        assert "voice-1" not in wanted[0][1].read_text()
        twister.send(0xB0, 16, 124)
        until(lambda: desk.model.get("voice-1.gain") < 0.0)
        nano.send(0xB0, 3, 127)
        until(lambda: desk.model.get("voice-2.gain") == 12.0)  # it waits for no target any more
        assert [line for line in server.do("list").splitlines() if line.endswith(":")] == [
            "nano:",
            "twister:",
        ]
        assert server.do("forget voice-1.gain") == "twister: voice-1.gain follows 1 control less"
        with pytest.raises(RtsepError, match="follows no control"):
            server.do("forget voice-1.gain")


@pytest.mark.jack
def test_ports_of_our_own_and_the_list_of_devices(jack_server: JackServer, tmp_path: Path) -> None:
    desk = WebDesk()
    with MidiServer(desk.model, "virtual", tmp_path / "desk.toml") as server:
        assert server.notes == ["MIDI from ports of its own, connect a controller to them"]
        listed = subprocess.run(["jack_lsp"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
        assert {"rtsep-midi-in:in", "rtsep-midi-out:out"} <= set(listed)
        assert midi_lines() == []  # ours are none to choose
    with controller():
        *head, line = midi_lines()
        assert head == ["", "MIDI ports for --midi:"]
        assert re.fullmatch(r"  from  nanoKONTROL(-01)?:out", line)


@pytest.mark.jack
def test_the_command_line_opens_it(
    jack_server: JackServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    own_runtime_folder(monkeypatch, tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    command = [
        sys.executable,
        "-m",
        "rtsep",
        "--input",
        "mic",
        "--voices",
        "1",
        "--driver",
        "jack",
        "--connect",
    ]
    command += ["none", "--midi", "nano kontrol", "--name", "show", "--quiet"]
    with open(tmp_path / "log", "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        until(lambda: "show" in running_sessions() or process.poll() is not None)
        done = run_command(capfd, "control", "midi", "learn", "voice-1.gain")
        assert done.out == (
            "move a fader as soon as 'nano kontrol' is connected within 60 s: voice-1.gain will follow it\n"
        )
        assert run_command(capfd, "control", "midi", "list").code == 0
        done = run_command(capfd, "control", "midi", "learn", "voice-9.gain")
        assert (done.code, len(done.err.splitlines())) == (2, 1)
        assert "no MIDI port has 'nano kontrol'" in (tmp_path / "log").read_text()
    finally:
        process.terminate()
        process.wait(30)
    bad = tmp_path / "bad.toml"
    bad.write_text('[parameters]\n"voice-1.gain" = { cc = 200 }\nbypass = { note = -1 }\n')
    done_process = subprocess.run(
        [*command, "--midi-map", str(bad)], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done_process.returncode == 2
    lines = done_process.stderr.splitlines()
    assert len(lines) == 2
    assert f"{bad}: voice-1.gain: cc: 200" in lines[0]
    assert f"{bad}: bypass: note: -1" in lines[1]


def test_a_session_without_midi_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_runtime_folder(monkeypatch, tmp_path)
    with Surfaces(WebDesk().model, "show") as surfaces:
        assert surfaces.midi is None
        with pytest.raises(RtsepError, match="listens to no MIDI controller; start it with --midi NAME"):
            surfaces._model.do("midi", "list")


@pytest.mark.parametrize("words", ["", "dance", "learn", "forget", "list all"])
def test_words_that_are_none(words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "nobody-runs-this")
    with (
        MidiServer(WebDesk().model, "x", tmp_path / "desk.toml") as server,
        pytest.raises(RtsepError, match="say midi learn NAME, forget NAME, list or ports"),
    ):
        server.do(words)


def test_what_is_not_installed_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "rtmidi", None)
    with pytest.raises(
        RtsepError, match=r"--midi needs mido and python-rtmidi; pip install 'rtsep\[stage\]'"
    ):
        MidiServer(WebDesk().model, "x", tmp_path / "desk.toml")
    assert midi_lines() == []


def test_a_map_of_its_own_for_every_controller(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert midi_controllers(["X-Touch: 2"], []) == [
        ("X-Touch: 2", tmp_path / "rtsep" / "midi-x-touch-2.toml")
    ]
    assert midi_controllers(["../.."], []) == [("../..", tmp_path / "rtsep" / "midi-controller.toml")]
    assert midi_controllers(["nano"], [str(tmp_path / "a.toml")]) == [("nano", tmp_path / "a.toml")]
    with pytest.raises(RtsepError, match="--midi-map"):
        midi_controllers(["nano"], [str(tmp_path / "none" / "a.toml")])
    with pytest.raises(RtsepError, match="--midi-map a is for --midi; add --midi NAME"):
        midi_controllers([], ["a"])
    assert midi_controllers([], []) == []
    two = midi_controllers(["nano", "X-Touch"], [])
    assert [path.name for _, path in two] == ["midi-nano.toml", "midi-x-touch.toml"]
    with pytest.raises(RtsepError, match="2 times --midi and 1 times --midi-map"):
        midi_controllers(["nano", "X-Touch"], ["a"])
    with pytest.raises(RtsepError, match="names a port twice"):
        midi_controllers(["nano", "nano"], [])
    assert json.dumps(os.listdir(tmp_path)) == "[]"

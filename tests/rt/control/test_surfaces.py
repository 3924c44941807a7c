"""Every parameter moved by OSC, shell, socket and Python and read back; floods and nonsense do no harm."""

import contextlib
import errno
import json
import math
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.cli_helpers import run_command
from helpers.osc_client import OscClient

from rtsep.kernels.errors import RtsepError
from rtsep.rt.cli.session_actions import session_name
from rtsep.rt.control.command_model import CommandModel
from rtsep.rt.control.commands import BLOCK_BYTES, CommandReader, Control, lay_out
from rtsep.rt.control.desk_layout import lay_desk
from rtsep.rt.control.osc_server import LEASE_S, SUBSCRIBERS, OscServer, parse_address
from rtsep.rt.control.parameters import Parameter, mixer_parameters
from rtsep.rt.control.socket_server import ask, running_sessions, socket_folder
from rtsep.rt.control.surfaces import Surfaces
from rtsep.rt.process.shared_memory import SharedMemory

LAYOUT, _ = lay_desk(("voice-1", "voice-2", "residual"), [[0]], [0, 1, 2], 3)
PARAMETERS = mixer_parameters(LAYOUT)
STATUS = {"peak_db": [-6.0, -12.0, None], "rms_db": [-9.0], "input_peak_db": [-3.0], "f0_hz": [220.0, None]}


class Desk:
    """A session's steering, without the session; `done` is what was asked of it besides parameters."""

    def __init__(self) -> None:
        shared = SharedMemory.create(BLOCK_BYTES)
        lay_out(shared.memory)
        self.control = Control(shared, PARAMETERS)
        self.reader = CommandReader(shared.memory, len(PARAMETERS))
        self.done: list[str] = []
        self.actions: dict[str, Callable[[str], Any]] = {"mark": self.done.append}
        self.model = CommandModel(self.control, self.actions, lambda: STATUS)

    def engine_has(self, name: str) -> float:
        """What reaches the engine."""
        self.reader.poll()
        return float(self.reader.values[[p.name for p in PARAMETERS].index(name)])


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[tuple[Desk, OscClient]]:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    steered = Desk()
    with Surfaces(steered.model, "show", "0") as surfaces:
        assert surfaces.osc is not None
        steered.osc = surfaces.osc  # type: ignore[attr-defined]
        yield steered, OscClient(surfaces.osc.address)


def others(p: Parameter) -> list[float]:
    """Four values of a parameter, none of them what was there before."""
    if p.unit == "on/off":
        return [1.0 - p.default, p.default, 1.0 - p.default, p.default]
    inside = np.linspace(p.minimum, p.maximum, 7)
    return [float(v) for v in inside if v != p.default][:4]


def test_every_parameter_moves_by_every_way(
    desk: tuple[Desk, OscClient], capfd: pytest.CaptureFixture[str]
) -> None:
    steered, osc = desk
    for p in PARAMETERS:
        address = "/rtsep/" + p.name.replace(".", "/")
        by_osc, by_shell, by_socket, by_python = others(p)
        osc.send(address, by_osc)
        assert osc.ask(address) == (address, [pytest.approx(by_osc)])
        assert steered.engine_has(p.name) == pytest.approx(by_osc)
        shell = run_command(capfd, "control", p.name, f"{by_shell!r}")
        assert (shell.code, steered.engine_has(p.name)) == (0, by_shell)
        assert ask("show", {"do": "get", "name": p.name}) == by_shell
        assert ask("show", {"do": "set", "name": p.name, "value": by_socket}) == by_socket
        assert (
            float(run_command(capfd, "control", p.name, "--json").out)
            == steered.engine_has(p.name)
            == by_socket
        )
        steered.control.set(p.name, by_python)
        assert osc.ask(address) == (address, [pytest.approx(by_python)])


def test_the_list_is_the_parameters(desk: tuple[Desk, OscClient], capfd: pytest.CaptureFixture[str]) -> None:
    rows = json.loads(run_command(capfd, "control", "--list", "--json").out)
    assert [row["name"] for row in rows] == [p.name for p in PARAMETERS]
    shown = {key: value for key, value in vars(PARAMETERS[0]).items() if key != "place"}
    assert rows[0] == {**shown, "value": 0.0}
    lines = run_command(capfd, "control", "--list").out.splitlines()
    assert len(lines) == len(PARAMETERS)
    _, osc = desk
    osc.send("/rtsep/list")
    told = [osc.receive() for _ in PARAMETERS]
    assert [values[0] for _, values in told] == [p.name for p in PARAMETERS]


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["voice-1.mute", "toggle"], 1.0),
        (["voice-1.mute", "on"], 1.0),
        (["voice-1.gain", "off"], -math.inf),
        (["voice-1.gain", "-inf"], -math.inf),
        (["voice-1.gain", "--by", "-3"], -3.0),
        (["voice-1.gain", "--by", "100"], 12.0),
        (["output.ceiling", "off"], math.inf),
    ],
)
def test_words_for_values(
    desk: tuple[Desk, OscClient], capfd: pytest.CaptureFixture[str], words: list[str], value: float
) -> None:
    assert run_command(capfd, "control", *words).code == 0
    assert desk[0].engine_has(words[0]) == value


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["voice-1.gian", "-3"], "there is no parameter 'voice-1.gian'; did you mean voice-1.gain"),
        (["voice-1.gain", "40"], "voice-1.gain 40 dB is out of its range; set it to -60..12 dB"),
        (["voice-1.gain", "loud"], "voice-1.gain is a level in dB, not 'loud'"),
        (["voice-1.mute", "--by", "1"], "voice-1.mute cannot be changed by 1"),
        (["voice-1.gain", "1", "2"], "takes one value, not 2"),
        (["dance"], "there is no command 'dance'; choose mark"),
        (["voice-1.gain", "--session", "other"], "no session 'other' runs; choose show"),
    ],
)
def test_what_is_wrong_is_one_line(
    desk: tuple[Desk, OscClient], capfd: pytest.CaptureFixture[str], words: list[str], error: str
) -> None:
    done = run_command(capfd, "control", *words)
    assert done.code == 2
    assert error in done.err
    assert len(done.err.splitlines()) == 1


def test_commands_run(desk: tuple[Desk, OscClient], capfd: pytest.CaptureFixture[str]) -> None:
    steered, osc = desk
    assert run_command(capfd, "control", "mark", "second", "verse").code == 0
    assert osc.ask("/rtsep/do/mark", "third verse") == ("/rtsep/do/mark", [])
    assert steered.done == ["second verse", "third verse"]


def test_osc_answers_what_it_refuses(desk: tuple[Desk, OscClient]) -> None:
    _, osc = desk
    for address, values, words in (
        ("/rtsep/voice-9/gain", [1.0], "there is no address"),
        ("/rtsep/voice-1/gain", [99.0], "out of its range"),
        ("/rtsep/voice-1/gain", [1.0, 2.0], "is a level in dB"),
        ("/rtsep/voice-1/mute", ["maybe"], "is on or off"),
        ("/rtsep/voice-1/gain", [float("nan")], "out of its range"),
        ("/rtsep/subscribe", [1000.0], "outside 0..50"),
        ("/else", [], "there is no address"),
    ):
        told, text = osc.ask(address, *values)
        assert told == "/rtsep/error"
        assert words in text[0]


def test_bytes_that_are_no_osc_are_counted(desk: tuple[Desk, OscClient]) -> None:
    steered, osc = desk
    rng = np.random.default_rng(0)
    for _ in range(300):
        osc.raw(rng.bytes(int(rng.integers(1, 200))))
    osc.raw(b"/rtsep/voice-1/gain\0,f\0\0\0")  # cut short
    assert osc.ask_until_told("/rtsep/voice-1/gain")[1] == [0.0]  # it lives, and nothing has moved
    assert steered.osc.malformed > 100  # type: ignore[attr-defined]
    assert all(steered.control.get(p.name) == p.default for p in PARAMETERS)


def test_a_flood_leaves_the_last_value(desk: tuple[Desk, OscClient]) -> None:
    """Thousands a second: what the engine polls is always whole, and in the end the last of them."""
    steered, osc = desk
    for number in range(5000):
        osc.send("/rtsep/voice-1/gain", -float(number % 60))
    osc.send("/rtsep/voice-1/gain", -7.5)
    deadline = time.monotonic() + 30
    while steered.engine_has("voice-1.gain") != -7.5:  # a queue that ran over has lost some, not the last
        osc.send("/rtsep/voice-1/gain", -7.5)
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert steered.engine_has("voice-2.gain") == 0.0


def test_subscribers_hear_values_and_meters(desk: tuple[Desk, OscClient]) -> None:
    steered, osc = desk
    osc.send("/rtsep/subscribe", 50.0)
    heard: dict[str, list[Any]] = {}
    while len(heard) < len(PARAMETERS) + 5:
        address, values = osc.receive()
        heard[address] = values
    assert heard["/rtsep/meter/peak_db"] == [-6.0, -12.0]
    steered.control.set("voice-2.pan", 0.25)
    while heard["/rtsep/voice-2/pan"] != [0.25]:
        address, values = osc.receive()
        heard[address] = values
    osc.send("/rtsep/subscribe", 0.0)
    assert LEASE_S <= 10.0  # who does not renew it is forgotten


def test_subscribers_are_bounded(desk: tuple[Desk, OscClient]) -> None:
    steered, osc = desk
    clients = [OscClient(steered.osc.address) for _ in range(SUBSCRIBERS)]  # type: ignore[attr-defined]
    for client in clients:
        client.send("/rtsep/subscribe", 1.0)
        client.receive()
    assert "the most there can be" in osc.ask("/rtsep/subscribe", 1.0)[1][0]


def test_nonsense_on_the_socket_is_answered(desk: tuple[Desk, OscClient]) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(socket_folder() / "show.sock"))
        lines = client.makefile("rb")
        for request in (
            b"what\n",
            b"[]\n",
            b"{}\n",
            b'{"do": "fly"}\n',
            b'{"do": "set", "name": "bypass"}\n',
            b'{"do": "set", "name": "voice-1.gain", "value": 1' + b"0" * 400 + b"}\n",
            b'{"do": "set", "name": "voice-1.gain", "value": 1' + b"0" * 400 + b', "relative": true}\n',
            b"[" * 30_000 + b"\n",
        ):
            client.sendall(request)
            assert "problem" in json.loads(lines.readline())
    assert ask("show", {"do": "get", "name": "bypass"}) == 0.0


def test_clients_that_say_nothing_hold_nobody_up(desk: tuple[Desk, OscClient]) -> None:
    """More of them than would have to time out one by one within the patience of who asks."""
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            silent = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            silent.connect(str(socket_folder() / "show.sock"))
        assert ask("show", {"do": "get", "name": "bypass"}) == 0.0


def test_a_command_that_fails_is_told_and_the_ways_stay_open(
    desk: tuple[Desk, OscClient], capfd: pytest.CaptureFixture[str]
) -> None:
    """A full disk as a take begins must not take the steering away for the rest of the show."""

    def fails(words: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    steered, osc = desk
    steered.actions["record"] = fails
    address, (words,) = osc.ask("/rtsep/do/record", "start")
    assert (address, "No space left on device" in words) == ("/rtsep/error", True)
    done = run_command(capfd, "control", "record", "start")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "record has failed" in done.err
    assert osc.ask("/rtsep/voice-1/gain")[1] == [0.0]
    assert ask("show", {"do": "get", "name": "bypass"}) == 0.0


def test_a_killed_session_leaves_its_name_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    killed = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    killed.bind(str(socket_folder() / "show.sock"))
    killed.close()  # the file stays, nobody listens
    with Surfaces(Desk().model, "show") as surfaces:
        assert surfaces.notes == []
        assert ask("show", {"do": "get", "name": "bypass"}) == 0.0


def test_only_the_user_reaches_the_socket(desk: tuple[Desk, OscClient]) -> None:
    assert os.stat(socket_folder()).st_mode & 0o077 == 0


def test_no_session_and_several(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    done = run_command(capfd, "control", "bypass")
    assert (done.code, done.err) == (2, "rtsep: error: no session runs; start one: rtsep --input mic\n")
    for options, last, stems in (
        ((), "voice-4", 5),
        (("--voices", "2"), "voice-2", 3),
        (("--stems", "drums,bass"), "bass", 3),
    ):
        done = run_command(capfd, "control", "--list", "--json", *options)
        names = [row["name"] for row in json.loads(done.out)]
        assert f"{last}.gain" in names
        assert sum(name.endswith(".solo") for name in names) == stems
    assert "--list" in run_command(capfd, "control", "bypass", "--voices", "2").err
    with Surfaces(Desk().model, "a"), Surfaces(Desk().model, "b"):
        assert running_sessions() == ["a", "b"]
        done = run_command(capfd, "control", "bypass")
        assert "2 sessions run; choose one: --session a or b" in done.err
        assert run_command(capfd, "control", "bypass", "--session", "b").out == "0\n"
    assert running_sessions() == []
    stale = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    stale.bind(str(tmp_path / "rtsep" / "killed.sock"))
    stale.close()
    assert running_sessions() == []
    assert not (tmp_path / "rtsep" / "killed.sock").exists()


def test_addresses_and_names_that_are_none() -> None:
    assert parse_address("9000", "--osc") == ("127.0.0.1", 9000)
    assert parse_address("0.0.0.0:9000", "--osc") == ("0.0.0.0", 9000)
    for wrong in ("", "x", "1:2:x", "99999", "host:"):
        with pytest.raises(RtsepError, match="is no port"):
            parse_address(wrong, "--osc")
    for wrong in ("", "../x", "a/b", "x" * 41, ".hidden"):
        with pytest.raises(RtsepError, match="is no name"):
            session_name(wrong)
    assert session_name("choir-left") == "choir-left"


def test_a_port_that_is_taken_is_told() -> None:
    desk = Desk()
    with (
        OscServer(desk.model, ("127.0.0.1", 0)) as first,
        pytest.raises(RtsepError, match="cannot be listened on"),
    ):
        OscServer(desk.model, first.address)


def test_a_status_that_cannot_be_had_takes_no_fader_away(
    desk: tuple[Desk, OscClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    steered, osc = desk

    def fails() -> dict[str, Any]:
        raise ValueError("the memory is gone")

    monkeypatch.setattr(steered.model, "status", fails)
    osc.send("/rtsep/subscribe", 50.0)
    server = steered.osc  # type: ignore[attr-defined]
    deadline = time.monotonic() + 30.0
    while not (news := server.take_news()):
        assert time.monotonic() < deadline, "nobody is told"
        time.sleep(0.02)
    assert news == ["OSC: ValueError the memory is gone"]
    osc.send("/rtsep/voice-1/gain", -5.0)
    while steered.control.get("voice-1.gain") != -5.0:
        assert time.monotonic() < deadline, "the thread has died"
        time.sleep(0.02)
    with pytest.raises(RtsepError, match="the memory is gone"):
        ask("show", {"do": "status"})


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_died_is_told_and_started_again(
    desk: tuple[Desk, OscClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    steered, osc = desk
    server = steered.osc  # type: ignore[attr-defined]
    with monkeypatch.context() as planted:
        planted.setattr(server, "_feed_subscribers", lambda: sys.exit("planted"))
        server._thread.join(30.0)
    assert server.take_news() == ["the OSC thread had died: it is started again"]
    assert osc.ask("/rtsep/voice-1/gain")[1] == [0.0]

"""Names, connections and ports of the JACK client, without a server."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rtsep.kernels.errors import DeviceRefused, RtsepError
from rtsep.rt.drivers.jack_options import LONGEST_NAME, JackOptions
from rtsep.rt.drivers.jack_ports import JackPlan, check_wires, default_wires
from rtsep.rt.drivers.jack_server import GraphPort
from rtsep.rt.drivers.wire_file import Remembered, remembered, wire_file
from rtsep.rt.live.jack_choice import wanted_wires
from rtsep.rt.live.settings import jack_settings
from rtsep.rt.process.state_folder import state_folder

PLAN = JackPlan("rtsep", ["in_1"], ["voice-1", "voice-2", "residual"])
PORTS = [
    *(GraphPort(f"system:capture_{i}", True, True) for i in (1, 2)),
    *(GraphPort(f"system:playback_{i}", False, True) for i in (1, 2)),
    GraphPort("mixer:send", True, False),
]


@pytest.mark.parametrize(
    ("connect", "words"),
    [
        ("system:capture_1", "not of the form"),
        ("system:capture_1>", "not of the form"),
        ("a:b>in_1>c", "not of the form"),
        ("system:capture_1>system:playback_1", "no port of rtsep"),
        ("in_1>voice-1", "two ports of rtsep"),
        (" ; ", "names no connection"),
    ],
)
def test_connections_that_cannot_be_read_are_refused(connect: str, words: str) -> None:
    with pytest.raises(RtsepError, match=words) as refused:
        JackOptions(connect=connect)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["", "a:b", "a/b", "x" * (LONGEST_NAME + 1), "new\nline"])
def test_names_that_jack_does_not_take_are_refused(name: str) -> None:
    with pytest.raises(RtsepError, match="JACK client name"):
        JackOptions(name)


def test_options_of_jack_choose_the_driver() -> None:
    assert jack_settings(None, None) is None
    assert jack_settings("portaudio", None) is None
    assert jack_settings("jack", None) == {"name": "rtsep", "connect": None, "restore": True}
    assert jack_settings(None, JackOptions("desk")) == {"name": "desk", "connect": None, "restore": True}
    with pytest.raises(RtsepError, match="driver jack"):
        jack_settings("portaudio", JackOptions())


@pytest.mark.parametrize(
    ("wire", "words", "near"),
    [
        (("system:capture_9", "in_1"), "no port 'system:capture_9'", "system:capture_1"),
        (("system:capture_1", "in_3"), "no input port 'in_3'", "in_1"),
        (("voice-9", "system:playback_1"), "no output port 'voice-9'", "voice-1"),
        (("system:playback_1", "in_1"), "is an input itself", "system:capture_1"),
        (("voice-1", "mixer:send"), "is an output itself", "rtsep devices"),
    ],
)
def test_a_port_that_is_not_there_is_named_with_those_that_come_near(
    wire: tuple[str, str], words: str, near: str
) -> None:
    with pytest.raises(DeviceRefused) as refused:
        check_wires([wire], PLAN, PORTS)
    assert words in refused.value.problem
    assert near in refused.value.remedy


def test_a_client_that_is_not_there_may_come() -> None:
    check_wires([("ardour:out", "in_1"), ("voice-1", "system:playback_2")], PLAN, PORTS)


def test_stems_take_turns_at_the_physical_outputs() -> None:
    assert default_wires(PLAN, PORTS, "mic", None, [2], None) == [
        ("system:capture_2", "in_1"),
        ("voice-1", "system:playback_1"),
        ("voice-2", "system:playback_2"),
        ("residual", "system:playback_1"),
    ]
    assert default_wires(PLAN, PORTS, "mixer", None, [1], [2])[:2] == [
        ("mixer:send", "in_1"),
        ("voice-1", "system:playback_2"),
    ]
    with pytest.raises(DeviceRefused, match=r"outside 1\.\.2"):
        default_wires(PLAN, PORTS, None, None, [3], None)
    with pytest.raises(DeviceRefused, match="no JACK client"):
        default_wires(PLAN, PORTS, "ardour", None, [1], None)


def test_a_port_without_wires_stays_without_once_it_was_seen() -> None:
    """It may have been disconnected by hand; a stem that never ran is connected."""
    known = Remembered(["in_1", "voice-1"], [("mixer:send", "in_1")])
    usual = default_wires(PLAN, PORTS, None, None, [1], None)
    assert wanted_wires(None, known, usual) == [
        ("mixer:send", "in_1"),
        ("voice-2", "system:playback_2"),
        ("residual", "system:playback_1"),
    ]
    assert wanted_wires([], known, usual) == [("mixer:send", "in_1")]


def test_a_file_that_holds_something_else_is_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_folder() == tmp_path / "rtsep"
    path = wire_file(tmp_path, "rtsep")
    assert remembered(tmp_path, "rtsep") == Remembered([], [])
    for broken in ("", "[]", '{"ports": []}', '{"ports": [], "wires": [["a"]]}', "\xff"):
        path.write_bytes(broken.encode("latin-1"))
        assert remembered(tmp_path, "rtsep") == Remembered([], [])
    path.write_text(json.dumps({"ports": ["in_1"], "wires": [["a:b", "in_1"], ["a:b", "c:d"]]}))
    assert remembered(tmp_path, "rtsep") == Remembered(["in_1"], [("a:b", "in_1")])


def test_a_missing_library_is_one_line_with_the_remedy() -> None:
    script = (
        "from rtsep.rt.drivers import jack_server; jack_server.LIBRARIES[:] = ['libnobody.so.7']; "
        "jack_server.look('rtsep')"
    )
    refused = subprocess.run([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True, check=False)
    words = refused.stderr.strip().splitlines()[-1]
    assert "JACK library cannot be loaded (libnobody.so.7" in words
    assert "apt install libjack-jackd2-0" in words

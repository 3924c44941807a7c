"""A map of a controller: read with every fault named, edited line by line, and the law of its faders."""

import math
from pathlib import Path

import pytest
from helpers.web_desk import WebDesk
from hypothesis import given
from hypothesis import strategies as st

from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.midi.binding import Binding
from rtsep.rt.control.midi.desk_map import DeskMap
from rtsep.rt.control.midi.fader_law import FaderLaw
from rtsep.rt.control.midi.map_file import MapRefused, parse_map, read_map, save_target
from rtsep.rt.control.midi.messages import BITS, HIGHEST, Address, Decoder, encode, raw_of, way_of

DESK = WebDesk()
BY_NAME = {p.name: p for p in DESK.parameters}
EXAMPLE = Path(__file__).parents[4] / "examples" / "eight_faders.toml"


def parse(text: str) -> tuple[Binding, ...]:
    return parse_map(text, "desk.toml", DESK.parameters, ["mark", "record"]).bindings


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('[parameters]\n"voice-1.gian" = { cc = 7 }', "desk.toml: voice-1.gian: there is no such parameter"),
        ('[parameters]\n"voice-1.gain" = { cc = 128 }', "voice-1.gain: cc: 128 is not a whole number 0..127"),
        ('[parameters]\n"voice-1.gain" = { cc = true }', "cc: True is not a whole number"),
        ('[parameters]\n"voice-1.gain" = { cc14 = 32 }', "cc14: 32 is not a whole number 0..31"),
        ('[parameters]\n"voice-1.gain" = { cc = 7, channel = 0 }', "channel: 0 is not a whole number 1..16"),
        ('[parameters]\n"voice-1.gain" = { cc = 7, note = 3 }', "needs one of cc, cc14, nrpn"),
        ('[parameters]\n"voice-1.gain" = { cc = 7, speed = 3 }', "speed: there is no such key"),
        ('[parameters]\n"voice-1.gain" = { bend = 3 }', "bend: 3 is not true"),
        ('[parameters]\n"voice-1.gain" = 7', "voice-1.gain: is no table"),
        ('[parameters]\n"voice-1.gain" = { cc = 7, range = [0, 40] }', "gain 40 dB is out of its range"),
        ('[parameters]\n"voice-1.gain" = { cc = 7, range = [0, 0] }', "range: 0 is both ends"),
        ('[parameters]\n"voice-1.gain" = { cc = 7, range = 3 }', "range: 3 is not [LOW, HIGH]"),
        ('[parameters]\n"voice-1.mute" = { cc = 7, mode = "hold" }', "mode: 'hold' is none of toggle"),
        ('[parameters]\n"voice-1.mute" = { program = 7, mode = "momentary" }', "a program has no end"),
        ('[parameters]\n"voice-1.gain" = { cc = 7, pick-up = 1 }', "pick-up: 1 is neither true nor false"),
        ('[actions]\n"dance" = { note = 7 }', "dance: there is no such action, choose mark or record"),
        ('[actions]\n"mark a" = { note = 7, mode = "toggle" }', "an action has neither range nor mode"),
        ("[faders]\n", "desk.toml: faders: there is no such table"),
        ("parameters = 3\n", "desk.toml: parameters: is no table"),
        ("[parameters\n", "desk.toml: Expected ']'"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_file_and_key(text: str, fault: str) -> None:
    with pytest.raises(MapRefused, match=r"desk\.toml") as refused:
        parse(text)
    (line,) = refused.value.faults
    assert fault in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("table", "target", "entry", "fault"),
    [
        ("parameters", "voice-1.gain", 'cc = 7, encoder = "up"', "encoder: 'up' is none of twos-complement"),
        ("parameters", "voice-1.mute", 'cc = 7, encoder = "offset-64"', "an endless knob is a cc"),
        ("parameters", "voice-1.gain", 'bend = true, encoder = "offset-64"', "an endless knob is a cc"),
        ("parameters", "voice-1.gain", 'cc = 7, encoder = "offset-64", pick-up = true', "neither mode nor"),
        ("actions", "mark a", 'cc = 7, encoder = "offset-64"', "an endless knob is a cc"),
    ],
)
def test_an_endless_knob_is_a_control_change_of_a_value(
    table: str, target: str, entry: str, fault: str
) -> None:
    with pytest.raises(MapRefused) as refused:
        parse(f'[{table}]\n"{target}" = {{ {entry} }}')
    assert fault in refused.value.faults[0]


def test_all_faults_are_told_at_once() -> None:
    text = '[parameters]\n"voice-1.gain" = { cc = 200 }\n"voice-2.gain" = { cc = 1, x = 2 }\n'
    with pytest.raises(MapRefused) as refused:
        parse(text)
    assert len(refused.value.faults) == 2
    assert "(and 1 more)" in str(refused.value)


def test_stems_of_another_session_are_left_alone() -> None:
    found = parse_map(
        '[parameters]\n"voice-4.gain" = { cc = 7 }\n"voice-1.to-8" = { note = 8 }\n', "d", DESK.parameters, []
    )
    assert found.bindings == ()
    assert found.others == ("voice-4.gain", "voice-1.to-8")


def test_files_that_are_none(tmp_path: Path) -> None:
    assert read_map(tmp_path / "new.toml", DESK.parameters, []).bindings == ()
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(MapRefused, match=r"bytes\.toml: no UTF-8"):
        read_map(tmp_path / "bytes.toml", DESK.parameters, [])
    with pytest.raises(RtsepError, match="directory"):
        read_map(tmp_path, DESK.parameters, [])


def test_the_example_is_a_map() -> None:
    found = read_map(EXAMPLE, DESK.parameters, ["mark", "record"])
    assert {b.target for b in found.bindings} >= {"voice-1.gain", "output.gain", "mark cue", "record start"}
    assert "voice-3.gain" in found.others  # of four voices


def test_an_edit_keeps_all_other_lines(tmp_path: Path) -> None:
    path = tmp_path / "maps" / "desk.toml"
    gain = Binding("voice-1.gain", False, Address("cc", 1, 7))
    save_target(path, "voice-1.gain", False, [gain])  # makes folder and file
    assert parse(path.read_text()) == (gain,)
    text = '# my desk\n[parameters]\n"voice-1.gain" = { cc = 7 } # left\n"voice-9.pan" = { cc = 9 }\n'
    path.write_text(text + "\n[actions]\n")
    moved = Binding("voice-1.gain", False, Address("bend", 3, 0), (-20.0, 0.0), "linear", None, True, False)
    save_target(path, "voice-1.gain", False, [moved])
    assert parse(path.read_text()) == (moved,)
    kept = path.read_text().splitlines()
    assert (kept[0], kept[3]) == ("# my desk", '"voice-9.pan" = { cc = 9 }')
    both = [gain, Binding("voice-1.gain", False, Address("note", 2, 60), mode="momentary")]
    save_target(path, "voice-1.gain", False, both)
    save_target(path, 'mark "one"', True, [Binding('mark "one"', True, Address("program", 16, 3))])
    assert parse(path.read_text()) == (*both, Binding('mark "one"', True, Address("program", 16, 3)))
    save_target(path, "voice-1.gain", False, [])
    save_target(path, 'mark "one"', True, [])
    assert parse(path.read_text()) == ()
    assert path.read_text().startswith('# my desk\n[parameters]\n"voice-9.pan" = { cc = 9 }\n')
    assert list(path.parent.iterdir()) == [path]


def test_an_entry_in_a_form_of_its_own_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "desk.toml"
    path.write_text('[parameters."voice-1.gain"]\ncc = 3\n[parameters."voice-1.pan"]\ncc = 4\n')
    save_target(path, "voice-1.gain", False, [Binding("voice-1.gain", False, Address("cc", 1, 9))])
    assert {(b.target, b.address.number) for b in parse(path.read_text())} == {
        ("voice-1.gain", 9), ("voice-1.pan", 4)
    }  # fmt: skip


def test_a_disk_that_takes_nothing_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    binding = Binding("voice-1.gain", False, Address("cc", 1, 7))
    with pytest.raises(RtsepError, match="cannot be written"):
        save_target(tmp_path / "file" / "desk.toml", "voice-1.gain", False, [binding])


@pytest.mark.parametrize("bits", [7, 14])
def test_the_way_of_a_fader_is_whole(bits: int) -> None:
    """Ends and centre are exact, and every step comes back."""
    top = (1 << bits) - 1
    assert [way_of(raw, bits) for raw in (0, 1 << (bits - 1), top)] == [0.0, 0.5, 1.0]
    assert all(raw_of(way_of(raw, bits), bits) == raw for raw in range(top + 1))


@given(st.sampled_from([p for p in DESK.parameters if p.unit != "on/off"]), st.floats(0, 1), st.booleans())
def test_a_law_goes_one_way_and_back(parameter: object, way: float, linear: bool) -> None:
    law = FaderLaw(parameter, linear=linear)  # type: ignore[arg-type]
    value = law.value(way)
    assert law.parameter.checked(value) == value
    assert law.value(law.way(value)) == pytest.approx(value, abs=1e-9)
    assert law.value(min(1.0, way + 0.1)) >= value


def test_a_gain_is_a_desk_fader() -> None:
    """Off at the bottom, 0 dB at 78 % of the way and 12 dB at the top, as the mixer page draws it."""
    law = FaderLaw(BY_NAME["voice-1.gain"])
    assert [law.value(way) for way in (0.0, 0.02, 0.06, 0.78, 1.0)] == [
        -math.inf,
        -math.inf,
        -60.0,
        0.0,
        12.0,
    ]
    assert FaderLaw(BY_NAME["voice-1.pan"]).value(0.5) == 0.0
    assert FaderLaw(BY_NAME["output.ceiling"]).value(1.0) == math.inf
    narrow = FaderLaw(BY_NAME["voice-1.gain"], 0.0, -20.0)  # and the other way round
    assert [narrow.value(0.0), narrow.value(1.0)] == [pytest.approx(0.0), pytest.approx(-20.0)]
    assert narrow.way(-math.inf) == 1.0


@given(
    st.sampled_from([kind for kind in HIGHEST if kind != "program"]), st.integers(1, 16),
    st.integers(0, 16383), st.integers(0, 16383),
)  # fmt: skip
def test_what_is_told_is_what_is_heard(kind: str, channel: int, number: int, raw: int) -> None:
    """A controller that sends back what it is told has moved to the same place."""
    address = Address(kind, channel, number % (HIGHEST[kind] + 1))  # type: ignore[arg-type, index]
    raw %= 1 << BITS[address.kind]
    decoder = Decoder()
    moves = [move for message in encode(address, raw) for move in decoder.moves(message)]
    assert [move.raw for move in moves if move.address == address][-1] == raw


@given(st.lists(st.lists(st.integers(0, 255), max_size=6), max_size=20))
def test_no_bytes_do_harm(messages: list[list[int]]) -> None:
    decoder = Decoder()
    for message in messages:
        for move in decoder.moves(message):
            assert 0.0 <= move.way <= 1.0


def test_rpn_data_is_no_nrpn() -> None:
    decoder = Decoder()
    for message in encode(Address("nrpn", 1, 5), 100)[:2]:
        decoder.moves(message)
    decoder.moves([0xB0, 101, 0])  # pitch bend range of the same channel
    assert all(move.address.kind != "nrpn" for move in decoder.moves([0xB0, 6, 12]))


def test_a_map_that_is_refused_stops_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "desk.toml"
    path.write_text('[parameters]\n"bypass" = { note = 400 }\n')
    with pytest.raises(MapRefused, match=r"desk\.toml: bypass: note: 400"):
        DeskMap(DESK.model, path)

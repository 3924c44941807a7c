"""What moves on a controller moves parameters: pick-up, buttons, feedback, learning; one look at a time."""

import math
from collections.abc import Iterable
from pathlib import Path

import pytest
from helpers.web_desk import WebDesk

from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.midi.bound_control import BUTTON_S, HAND_S
from rtsep.rt.control.midi.desk_map import DeskMap
from rtsep.rt.control.midi.learner import LISTEN_S, PATIENCE_S, Learner
from rtsep.rt.control.midi.messages import Address, Decoder, raw_of


class Table:
    """A desk, a map, and a clock that moves when told to."""

    def __init__(self, folder: Path, text: str = "", *, told: bool = True) -> None:
        self.desk = WebDesk()
        self.path = folder / "desk.toml"
        self.path.write_text(text)
        self.map = DeskMap(self.desk.model, self.path)
        self.map.begin(told)
        self.decoder = Decoder()
        self.now = 100.0

    def move(self, *messages: list[int]) -> list[str]:
        """All within one look."""
        self.now += 0.01
        return self.map.take([m for message in messages for m in self.decoder.moves(message)], self.now)

    def told(self, later_s: float = 1.0, most: int = 100) -> list[list[int]]:
        self.now += later_s
        return self.map.news(self.desk.model.values(), self.now, most)

    def get(self, name: str) -> float:
        return self.desk.model.get(name)


def cc(number: int, values: Iterable[int]) -> list[list[int]]:
    return [[0xB0, number, value] for value in values]


ZERO_DB = raw_of(0.78, 7)
GAIN = '[parameters]\n"voice-1.gain" = { cc = 7 }\n'


def test_a_fader_that_stands_elsewhere_moves_nothing_until_it_passes(tmp_path: Path) -> None:
    table = Table(tmp_path, GAIN)
    for value in (10, 20, 30):
        table.move(*cc(7, [value]))
        assert table.get("voice-1.gain") == 0.0
    table.move(*cc(7, [ZERO_DB + 10]))  # in one stroke past 0 dB
    assert table.get("voice-1.gain") > 0.0
    table.move(*cc(7, [0]))
    assert table.get("voice-1.gain") == -math.inf  # it has it, whatever the step
    table.desk.control.set("voice-1.gain", 6.0)  # somebody else
    table.move(*cc(7, [5]))
    assert table.get("voice-1.gain") == 6.0


def test_one_look_that_goes_past_is_enough(tmp_path: Path) -> None:
    """Of a flood between two looks the last value counts, and the way to it."""
    table = Table(tmp_path, GAIN)
    table.move(*cc(7, range(10, 120)))
    assert table.get("voice-1.gain") > 5.0


def test_without_pick_up_and_with_motors_it_follows_at_once(tmp_path: Path) -> None:
    text = '[parameters]\n"voice-1.gain" = { cc = 7, pick-up = false }\n"voice-2.gain" = { bend = true }\n'
    table = Table(tmp_path, text)
    table.move(*cc(7, [0]), [0xE0, 0, 0])
    assert table.get("voice-1.gain") == table.get("voice-2.gain") == -math.inf
    deaf = Table(tmp_path, text, told=False)  # no way to it, so no motor
    deaf.move([0xE0, 0, 0])
    assert deaf.get("voice-2.gain") == 0.0


def test_buttons_toggle_or_hold(tmp_path: Path) -> None:
    table = Table(
        tmp_path,
        '[parameters]\n"voice-1.mute" = { cc = 48 }\n"voice-2.mute" = { note = 60 }\n'
        '"bypass" = { note = 61, mode = "momentary" }\n"output.dim" = { program = 5 }\n'
        '"output.gain" = { note = 62, range = [0, -20] }\n',
    )
    for on in (1.0, 0.0):
        table.move(*cc(48, [127]), *cc(48, [0]), [0x90, 60, 100], [0x80, 60, 0], [0xC0, 5], [0x90, 62, 1])
        names = ("voice-1.mute", "voice-2.mute", "output.dim")
        assert [table.get(name) for name in names] == [on] * 3
        assert table.get("output.gain") == -20.0 * on
    table.move(*cc(48, [127]), *cc(48, [127]))  # a value that stays high is one press
    assert table.get("voice-1.mute") == 1.0
    table.move([0x90, 60, 1], [0x80, 60, 0], [0x90, 60, 1], [0x80, 60, 0])  # twice within a look
    assert table.get("voice-2.mute") == 0.0
    table.move([0x90, 61, 1])
    assert table.get("bypass") == 1.0
    table.move([0x90, 61, 0])  # a note of no velocity ends it
    assert table.get("bypass") == 0.0


def test_actions_run_once_a_press_and_their_refusals_are_told(tmp_path: Path) -> None:
    table = Table(tmp_path, '[actions]\n"mark second verse" = { cc = 60 }\n')
    for _ in range(2):
        assert table.move(*cc(60, [100, 110, 127, 0])) == []
    assert table.desk.done == ["second verse"] * 2

    def refuse(words: str) -> None:
        raise RtsepError("no take is being recorded", "start one")

    table.desk.actions["mark"] = refuse
    assert table.move(*cc(60, [127])) == ["MIDI: no take is being recorded; start one"]


def test_the_controller_shows_what_others_have_set(tmp_path: Path) -> None:
    text = (
        '[parameters]\n"voice-1.gain" = { bend = true, channel = 2 }\n"voice-1.mute" = { note = 60 }\n'
        '"voice-1.pan" = { cc = 10, feedback = false }\n'
    )
    table = Table(tmp_path, text)
    raw = raw_of(0.78, 14)
    assert table.told() == [[0xE1, raw & 127, raw >> 7], [0x90, 60, 0]]  # what is at the start
    assert table.told() == []
    table.desk.model.update({"voice-1.gain": 12.0, "voice-1.mute": 1.0, "voice-1.pan": 0.5})
    assert table.told() == [[0xE1, 127, 127], [0x90, 60, 127]]
    assert Table(tmp_path, text, told=False).told() == []


def test_a_motor_leaves_a_hand_alone_and_an_echo_is_no_move(tmp_path: Path) -> None:
    table = Table(tmp_path, '[parameters]\n"voice-1.gain" = { bend = true }\n')
    table.told()
    table.move([0xE0, 0, 64])
    table.desk.control.set("voice-1.gain", -6.1)
    assert table.told(HAND_S / 2) == []
    (sent,) = table.told(HAND_S)
    table.move(sent)  # the motor has arrived and says so: the value is not rounded to its steps
    assert table.get("voice-1.gain") == -6.1
    assert table.told() == []


def test_a_light_is_set_again_after_the_press(tmp_path: Path) -> None:
    table = Table(tmp_path, '[parameters]\n"voice-1.mute" = { note = 60 }\n')
    table.told()
    table.move([0x90, 60, 127], [0x90, 60, 0])  # its own light goes out when it is let go
    assert table.told(2 * BUTTON_S) == [[0x90, 60, 127]]


def test_no_more_than_a_cable_carries_and_all_in_turn(tmp_path: Path) -> None:
    lines = [f'"{name}" = {{ cc = {n} }}' for n, name in enumerate(WebDesk().control.values())]
    table = Table(tmp_path, "[parameters]\n" + "\n".join(lines))
    told = []
    while news := table.told(0.1, 4):
        assert len(news) <= 4
        told += [number for _, number, _ in news]
    assert sorted(told) == list(range(len(lines)))


def learner(target: str, *, switch: bool = False, action: bool = False) -> Learner:
    return Learner(target, action, switch or action, 0.0)


@pytest.mark.parametrize(
    ("messages", "switch", "found"),
    [
        (cc(7, range(20)), False, Address("cc", 1, 7)),
        ([[0xB2, n, v] for v in range(9) for n in (7, 39)], False, Address("cc14", 3, 7)),
        ([[0x90, 104, 127], [0xE0, 1, 2], [0xE0, 3, 4], [0x90, 104, 0]], False, Address("bend", 1, 0)),
        ([[0xB0, 99, 1], [0xB0, 98, 2], [0xB0, 6, 3], [0xB0, 38, 4]], False, Address("nrpn", 1, 130)),
        ([[0x91, 60, 127], [0x91, 60, 0]], True, Address("note", 2, 60)),
        ([[0xC0, 9]], True, Address("program", 1, 9)),
        ([*cc(1, [3]), *cc(2, range(50))], False, Address("cc", 1, 2)),  # beside a knob that trembles
    ],
)
def test_learning_finds_the_control(messages: list[list[int]], switch: bool, found: Address) -> None:
    decoder, waits = Decoder(), learner("x", switch=switch)
    decoder.moves([0xB0, 4, 9])  # heard before: makes no 14 bit control of what follows
    assert waits.found(50.0) is None
    for message in messages:
        for move in decoder.moves(message):
            waits.add(move, 50.0)
    assert waits.found(50.0 + LISTEN_S / 2) is None
    assert waits.found(50.1 + LISTEN_S) == found


def test_a_finger_that_leaves_begins_nothing_and_nobody_waits_for_ever() -> None:
    waits = learner("x")
    for move in Decoder().moves([0x80, 60, 0]):
        waits.add(move, 1.0)
    assert waits.found(2.0) is None
    assert (waits.is_late(PATIENCE_S), waits.is_late(PATIENCE_S + 1)) == (False, True)


def test_what_is_learnt_is_kept_and_taken_from_what_it_moved(tmp_path: Path) -> None:
    table = Table(tmp_path, '# mine\n[parameters]\n"voice-2.gain" = { cc = 7, range = [-20, 0] }\n')
    waits = learner("voice-1.gain")
    for move in table.decoder.moves([0xB0, 7, 30]):
        waits.add(move, 1.0)
    (words,) = table.map.learn(waits, Address("cc", 1, 7))
    assert "voice-1.gain follows control change 7 on channel 1; voice-2.gain no longer" in words
    assert table.path.read_text() == '# mine\n[parameters]\n"voice-1.gain" = { cc = 7, channel = 1 }\n'
    table.move(*cc(7, [ZERO_DB + 5]))  # from where it was when it was learnt, past 0 dB
    assert table.get("voice-1.gain") > 0.0
    assert table.map.lines() == ["voice-1.gain             control change 7 on channel 1"]
    assert table.map.forget("voice-1.gain") == 1
    assert "voice-1.gain" not in table.path.read_text()
    with pytest.raises(RtsepError, match=r"voice-1\.gain follows no control"):
        table.map.forget("voice-1.gain")
    with pytest.raises(RtsepError, match="there is no parameter"):
        table.map.forget("voice-1.gian")
    with pytest.raises(RtsepError, match="there is no parameter"):
        table.map.look_up("voice-1.gian")
    assert table.map.look_up("mark second verse") == (True, True)


def test_another_fader_keeps_range_and_curve(tmp_path: Path) -> None:
    table = Table(tmp_path, '[parameters]\n"voice-1.gain" = { cc = 7, range = [-20, 0] }\n')
    waits = learner("voice-1.gain")
    for move in table.decoder.moves([0xB0, 8, 30]):
        waits.add(move, 1.0)
    table.map.learn(waits, Address("cc", 1, 8))
    assert '"voice-1.gain" = { cc = 8, channel = 1, range = [-20.0, 0.0] }' in table.path.read_text()


def test_controls_follow_stems_that_come_and_go(tmp_path: Path) -> None:
    """What a map names and this desk has not rests, and works once the stem is there; what has gone moves
    nothing, is told nothing, and works again when it is back. What was learnt meanwhile stays.
    """
    text = "".join(
        f'"voice-{voice}.gain" = {{ cc = {voice}, pick-up = false, feedback = false }}\n'
        for voice in (1, 2, 3)
    )
    table = Table(tmp_path, "[parameters]\n" + text)
    assert table.map.follow() == []
    table.move(*cc(3, [127]), *cc(2, [127]))
    assert table.get("voice-2.gain") == 12.0
    table.desk.set_stems(("voice-1", "voice-2", "voice-3", "residual"))
    assert table.map.follow() == []
    table.move(*cc(3, [127]))
    assert table.get("voice-3.gain") == 12.0
    learner = Learner("voice-3.pan", False, False, table.now)
    for value in (1, 40, 90):
        learner.add(next(iter(table.decoder.moves([0xB0, 50, value]))), table.now)
    table.map.learn(learner, Address("cc", 1, 50))
    table.desk.set_stems(("voice-1", "residual"))
    assert table.map.follow() == []
    assert table.move(*cc(3, [0]), *cc(2, [0]), *cc(1, [0])) == []
    assert table.told() == []
    assert table.get("voice-1.gain") == -math.inf
    assert [line.split()[0] for line in table.map.lines()].count("voice-3.gain") == 1
    table.desk.set_stems(("voice-1", "voice-2", "voice-3", "residual"))
    table.map.follow()
    assert (table.get("voice-2.gain"), table.get("voice-3.gain")) == (12.0, 12.0)
    table.move(*cc(2, [0]), *cc(50, [0, 127]))
    assert (table.get("voice-2.gain"), table.get("voice-3.pan")) == (-math.inf, 1.0)


TICKS = {
    "twos-complement": {1: 1, 5: 5, 127: -1, 120: -8},
    "signed-bit": {1: 1, 5: 5, 65: -1, 72: -8},
    "offset-64": {65: 1, 69: 5, 63: -1, 56: -8, 64: 0},
}


@pytest.mark.parametrize("encoding", list(TICKS))
def test_an_endless_knob_goes_on_from_where_the_value_is(tmp_path: Path, encoding: str) -> None:
    table = Table(tmp_path, f'[parameters]\n"voice-1.pan" = {{ cc = 7, encoder = "{encoding}" }}\n')
    table.desk.control.set("voice-1.pan", 0.0)
    for raw, turned in TICKS[encoding].items():
        before = table.get("voice-1.pan")
        table.move(*cc(7, [raw]))
        assert table.get("voice-1.pan") - before == pytest.approx(2 * turned / 127)
    table.desk.control.set("voice-1.pan", 0.5)  # somebody else
    one, _, left, *_ = TICKS[encoding]
    table.move(*cc(7, [one, one, left]))  # within one look: their sum
    assert table.get("voice-1.pan") == pytest.approx(0.5 + 2 / 127)
    table.move(*cc(7, [one] * 200))
    assert table.get("voice-1.pan") == 1.0
    table.move(*cc(7, [left]))
    assert table.get("voice-1.pan") < 1.0
    assert table.told() == []  # it stands nowhere, so nothing is sent to it


def test_an_endless_knob_turns_a_fader_up_from_off(tmp_path: Path) -> None:
    """The last steps before off are one value: it is the turns that are counted."""
    table = Table(tmp_path, '[parameters]\n"voice-1.gain" = { cc = 7, encoder = "signed-bit" }\n')
    table.desk.control.set("voice-1.gain", -math.inf)
    for _ in range(ZERO_DB):
        table.move(*cc(7, [1]))
    assert table.get("voice-1.gain") == pytest.approx(0.0, abs=0.3)
    for _ in range(ZERO_DB):
        table.move(*cc(7, [65]))
    assert table.get("voice-1.gain") == -math.inf


def learnt(table: Table, raws: Iterable[int], until_s: float = 5.0) -> str:
    learner = Learner("voice-1.gain", False, False, table.now)
    for message in cc(16, raws):
        for move in table.decoder.moves(message):
            learner.add(move, table.now)
    address = learner.found(table.now + until_s)
    assert address is not None
    table.map.learn(learner, address)
    return table.path.read_text()


@pytest.mark.parametrize(
    ("raws", "encoding"),
    [
        ((1, 1, 2, 127, 126, 127), "twos-complement"),
        ((127, 127, 127), "twos-complement"),
        ((1, 1, 1, 65, 65), "signed-bit"),
        ((65, 65, 63, 62), "offset-64"),
        ((63, 63, 63), "offset-64"),
        (range(1, 12), None),  # a fader from its lower end
        ((70, 68, 66, 65, 64, 62, 60), None),  # one through its middle
        ((1, 1, 40, 80, 120), None),
    ],
)
def test_turning_tells_an_endless_knob_from_a_fader(
    tmp_path: Path, raws: Iterable[int], encoding: str | None
) -> None:
    text = learnt(Table(tmp_path), raws)
    assert (f'encoder = "{encoding}"' in text) if encoding else ("encoder" not in text)


@pytest.mark.parametrize("raws", [(1, 1, 2, 1), (65, 65, 66)])
def test_turned_to_one_side_it_may_be_two_kinds_and_is_waited_for(tmp_path: Path, raws: list[int]) -> None:
    table = Table(tmp_path)
    learner = Learner("voice-1.gain", False, False, table.now)
    for message in cc(16, raws):
        for move in table.decoder.moves(message):
            learner.add(move, table.now)
    assert learner.found(table.now + 2 * LISTEN_S) is None
    with pytest.raises(RtsepError, match=r"turned to one side; say midi learn voice-1\.gain again"):
        learnt(table, raws)
    assert table.map.lines() == []

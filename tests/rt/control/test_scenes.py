"""Scenes: what a recall ends in, the way there, who wins, and what is found again at the next start."""

import itertools
import json
import math
import threading
from pathlib import Path

import pytest

from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.commands import BLOCK_BYTES, Control, lay_out
from rtsep.rt.control.desk_change import change_desk
from rtsep.rt.control.desk_layout import lay_desk
from rtsep.rt.control.parameters import OFF_DB, mixer_parameters
from rtsep.rt.control.scenes import GUARDS, STEP_S, Scenes, fade_value, scene_command
from rtsep.rt.control.session_file import SessionKeeper, load_session, restore, session_path
from rtsep.rt.process.shared_memory import SharedMemory

LAYOUT, _ = lay_desk(("voice-1", "voice-2", "residual"), [[0]], [0, 1, 2], 3, muted=True, guarded=True)


def new_control() -> Control:
    shared = SharedMemory.create(BLOCK_BYTES)
    lay_out(shared.memory)
    return Control(shared, mixer_parameters(LAYOUT))


@pytest.fixture
def control() -> Control:
    return new_control()


def test_a_recall_brings_back_every_parameter_but_the_guards(control: Control) -> None:
    scenes = Scenes(control)
    other = {
        p.name: 1.0 - p.default if p.unit == "on/off" else 0.75 * p.minimum + 0.25 * p.maximum
        for p in control.parameters
    }
    control.update(other)
    scenes.store("verse")
    control.update({p.name: p.default for p in control.parameters})
    scenes.recall("verse")
    expected = other | {p.name: p.default for p in control.parameters if p.name in GUARDS}
    assert control.values() == expected


@pytest.mark.parametrize(
    ("name", "start", "end"), [("voice-1.gain", OFF_DB, 0.0), ("output.gain", 6.0, OFF_DB)]
)
def test_a_fade_of_a_level_is_a_straight_line_in_db(
    control: Control, name: str, start: float, end: float
) -> None:
    parameter = control.parameter(name)
    way = [fade_value(parameter, start, end, i / 100) for i in range(101)]
    assert (way[0], way[-1]) == (start, end)
    inner = way[1:-1]
    steps = [b - a for a, b in itertools.pairwise(inner)]
    assert max(steps) - min(steps) < 1e-9
    assert all(math.isfinite(value) and parameter.checked(value) == value for value in inner)


def test_no_ceiling_fades_from_the_highest(control: Control) -> None:
    ceiling = control.parameter("output.ceiling")
    assert fade_value(ceiling, math.inf, 0.0, 0.5) == ceiling.maximum / 2


def test_switches_and_delays_wait_for_their_moment(control: Control) -> None:
    mute, send = control.parameter("voice-1.mute"), control.parameter("voice-1.to-3")
    delay = control.parameter("voice-1.delay")
    assert (fade_value(mute, 0.0, 1.0, 0.5), fade_value(mute, 1.0, 0.0, 0.5)) == (0.0, 0.0)
    assert (fade_value(send, 0.0, 1.0, 0.5), fade_value(send, 1.0, 0.0, 0.5)) == (1.0, 1.0)
    assert fade_value(delay, 10.0, 20.0, 0.5, louder=True) == 20.0
    assert fade_value(delay, 10.0, 20.0, 0.5, louder=False) == 10.0


def watch(control: Control, name: str, scenes: Scenes) -> list[float]:
    """Every value that a parameter has while a fade runs."""
    seen = [control.get(name)]
    while not scenes.wait(STEP_S / 4):
        if (now := control.get(name)) != seen[-1]:
            seen.append(now)
    return [*seen, control.get(name)]


def test_a_fade_goes_one_way_and_ends_exactly(control: Control) -> None:
    scenes = Scenes(control)
    scenes.store("open")
    control.set("voice-1.gain", OFF_DB)
    scenes.recall("open", 0.3)
    seen = watch(control, "voice-1.gain", scenes)
    assert seen[-1] == 0.0
    assert seen == sorted(seen)
    assert len(seen) > 3


def test_a_hand_wins_and_the_rest_goes_on(control: Control) -> None:
    scenes = Scenes(control)
    scenes.store("open")
    control.update({"voice-1.gain": -40.0, "voice-2.gain": -40.0})
    scenes.recall("open", 0.4)
    scenes.wait(0.1)
    control.set("voice-1.gain", -7.0)
    assert scenes.wait(30.0)
    assert (control.get("voice-1.gain"), control.get("voice-2.gain")) == (-7.0, 0.0)


def test_a_second_recall_takes_the_place_of_the_first(control: Control) -> None:
    scenes = Scenes(control)
    control.set("voice-1.gain", -20.0)
    scenes.store("low")
    control.set("voice-1.gain", 10.0)
    scenes.store("high")
    control.set("voice-1.gain", 0.0)
    scenes.recall("high", 3000.0)
    scenes.recall("low", 0.1)
    assert scenes.wait(30.0)
    assert control.get("voice-1.gain") == -20.0
    assert [thread.name for thread in threading.enumerate()].count("scene fade") == 0


def test_words(control: Control) -> None:
    scenes = Scenes(control)
    assert scene_command(scenes, "list") == "no scene"
    control.set("voice-1.gain", -3.0)
    assert scene_command(scenes, "store second verse 2") is None
    control.set("voice-1.gain", 0.0)
    scene_command(scenes, "recall second verse 2")  # the whole is a name
    assert control.get("voice-1.gain") == -3.0
    scene_command(scenes, "recall second verse 2 0.01")
    assert scene_command(scenes, "list") == "second verse 2"
    scene_command(scenes, "delete second verse 2")
    for words, told in {
        "recall nothing 2": "there is no scene 'nothing'",
        "delete nothing": "there is no scene",
        "store": "is no command",
        "play x": "is no command",
        "store " + "x" * 50: "is no name",
    }.items():
        with pytest.raises(RtsepError, match=told):
            scene_command(scenes, words)
    scenes.store("a")
    for seconds in ("nan", "inf", "-1"):
        with pytest.raises(RtsepError, match="outside"):
            scene_command(scenes, f"recall a {seconds}")


def test_scenes_of_the_file_are_not_replaced_by_hand(control: Control) -> None:
    scenes = Scenes(control)
    scenes.configure({"verse": {"voice-1.gain": -6.0}})
    for words in ("store verse", "delete verse"):
        with pytest.raises(RtsepError, match="configuration file"):
            scene_command(scenes, words)
    scenes.recall("verse")
    assert control.get("voice-1.gain") == -6.0
    assert scenes.own() == {}


@pytest.fixture
def state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


def test_faders_and_scenes_come_back_and_a_mute_against_feedback_stays(
    control: Control, state_home: Path
) -> None:
    scenes = Scenes(control)
    with SessionKeeper(control, scenes, "show"):
        control.update(
            {"voice-1.gain": OFF_DB, "voice-2.pan": 0.5, "output.mute": 0.0, "output.howl-guard": 0.0}
        )
        scenes.store("verse")
    next_control = new_control()
    next_scenes = Scenes(next_control)
    assert restore(next_control, next_scenes, load_session("show")) == []
    now = next_control.values()
    assert (now["voice-1.gain"], now["voice-2.pan"]) == (OFF_DB, 0.5)
    assert (now["output.mute"], now["output.howl-guard"]) == (1.0, 1.0)
    assert next_scenes.names() == ["verse"]
    next_scenes.recall("verse")
    assert next_control.get("output.mute") == 1.0


def test_nothing_is_written_where_nothing_changes(control: Control, state_home: Path) -> None:
    with SessionKeeper(control, Scenes(control), "show"):
        pass
    assert not session_path("show").exists()


def test_what_is_of_a_stem_that_is_not_there_waits_for_it(state_home: Path) -> None:
    """In the file through a session without it, and in scenes: recalled when it has come."""
    path = session_path("show")
    path.parent.mkdir()
    held = {"voice-1.gain": -3.0, "voice-4.gain": -9.0, "voice-4.delay": 999.0}
    path.write_text(json.dumps({"version": 1, "parameters": held, "scenes": {"a": held}}))
    shared = SharedMemory.create(BLOCK_BYTES)
    lay_out(shared.memory)
    control = Control(shared, mixer_parameters(LAYOUT))
    scenes, saved = Scenes(control), load_session("show")
    assert restore(control, scenes, saved) == []
    with SessionKeeper(control, scenes, "show", saved.values):
        control.set("voice-1.gain", -4.0)
    again = load_session("show")
    assert {n: again.values[n] for n in held} == held | {"voice-1.gain": -4.0}
    assert again.scenes["a"] == held
    desk = change_desk(shared, LAYOUT, ("voice-1", "voice-4", "residual"), again.values).layout
    later = Control(shared, mixer_parameters(desk))
    assert (later.get("voice-4.gain"), later.get("voice-4.delay")) == (-9.0, 0.0)
    later.set("voice-4.gain", 0.0)
    there = Scenes(later)
    (note,) = restore(later, there, again)
    assert "session, voice-4.delay cannot be restored" in note
    later.set("voice-4.gain", 0.0)
    there.recall("a")
    assert later.get("voice-4.gain") == -9.0


def test_what_is_gone_is_told_and_the_rest_comes_back(control: Control, state_home: Path) -> None:
    path = session_path("show")
    path.parent.mkdir()
    held = {"voice-1.gain": -3.0, "voice-4.gain": -9.0, "voice-2.gain": 99.0}
    path.write_text(json.dumps({"version": 1, "parameters": held, "scenes": {"a": held}}))
    (note,) = restore(control, Scenes(control), load_session("show"))
    assert "session, voice-2.gain cannot be restored" in note
    assert (control.get("voice-1.gain"), control.get("voice-2.gain")) == (-3.0, 0.0)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"version": 1}', '{"version": 1, "parameters": {"a": "x"}, "scenes": {}}', "\0\xff"],
)
def test_a_damaged_state_is_set_aside(text: str, control: Control, state_home: Path) -> None:
    path = session_path("show")
    path.parent.mkdir()
    path.write_text(text)
    (note,) = restore(control, Scenes(control), load_session("show"))
    assert "was damaged" in note
    assert not path.exists()
    assert path.with_suffix(".damaged").read_text() == text


def test_a_folder_that_cannot_be_written_is_told_once(control: Control, state_home: Path) -> None:
    (state_home / "rtsep").write_text("in the way")
    keeper = SessionKeeper(control, Scenes(control), "show")
    with keeper:
        control.set("voice-1.gain", -1.0)
    (told,) = keeper.take_news()
    assert "cannot be written" in told

"""Other stems while the music plays: what stays where it is, where new ones go, no step in the sound."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.hand_driven import RATE, HandDrivenEngine

from rtsep.kernels.errors import RtsepError
from rtsep.rt.audio.test_signals import synthetic_choir
from rtsep.rt.control.commands import BLOCK_BYTES, Control, lay_out
from rtsep.rt.control.desk_change import change_desk
from rtsep.rt.control.desk_layout import DeskLayout, lay_desk
from rtsep.rt.control.parameters import mixer_parameters
from rtsep.rt.live.engines.engine_change import FADE_S
from rtsep.rt.live.settings import LiveSettings
from rtsep.rt.pitches.pitch_ring import PitchReader
from rtsep.rt.process.shared_memory import SharedMemory
from rtsep.rt.takes.disk_space import DiskSpace
from rtsep.rt.takes.hop_record import Layout, merged, segments, whole_rows
from rtsep.rt.takes.record_plan import EngineFiles
from rtsep.rt.takes.take_log import TakeLog
from rtsep.rt.takes.take_memory import TakeMemory
from rtsep.rt.takes.take_writer import TakeWriter

FOUR = ("voice-1", "voice-2", "voice-3", "voice-4", "residual")
TWO = ("voice-1", "voice-2", "residual")
THREE = ("voice-1", "voice-2", "voice-3", "residual")


def block() -> SharedMemory:
    shared = SharedMemory.create(BLOCK_BYTES)
    lay_out(shared.memory)
    return shared


def control(shared: SharedMemory, layout: DeskLayout) -> Control:
    return Control(shared, mixer_parameters(layout))


def test_who_plays_on_keeps_strip_and_output() -> None:
    """A new voice has a strip behind all others and the first spare output; no value moves in the block, so
    who still knows the old desk sets what it means to.
    """
    shared = block()
    before, _ = lay_desk(THREE, [[0]], [0, 1, 2, 3], 6, spare=2)
    stale = control(shared, before)
    stale.update({"voice-2.gain": -6.0, "residual.mute": True, "output.gain": -3.0})
    changed = change_desk(shared, before, FOUR, {"voice-4.gain": "-9", "voice-4.pan": "nonsense"})
    assert (changed.layout.stems, changed.opened, changed.notes) == (FOUR, ((4, "voice-4", 0),), ())
    assert changed.layout.spare == (5,)
    assert changed.layout.bypass == before.bypass
    now = control(shared, changed.layout)
    values = now.values()
    assert (values["voice-2.gain"], values["residual.mute"], values["output.gain"]) == (-6.0, 1.0, -3.0)
    assert (values["voice-4.gain"], values["voice-4.pan"]) == (-9.0, 0.0)
    sends = {name for name, value in values.items() if ".to-" in name and value}
    assert sends == {"voice-1.to-1", "voice-2.to-2", "voice-3.to-3", "residual.to-4", "voice-4.to-5"}
    stale.set("voice-3.gain", -1.0)
    assert now.values() == values | {"voice-3.gain": -1.0}
    old = {p.name: p.place for p in mixer_parameters(before)}
    new = {p.name: p.place for p in mixer_parameters(changed.layout)}
    assert {name: new[name] for name in old} == old
    assert len(set(new.values())) == len(new)


def test_a_stem_that_comes_back_is_as_it_was_left() -> None:
    shared = block()
    four, _ = lay_desk(FOUR, [[0]], [0, 1, 2, 3, 4], 5)
    control(shared, four).update({"voice-4.gain": -7.0, "voice-4.to-4": False, "voice-4.to-1": True})
    three = change_desk(shared, four, THREE, {}).layout
    assert not [p.name for p in mixer_parameters(three) if "voice-4" in p.name]
    with pytest.raises(RtsepError, match="no parameter 'voice-4"):
        control(shared, three).set("voice-4.gain", 0.0)
    again = change_desk(shared, three, FOUR, {})
    assert (again.opened, again.notes) == ((), ())
    values = control(shared, again.layout).values()
    assert values == control(shared, four).values()
    assert again.layout.sends[3] == (0,)


def test_another_model_takes_the_outputs_of_the_one_before() -> None:
    """Where there are no spare ones; and where nothing is free, what is shared is told."""
    shared = block()
    four, _ = lay_desk(FOUR, [[0]], [0, 1, 2, 3, 4], 5)
    band = change_desk(shared, four, ("vocals", "drums", "bass", "other", "residual"), {})
    assert band.layout.sends == ((0,), (1,), (2,), (3,), (4,))
    assert band.notes == ()
    few, _ = lay_desk(THREE, [[0]], [0, 1, 2, 3], 4)
    full = change_desk(block(), few, FOUR, {})
    assert full.notes == ("no output is free for voice-4: it shares 4",)
    stereo, _ = lay_desk(THREE, [[0]], [0, 1], 2)
    spread = change_desk(block(), stereo, FOUR, {})
    assert spread.layout.sends[:4] == ((0, 1),) * 4
    assert spread.layout.pans == (-1.0, 0.0, 1.0, 1.0, 0.0)
    many = tuple(f"stem-{i}" for i in range(100))
    with pytest.raises(RtsepError, match="more than there is room for"):
        change_desk(shared, four, (*many, "residual"), {})


@pytest.fixture
def engine() -> Iterator[HandDrivenEngine]:
    settings = LiveSettings(2, None, 11, "mic", None, None, None, None, None, "auto")
    driven = HandDrivenEngine(settings, outputs=3, spare=2)
    yield driven
    driven.close()


def test_voices_come_and_go_without_a_step(engine: HandDrivenEngine) -> None:
    """Three voices after two, then one: the sum of all outputs is the input all the time, 512 samples late;
    a voice that has come is heard on an output that was spare, one that has gone is silent; faders stay. Five
    parameters more and less, none of a stem that is not there.
    """
    choir = synthetic_choir(RATE, 40.0, voices=3)[:, 0]
    engine.play_for(choir, 1.0)
    engine.control.update({"voice-1.gain": -6.0, "voice-2.polarity": True})
    engine.play_for(choir, 0.5)
    assert engine.changer.order(voices=3) == "voices 3"
    engine.play_through(choir, 1.0)
    two = engine.loop._chain.callback
    assert engine.stream.opened == ["voice-3"]
    assert engine.block.peek()["stems"] == ["voice-1", "voice-2", "voice-3", "residual"]
    assert engine.control.get("voice-1.gain") == -6.0
    assert engine.control.get("voice-3.to-4") == 1.0
    engine.control.set("voice-3.gain", 0.0)
    engine.control.update({"voice-1.gain": 0.0, "voice-2.polarity": False})
    engine.play_for(choir, 0.5)
    calm = engine.at
    engine.changer.order(voices=1)
    engine.play_through(choir, 1.0)
    assert [p.name for p in engine.control.parameters if p.name.startswith("voice")][-1] == "voice-1.to-4"
    with pytest.raises(RtsepError, match="no parameter 'voice-2"):
        engine.control.set("voice-2.gain", -1.0)
    assert engine.stream.callback is not two
    assert engine.stream.callback.late_hops == 0
    heard = engine.output
    total = heard.sum(1)
    np.testing.assert_allclose(total[calm : engine.at], choir[calm - 512 : engine.at - 512], atol=2e-5)
    assert np.abs(heard[calm - 4096 : calm, 3]).max() > 0.01
    assert not heard[-RATE // 2 :, [1, 3]].any()
    assert not heard[: 2 * RATE // 2, 3].any()
    steps, loudest = np.abs(np.diff(heard, axis=0)).max(0), np.abs(heard).max(0)
    natural = np.abs(np.diff(choir)).max()
    assert (steps <= 1.5 * natural + 2 * loudest / (FADE_S * RATE)).all()


def test_a_take_goes_on_in_another_part(tmp_path: Path) -> None:
    """From 43 ms and two voices to 11 ms and three, and back: no frame is missing or there twice, and in each
    part the stems sum to the input of the same frame. Pitches go on by the same clock, voices by their order.
    """
    settings = LiveSettings(2, None, 43, "mic", None, None, None, None, None, "auto", has_take=True)
    memory, expected = TakeMemory.create(6, 1 << 20), dict[int, EngineFiles]()
    engine = HandDrivenEngine(settings, outputs=3, spare=2, record=memory, voices=2)
    engine.changer._expect = expected.__setitem__
    choir = synthetic_choir(RATE, 40.0, voices=3)[:, 0]
    reader, hops = PitchReader(engine.commands.memory, BLOCK_BYTES), []
    engine.play_for(choir, 0.5)
    for latency_ms, voices in ((11, 3), (43, 2)):
        engine.changer.order(latency_ms, voices)
        engine.play_through(choir, 0.5)
        hops += [hop for _ in range(20) for hop in reader.read()]
    engine.close()
    block = np.zeros((memory.ring.available, 6), np.float32)
    memory.ring.read(block)
    layout = Layout(0, 6)
    assert whole_rows(block, layout) == len(block)
    start = TakeLog("running", "2026-01-01T20:00:00.000+00:00", ["input", *TWO], "wav", RATE, 1, 0)
    folder = tmp_path / "take-001"
    folder.mkdir()
    files = {0: EngineFiles(["input", *TWO])} | expected
    writer = TakeWriter(folder, start, DiskSpace(folder, 1e6), engines=files)
    for segment in merged(segments(block, layout)):
        writer.place(segment)
    writer.finish(writer.log.frames, "", "test")
    log = TakeLog.load(folder)
    assert (log.holes, log.state) == ([], "finished")
    assert [part["folder"] for part in log.parts] == [".", "part-2", "part-3"]
    assert [log.names_of(part) for part in log.parts] == [["input", *s] for s in (TWO, THREE, TWO)]
    assert [part.get("latency_samples", {}).get("algorithmic") for part in log.parts] == [None, 512, 2048]
    changed = [event for event in log.events if event["kind"] == "engine-changed"]
    assert [(e["first_frame"], e["from"], e["to"]) for e in changed] == [
        (log.parts[1]["first_frame"], list(TWO), "latency 11, voices 3"),
        (log.parts[2]["first_frame"], list(THREE), "latency 43, voices 2"),
    ]
    at = 0
    for part in log.parts:
        sounds = [
            soundfile.read(folder / part["folder"] / f"{name}.wav", dtype="float32")[0]
            for name in log.names_of(part)
        ]
        assert part["first_frame"] == at
        np.testing.assert_array_equal(sounds[0], choir[at : at + part["frames"]])
        np.testing.assert_allclose(sum(sounds[1:]), sounds[0], atol=2e-5)
        at += part["frames"]
    assert at == log.frames > 2 * RATE
    times = np.diff([hop.time_s for hop in hops])
    usual = np.isclose(times, 1024 / RATE) | np.isclose(times, 256 / RATE)
    assert np.flatnonzero(~usual).size <= 2
    assert times.min() > -0.06


def test_the_same_family_or_all_of_another(engine: HandDrivenEngine) -> None:
    with pytest.raises(RtsepError, match="9 voices is outside"):
        engine.changer.order(voices=9)
    with pytest.raises(RtsepError, match="vocals"):
        engine.changer.order(model="choir", stems=["vocals"])
    assert engine.changer.order(voices=2) == ""
    assert not engine.engines.orders.peek()

"""The process that plays where no engine stays up: a mixture howls too, a dim outlives its engine, and a take
goes on.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from helpers.hand_driven import BLOCK, RATE, HandDrivenEngine

from rtsep.rt.live import bypass_process
from rtsep.rt.live.bypass_process import BypassStream
from rtsep.rt.live.settings import LiveSettings
from rtsep.rt.takes import take_feed
from rtsep.rt.takes.hop_record import Cause, Layout, Segment, merged, segments
from rtsep.rt.takes.take_log import TakeLog, note
from rtsep.rt.takes.take_memory import TakeMemory


def test_a_howl_is_dimmed_in_the_bypass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found in what comes in; and one that the engine had found is dimmed from the first frame."""
    settings = LiveSettings(1, None, 11, "mic", None, None, None, None, None, "auto")
    engine = HandDrivenEngine(settings, outputs=2)
    engine.control.set("output.howl-guard", True)
    block = engine.block
    block.write(block.peek() | {"last_fault": "it ended"})
    stream = SimpleNamespace(start=lambda: None)
    monkeypatch.setattr(bypass_process, "open_stream", lambda *_: stream)
    monkeypatch.setattr(bypass_process, "find_stream", lambda choice: choice)

    def played(bypass: BypassStream, sound: np.ndarray) -> np.ndarray:
        heard = []
        for at in range(0, len(sound) - BLOCK, BLOCK):
            out = np.zeros((BLOCK, 2), np.float32)
            bypass._callback.process(sound[at : at + BLOCK, None], out)
            heard.append(out)
            bypass._desk.obey()
            bypass._take_hops()
        bypass._publish("bypassed")
        return np.abs(np.concatenate(heard)).max(1)

    t = np.arange(2 * RATE) / RATE
    howl = (1e-3 * 10 ** (20.0 * t / 20) * np.sin(2 * np.pi * 1000 * t)).astype(np.float32)
    calm = np.full(RATE // 2, 0.1, np.float32)
    first = played(BypassStream(block, engine.commands), np.concatenate([calm, howl, calm]))
    assert first[:RATE].max() == pytest.approx(0.1, abs=1e-3)
    assert first[-RATE // 8 :].max() == pytest.approx(0.01, abs=1e-3)
    assert block.peek()["howling"]
    assert any("feedback at 10" in note for note in block.peek()["notes"])
    second = played(BypassStream(block, engine.commands), calm)
    assert second.max() == pytest.approx(0.01, abs=1e-3)
    engine.control.set("output.howl-guard", False)
    third = played(BypassStream(block, engine.commands), calm)
    assert third[-100:].max() == pytest.approx(0.1, abs=1e-3)


def recorded(memory: TakeMemory, hop: int) -> list[Segment]:
    """What has come into the recorder's ring."""
    block = np.zeros((memory.ring.available, 3), np.float32)
    memory.ring.read(block)
    return [segment for segment in merged(segments(block, Layout(hop, 3))) if len(segment.rows)]


def test_a_take_goes_on_in_the_bypass(monkeypatch: pytest.MonkeyPatch) -> None:
    """The input as ever, the same in the residual, nothing in the voices; what is missing has its cause."""
    settings = LiveSettings(1, None, 11, "mic", None, None, None, None, None, "auto")
    engine = HandDrivenEngine(settings, outputs=2)
    block = engine.block
    block.write(block.peek() | {"last_fault": "it ended"})
    stream = SimpleNamespace(start=lambda: None, close=lambda: False, stalled_s=lambda: 9.0)
    monkeypatch.setattr(bypass_process, "open_stream", lambda *_: stream)
    monkeypatch.setattr(bypass_process, "find_stream", lambda choice: choice)
    memory, hop = TakeMemory.create(3), engine.loop._chain.separator.hop
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, 10 * hop).astype(np.float32)

    def played(bypass: BypassStream) -> None:
        for at in range(0, len(noise), BLOCK):
            out = np.zeros((BLOCK, 2), np.float32)
            bypass._callback.process(noise[at : at + BLOCK, None], out)

    now_s = iter(np.arange(1000.0, 2000.0, 2.5).tolist())
    monkeypatch.setattr(take_feed, "time", SimpleNamespace(monotonic=lambda: next(now_s)))
    memory.clock.tick(5000, 999.0)  # an engine has been there
    first = BypassStream(block, engine.commands, memory)
    played(first)
    assert not first.run(lambda: False)  # type: ignore[arg-type] - takes what has come, and finds the device gone
    assert (block.peek()["state"], block.peek()["bypass_away"]) == ("device-lost", True)
    second = BypassStream(block, engine.commands, memory)
    played(second)
    second.close()
    found = recorded(memory, hop)
    assert [segment.facts.cause for segment in found] == [Cause.ENGINE_RESTARTED, Cause.DEVICE_LOST]
    for segment in found:
        np.testing.assert_array_equal(segment.rows[:, 0], noise)
        np.testing.assert_array_equal(segment.rows[:, 1], 0.0)
        np.testing.assert_array_equal(segment.rows[:, 2], noise)
    end = found[-1].frame + len(noise)
    assert found[0].frame > 5000
    assert memory.clock.read()[2] == end
    log = TakeLog("running", "", ["input", "voice-1", "residual"], "wav", RATE, 1, found[0].frame)
    told = None
    for segment in found:
        told = note(log, segment, told)
        log.frames = segment.frame + len(segment.rows) - log.first_frame
    events = [(event["kind"], event["frames"]) for event in log.events]
    assert events == [
        ("engine-lost", 0),
        ("engine-back", 0),
        ("bypassed", len(noise)),
        ("device-lost", 0),
        ("device-back", 0),
        ("bypassed", len(noise)),
    ]

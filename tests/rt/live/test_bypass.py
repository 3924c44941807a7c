"""The process that plays where no engine stays up: a mixture howls too, and a dim outlives its engine."""

from types import SimpleNamespace

import numpy as np
import pytest
from helpers.hand_driven import BLOCK, RATE, HandDrivenEngine

from rtsep.rt.live import bypass_process
from rtsep.rt.live.bypass_process import BypassStream
from rtsep.rt.live.settings import LiveSettings


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
            bypass._listen_for_howls()
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

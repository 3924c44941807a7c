"""The watch over an engine: what takes long to start is no engine that hangs."""

import subprocess
from types import SimpleNamespace

import pytest

from rtsep.rt.live import engine_watch
from rtsep.rt.live.engine_watch import HANG_S, EngineWatch
from rtsep.rt.live.engines.engine_memory import EngineMemory
from rtsep.rt.process.block import Block

RUNNING = {"state": "running", "stream": {"any": "stream"}, "samplerate": 48000}


class FakeEngine:
    """Publishes `states`, one a second, then ends."""

    stdin, pid = None, 0

    def __init__(self, clock: SimpleNamespace, block: Block, states: list[str | None], code: int) -> None:
        self._clock, self._block, self._states, self._code = clock, block, states, code
        self.returncode, self.killed, self._waits = 0, False, 0

    def wait(self, timeout: float | None = None) -> int:
        if not self._states or self.killed:
            self.returncode = -9 if self.killed else self._code
            return self.returncode
        self._clock.s += timeout or 0.0
        self._waits += 1
        if self._waits % 50 == 0 and (state := self._states.pop(0)):
            self._block.resume()
            self._block.write(RUNNING | {"state": state})
        raise subprocess.TimeoutExpired("engine", timeout or 0.0)

    def kill(self) -> None:
        self.killed = True


@pytest.mark.parametrize(
    ("states", "killed"),
    [
        ([None] * (round(HANG_S) + 5) + ["running"], False),
        (["running", *[None] * (round(HANG_S) + 5)], True),
    ],
)
def test_an_engine_that_is_started_again_has_time(
    monkeypatch: pytest.MonkeyPatch, states: list[str | None], killed: bool
) -> None:
    """Longer than one that runs may stand still: on a busy machine it needs seconds to load."""
    clock, block = SimpleNamespace(s=0.0), Block.create()
    first = FakeEngine(clock, block, ["running"], -9)
    second = FakeEngine(clock, block, list(states), 0)
    third = FakeEngine(clock, block, [], 0)
    engines = iter([first, second, third])
    monkeypatch.setattr(engine_watch, "time", SimpleNamespace(monotonic=lambda: clock.s))
    monkeypatch.setattr(engine_watch, "spawn", lambda *_: next(engines))
    monkeypatch.setattr(engine_watch, "hurry", lambda pid: None)
    watch = EngineWatch("{}", block, [block.shared, None, None, EngineMemory.create().shared], lambda: False)  # type: ignore[arg-type]
    watch._spare = SimpleNamespace(take=lambda: None, look=lambda status: None, end=lambda: None)  # type: ignore[assignment]
    assert watch.run() == 0
    assert second.killed is killed

"""An engine in waiting: there for what is played, never beside the start or a change, gone in the end."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from rtsep.rt.live.engines import loading, spare_keeper
from rtsep.rt.live.engines.loading import Loaded, load_engine
from rtsep.rt.live.engines.spare_keeper import CALM_S, SpareKeeper
from rtsep.rt.live.settings import LiveSettings

SETTINGS = LiveSettings(1, None, 11, "mic", None, None, None, None, None, "cpu")
RUNNING: dict[str, Any] = {"state": "running", "samplerate": 48000}


class FakeSpare:
    """A process that remembers what it is told."""

    def __init__(self, asked: str) -> None:
        self.asked, self.said, self.killed = json.loads(asked), "", False
        self.stdin = SimpleNamespace(write=self._hear, flush=lambda: None, close=lambda: None)

    def _hear(self, text: str) -> None:
        self.said += text

    def poll(self) -> int | None:
        return -9 if self.killed else None

    def kill(self) -> None:
        self.killed = True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    now = SimpleNamespace(s=100.0, started=[])

    def spawn(log: None, module: str, shared: list[None], asked: str) -> FakeSpare:
        now.started.append(FakeSpare(asked))
        return now.started[-1]

    monkeypatch.setattr(spare_keeper, "time", SimpleNamespace(monotonic=lambda: now.s))
    monkeypatch.setattr(spare_keeper, "spawn", spawn)
    monkeypatch.setattr(spare_keeper, "end", lambda process, timeout_s: None)
    return now


def look_for(keeper: SpareKeeper, clock: SimpleNamespace, seconds: float, status: dict[str, Any]) -> None:
    """Twenty times a second."""
    for _ in range(round(seconds * 20)):
        keeper.look(status)
        clock.s += 0.05


def test_a_spare_is_loaded_once_the_engine_has_played_for_a_while(clock: SimpleNamespace) -> None:
    keeper = SpareKeeper(SETTINGS.to_json(), [])
    look_for(keeper, clock, 9.0, RUNNING | {"state": "device-lost"})
    look_for(keeper, clock, CALM_S - 0.1, RUNNING)
    assert clock.started == []
    look_for(keeper, clock, 9.0, RUNNING)
    (spare,) = clock.started
    assert LiveSettings.from_json(spare.asked["settings"]) == SETTINGS
    assert spare.asked["samplerate"] == 48000
    assert keeper.take() is spare
    assert spare.said.endswith("\n")
    assert keeper.take() is None
    look_for(keeper, clock, CALM_S + 0.2, RUNNING)  # beside the engine that it is now
    assert len(clock.started) == 2


def test_a_change_makes_another_spare_when_it_is_over(clock: SimpleNamespace) -> None:
    keeper = SpareKeeper(SETTINGS.to_json(), [])
    look_for(keeper, clock, 9.0, RUNNING)
    look_for(keeper, clock, 9.0, RUNNING | {"change": {"state": "warming"}})
    assert len(clock.started) == 1
    changed = LiveSettings(3, None, 43, "mic", None, None, None, None, None, "cpu").to_json()
    look_for(keeper, clock, 9.0, RUNNING | {"change": {"state": "done"}, "changed_settings": changed})
    first, second = clock.started
    assert (first.killed, second.asked["settings"]) == (True, changed)
    look_for(keeper, clock, 9.0, RUNNING | {"changed_settings": changed, "samplerate": 44100})
    assert (second.killed, clock.started[2].asked["samplerate"]) == (True, 44100)
    keeper.end()
    assert clock.started[2].killed


def test_a_spare_that_has_gone_is_none_and_is_not_started_over_and_over(clock: SimpleNamespace) -> None:
    keeper = SpareKeeper(SETTINGS.to_json(), [])
    look_for(keeper, clock, 9.0, RUNNING)
    clock.started[0].killed = True
    look_for(keeper, clock, 60.0, RUNNING)
    assert len(clock.started) == 1
    assert keeper.take() is None


def test_a_gpu_has_no_spare(clock: SimpleNamespace) -> None:
    settings = LiveSettings(1, None, 11, "mic", None, None, None, None, None, "cuda")
    look_for(SpareKeeper(settings.to_json(), []), clock, 9.0, RUNNING)
    assert clock.started == []


def test_what_was_loaded_is_used_for_what_it_was_loaded_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[int] = []
    monkeypatch.setattr(
        loading, "load_or_fall_back", lambda *_, samplerate, **more: (made.append(samplerate), [])
    )
    monkeypatch.setattr(loading, "warm_up", lambda separator: None)
    loaded = Loaded(SETTINGS, 48000, object(), ["a note"])  # type: ignore[arg-type]
    again = LiveSettings.from_json(SETTINGS.to_json())
    assert load_engine(again, 48000, loaded) == (loaded.separator, ["a note"])
    assert made == []
    load_engine(SETTINGS, 44100, loaded)
    load_engine(LiveSettings(2, None, 11, "mic", None, None, None, None, None, "cpu"), 48000, loaded)
    assert made == [44100, 48000]

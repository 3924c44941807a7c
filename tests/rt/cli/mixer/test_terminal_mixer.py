"""The terminal mixer: what keys send, what is drawn, and a session that goes away."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rtsep.kernels.errors import RtsepError
from rtsep.rt.cli.mixer.desk_link import DeskLink
from rtsep.rt.cli.mixer.meters import FLOOR_DB, Meter, bar, row_of, scale
from rtsep.rt.cli.mixer.texts import histogram

pytest.importorskip("textual", reason="pip install 'rtsep[stage]'")

from rtsep.rt.cli.mixer.app import MixerApp

STEMS = ("voice-1", "voice-2", "residual")


class FakeSession:
    """Answers as a session's socket does."""

    def __init__(self) -> None:
        self.values = {"input.gain": 0.0, "output.gain": 0.0}
        switches = ["output.mute", "output.dim", "bypass"]
        for stem in STEMS:
            self.values |= {f"{stem}.gain": 0.0, f"{stem}.pan": 0.0}
            switches += [
                f"{stem}.{name}" for name in ("mute", "solo", "solo-safe", "polarity", "to-1", "to-2")
            ]
        self.values |= dict.fromkeys(switches, 0.0) | {"voice-1.to-2": 1.0}
        self.switches = set(switches)
        self.actions: list[tuple[str, str]] = []
        self.gone = False
        self.count = 0
        self.state = {
            "state": "running", "samplerate": 48000, "frames": 48000 * 3725, "stems": list(STEMS),
            "f0_hz": [443.06, 0.0, None], "merged": [False, True, None], "xruns": 0,
            "input_peak_db": [-3.0], "output_peak_db": [-9.0, -9.0], "live_latency_samples": 512,
            "algorithmic_samples": 512, "hop_time_counts": [5, 80, 1], "record_state": "recording",
            "record_take": "take-001", "record_left_s": 7260.0, "hop_time_p50": 0.2,
        }  # fmt: skip

    def ask(self, session: str, request: dict[str, Any]) -> Any:
        if self.gone:
            raise RtsepError("the session stage does not answer", "see rtsep control --sessions")
        if request["do"] == "list":
            facts = {"unit": "dB", "minimum": -60.0, "maximum": 12.0, "default": 0.0, "off": None}
            return [{"name": name, "value": value, **facts} for name, value in self.values.items()]
        if request["do"] == "status":
            self.count += 1
            now = {
                "peak_db": [[0.5, -20.0, -60.0]],
                "input_peak_db": [[-3.0]],
                "output_peak_db": [[-9.0, -9.0]],
            }
            return self.state | {"levels": now | {"count": self.count}}
        if request["do"] == "action":
            self.actions.append((request["name"], request["words"]))
            return None
        name, value = request["name"], request["value"]
        if name not in self.values:
            raise RtsepError(f"there is no parameter {name}", "see rtsep control --list")
        if value == "toggle":
            value = 1.0 - self.values[name]
        self.values[name] = float(value) + (self.values[name] if request["relative"] else 0.0)
        return self.values[name]


@pytest.fixture
def session() -> FakeSession:
    return FakeSession()


@pytest.fixture
def link(session: FakeSession) -> Iterator[DeskLink]:
    link = DeskLink("stage", session.ask)
    yield link
    link.close()


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20.0
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def played(link: DeskLink, keys: list[str], size: tuple[int, int] = (80, 24)) -> str:
    """What the screen shows after some keys."""

    async def run() -> str:
        app = MixerApp(link)
        async with app.run_test(size=size) as pilot:
            await pilot.press(*keys)
            await asyncio.sleep(0.3)
            await pilot.pause()
            lines = app.screen._compositor.render_strips()
            return "\n".join("".join(segment.text for segment in line) for line in lines)

    return asyncio.run(run())


def test_keys_move_the_chosen_strip(session: FakeSession, link: DeskLink) -> None:
    played(link, ["down", "down", "minus", "m", "right", "s", "full_stop", "d", "b", "left", "left", "up"])
    until(lambda: session.values["input.gain"] == 1.0)
    moved = {name: value for name, value in session.values.items() if value}
    assert moved.pop("voice-1.gain") == pytest.approx(-2.1)
    assert moved.pop("voice-2.pan") == pytest.approx(0.1)
    switches = ("voice-1.mute", "voice-2.solo", "output.dim", "bypass", "voice-1.to-2", "input.gain")
    assert moved == dict.fromkeys(switches, 1.0)


def test_a_marker_and_a_take(session: FakeSession, link: DeskLink) -> None:
    played(link, ["t", *"verse", "enter", "r"])
    until(lambda: len(session.actions) == 2)
    assert session.actions == [("mark", "verse"), ("record", "stop")]


def test_meters_go_on_while_a_question_is_open(link: DeskLink) -> None:
    assert "fader" in played(link, ["question_mark"])
    assert "marker" in played(link, ["t"])


def test_what_an_engineer_looks_for_is_on_80_by_24(link: DeskLink) -> None:
    screen = played(link, ["m"])
    for shown in (
        "stage", "1:02:05", "running", "voice-1", "A4 +12", "CLIP", "-12", "0.0 dB", ">2 C", "M s f v",
        "xruns 0", "latency 10.7 ms", "512 samples", "disk left 2 h 01 min", "take recording take-001",
    ):  # fmt: skip
        assert shown in screen, shown
    assert all(len(line) <= 80 for line in screen.splitlines())


def test_a_clip_stays_until_it_is_cleared() -> None:
    meter = Meter()
    meter.follow(0.5, 0.0)
    meter.follow(-30.0, 10.0)
    assert meter.clipped
    assert meter.hold_db == -30.0
    meter.clear()
    assert not meter.clipped


def test_a_bar_is_as_high_as_its_level_and_falls_slowly() -> None:
    meter = Meter()
    meter.follow(-30.0, 0.0)
    assert [mark for mark, _ in bar(meter, 12)].count("█") == 6
    meter.follow(FLOOR_DB, 0.5)
    assert meter.level_db == pytest.approx(-40.0)
    assert bar(meter, 12)[row_of(-30.0, 12)][0] == "─"
    marks = scale(60)
    assert marks.index("-6") - marks.index("0") == 6


def test_a_session_that_goes_is_told_and_found_again(session: FakeSession, link: DeskLink) -> None:
    session.gone = True
    until(lambda: not link.desk().answers)
    assert "the session does not answer" in played(link, [])
    session.gone = False
    until(lambda: link.desk().answers)


def test_what_the_session_refuses_is_an_event(link: DeskLink) -> None:
    link.set("voice-9.gain", 0.0)
    until(lambda: any("no parameter voice-9" in event.text for event in link.desk().events))


def test_many_stems_scroll_with_the_choice(session: FakeSession, link: DeskLink) -> None:
    session.state["stems"] = [f"stem-{i}" for i in range(4)]
    until(lambda: len(link.desk().status["stems"]) == 4)
    assert "stem-3" not in played(link, [], (40, 24))
    assert "stem-3" in played(link, ["right"] * 3, (40, 24))


def test_one_hop_in_many_is_seen() -> None:
    assert histogram((1000, 1)) == "█▁"

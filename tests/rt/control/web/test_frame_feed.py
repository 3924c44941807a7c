"""Frames for many pages: written once, whole for who lacks the one before, without a peak lost."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from helpers.web_desk import WebDesk, own_runtime_folder

from rtsep.rt.control.web import frame_feed
from rtsep.rt.control.web.frame_feed import Frame, FrameFeeds
from rtsep.rt.control.web.live_channel import LiveChannel, louder
from rtsep.rt.control.web.watcher import Watcher

PATIENCE_S = 30.0


class Page:
    """Takes all frames."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []

    def take_frame(self, frame: Frame) -> None:
        self.frames.append(frame)

    async def until(self, number: int) -> list[dict[str, Any]]:
        """So many frames have come; what they say."""
        deadline = time.monotonic() + PATIENCE_S
        while len(self.frames) < number:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.005)
        return [json.loads(frame.text) for frame in self.frames]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WebDesk:
    own_runtime_folder(monkeypatch, tmp_path)
    return WebDesk()


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(coroutine, PATIENCE_S))


def test_pages_of_one_rate_get_the_same_text(desk: WebDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[object] = []
    dumps = frame_feed.dumps
    monkeypatch.setattr(frame_feed, "dumps", lambda value: written.append(value) or dumps(value))

    async def show() -> None:
        feeds, pages = (
            FrameFeeds(Watcher(desk.block, desk.commands, "show"), Counter()),
            [Page() for _ in range(5)],
        )
        for page in pages:
            feeds.join(page, 30.0)
        for page in pages:
            await page.until(1)
        for number in range(3):
            desk.control.set("voice-1.gain", -1.0 - number)
            for page in pages:
                await page.until(number + 2)
        texts = [[frame.text for frame in page.frames] for page in pages]
        assert all(text == texts[0] for text in texts)
        assert len(written) == len(texts[0])
        assert json.loads(texts[0][-1]) == {"type": "live", "values": {"voice-1.gain": -3.0}}
        for page in pages:
            feeds.leave(page)

    run(show())


def test_who_comes_later_is_told_what_the_others_know(desk: WebDesk) -> None:
    async def show() -> None:
        watcher = Watcher(desk.block, desk.commands, "show")
        feeds, early, late = FrameFeeds(watcher, Counter()), Page(), Page()
        feeds.join(early, 0.5)  # the next frame is two seconds away
        await early.until(1)
        desk.control.set("voice-1.gain", -6.0)  # and back before the next frame, of which it tells nothing
        feeds.join(late, 0.5)
        assert late.frames == early.frames[:1]
        assert json.loads(late.frames[0].whole({}, []))["values"]["voice-1.gain"] == 0.0
        feeds.leave(early)
        feeds.leave(late)
        assert not watcher.keepers  # nobody looks
        feeds.join(late, 30.0)
        await late.until(2)
        assert late.frames[1].values["voice-1.gain"] == -6.0
        feeds.leave(late)

    run(show())


def test_a_feed_that_has_failed_begins_again_with_the_next_page(
    desk: WebDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def show() -> None:
        watcher = Watcher(desk.block, desk.commands, "show")
        feeds, first, second = FrameFeeds(watcher, Counter()), Page(), Page()
        with monkeypatch.context() as broken:
            broken.setattr(watcher, "status", lambda: 1 / 0)
            feeds.join(first, 30.0)
            await asyncio.sleep(0.1)
        assert not first.frames
        feeds.join(second, 30.0)
        await second.until(1)
        assert first.frames
        feeds.leave(first)
        feeds.leave(second)

    run(show())


def test_peaks_of_all_snapshots_are_in_the_frames(desk: WebDesk) -> None:
    async def show() -> None:
        feeds, page = FrameFeeds(Watcher(desk.block, desk.commands, "show"), Counter()), Page()
        feeds.join(page, 30.0)
        await page.until(1)
        for peak_db in (-1.0, -90.0):  # each is seen before the next
            known = len(page.frames)
            desk.publish(peak_db=peak_db)
            frames = await page.until(known + 1)
            assert frames[-1]["levels"]["peak_db"] == [peak_db] * 3
        feeds.leave(page)

    run(show())


class Transport:
    """Of a connection that has room, or not."""

    def __init__(self) -> None:
        self.waiting = 0

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return self.waiting


def test_a_page_without_room_gets_everything_afterwards_and_the_loudest_of_what_it_missed(
    desk: WebDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def show() -> None:
        watcher, counts = Watcher(desk.block, desk.commands, "show"), Counter[str]()
        channel = LiveChannel(watcher, FrameFeeds(watcher, counts), counts)
        channel._transport = transport = Transport()
        sent: list[dict[str, Any]] = []
        free = asyncio.Event()
        free.set()

        async def send(text: str) -> None:
            await free.wait()
            sent.append(json.loads(text))

        monkeypatch.setattr(channel._socket, "send_str", send)
        feeding = asyncio.create_task(channel._feed())

        async def give(peak_db: float, *, room: bool) -> None:
            transport.waiting = 0 if room else 10**6
            text = json.dumps({"type": "live", "status": {"frames": 1}})
            channel.take_frame(Frame(text, {"dry": 0.0}, {"frames": 1}, {"peak_db": [peak_db]}, 0))
            await asyncio.sleep(0.01)

        for peak_db in (-20.0, -21.0):
            await give(peak_db, room=True)
        for peak_db in (-3.0, -9.0):
            await give(peak_db, room=False)
        for peak_db in (-30.0, -31.0):
            await give(peak_db, room=True)
        hello, first, delta, whole, again = sent
        assert hello["type"] == "hello"
        assert (first["values"], first["levels"]) == ({"dry": 0.0}, {"peak_db": [-20.0]})
        assert delta == again == {"type": "live", "status": {"frames": 1}}
        assert (whole["values"], whole["levels"]) == ({"dry": 0.0}, {"peak_db": [-3.0]})
        assert counts["dropped_frames"] == 2
        free.clear()  # what is being sent is not through yet
        for peak_db in (-32.0, -40.0, -41.0):
            await give(peak_db, room=True)
        free.set()
        await give(-42.0, room=True)
        await give(-43.0, room=True)
        feeding.cancel()
        assert counts["dropped_frames"] >= 4
        assert sent[5] == delta
        assert [frame["levels"] for frame in sent[6:] if "values" in frame] == [{"peak_db": [-40.0]}]

    run(show())


def test_the_louder_of_two() -> None:
    assert louder({"peak_db": [-3.0, -9.0]}, {"peak_db": [-6.0, -6.0]}) == {"peak_db": [-3.0, -6.0]}
    assert louder({"peak_db": [-3.0]}, {"peak_db": [-6.0, -6.0]}) == {"peak_db": [-6.0, -6.0]}

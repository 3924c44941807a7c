"""What has changed in the session, looked up and written as text once for all pages of one rate."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from rtsep.rt.control.web.json_values import dumps
from rtsep.rt.control.web.watcher import Watcher
from rtsep.rt.process.peaks import PeakKeeper

ALIVE_S = 1.0  # a page that hears nothing takes the connection for lost
# Sent by other ways: as levels, as values, or not at all.
NOT_SENT = ("levels", "peak_db", "rms_db", "input_peak_db", "output_peak_db", "clip", "hop_histogram")

Levels = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Frame:
    """One moment of a feed.

    Attributes:
        text: what has changed since the frame before, as it is sent; "" where nothing has.
        values, status: all of them.
        levels: peaks since the frame before; the same as then where the engine has told nothing since.
        last_event: number of the newest event.
    """

    text: str
    values: Mapping[str, float]
    status: Mapping[str, Any]
    levels: Levels
    last_event: int

    def whole(self, levels: Levels, events: Sequence[Mapping[str, Any]]) -> str:
        """For a page that does not have the frame before: everything of this moment, with its own `levels`
        and `events`.
        """
        status = {key: value for key, value in self.status.items() if key not in NOT_SENT}
        more = {name: some for name, some in (("levels", levels), ("events", events)) if some}
        return dumps({"type": "live", "values": self.values, "status": status, **more})


class Taker(Protocol):
    """Who takes frames: at once, without waiting."""

    def take_frame(self, frame: Frame) -> None:
        """The next one."""


class FrameFeed:
    """Frames of one rate, for as long as somebody takes them.

    Args:
        watcher: the session.
        counts: of the server; what it has refused is told to pages.
        period_s: from frame to frame.
    """

    def __init__(self, watcher: Watcher, counts: "Counter[str]", period_s: float) -> None:
        self._watcher, self._counts, self._period_s = watcher, counts, period_s
        self._takers: list[Taker] = []
        self._peaks = PeakKeeper()
        self._frame: Frame | None = None
        self._looks = -1  # of the watcher, when the status was looked at last
        self._beating: asyncio.Task[None] | None = None

    def join(self, taker: Taker) -> None:
        """Frames for this one too. It gets the one that the others had last at once: the next tells what has
        changed since then.
        """
        self._takers.append(taker)
        if self._beating is None or self._beating.done():  # one that has failed begins again
            self._watcher.keepers.add(self._peaks)
            self._beating = asyncio.create_task(self._run())
        elif self._frame is not None:
            taker.take_frame(self._frame)

    def leave(self, taker: Taker) -> None:
        """No more for this one."""
        if taker in self._takers:
            self._takers.remove(taker)
        if not self._takers and self._beating is not None:
            self._beating.cancel()
            self._watcher.keepers.discard(self._peaks)
            self._beating = self._frame = None

    @property
    def is_taken(self) -> bool:
        """Whether anybody takes its frames."""
        return bool(self._takers)

    async def _run(self) -> None:
        next_at = sent_at = time.monotonic()
        while True:
            now = time.monotonic()
            frame = self._next(alive=now - sent_at >= ALIVE_S)
            if frame.text:
                sent_at = now
                for taker in tuple(self._takers):
                    taker.take_frame(frame)
            next_at = max(next_at + self._period_s, now)
            await asyncio.sleep(max(0.0, next_at - time.monotonic()))

    def _next(self, *, alive: bool) -> Frame:
        """`alive`: something is to be sent, be it that nothing has changed."""
        watcher, before = self._watcher, self._frame
        values = watcher.model.values()
        status, levels = (before.status, before.levels) if before else ({}, {})
        old_values, old_status = (before.values, before.status) if before else ({}, {})
        changed: dict[str, Any] = {}
        if news := {name: value for name, value in values.items() if old_values.get(name) != value}:
            changed["values"] = news
        refused = sum(count for kind, count in self._counts.items() if kind.startswith("refused_"))
        if self._looks != watcher.looks or status.get("web_refused") != refused:
            self._looks = watcher.looks
            status = watcher.status() | {"session_answers": watcher.answers, "web_refused": refused}
            if news := {
                key: value
                for key, value in status.items()
                if key not in NOT_SENT and (key not in old_status or old_status[key] != value)
            }:
                changed["status"] = news
                if "frames" in news:  # a snapshot of the engine
                    levels = changed["levels"] = self._peaks.take()
        last = before.last_event if before else watcher.events.last
        if events := [asdict(event) for event in watcher.events.since(last)]:
            changed["events"] = events
        text = dumps({"type": "live", **changed}) if changed or alive else ""
        self._frame = Frame(text, values, status, levels, watcher.events.last)
        return self._frame


class FrameFeeds:
    """A feed for every rate that is asked for.

    Args:
        watcher: the session.
        counts: of the server.
    """

    def __init__(self, watcher: Watcher, counts: "Counter[str]") -> None:
        self._watcher, self._counts = watcher, counts
        self._feeds: dict[float, FrameFeed] = {}

    def join(self, taker: Taker, rate_hz: float) -> None:
        """So many frames a second for this one, 0: none."""
        self.leave(taker)
        if rate_hz:
            if rate_hz not in self._feeds:
                self._feeds[rate_hz] = FrameFeed(self._watcher, self._counts, 1.0 / rate_hz)
            self._feeds[rate_hz].join(taker)

    def leave(self, taker: Taker) -> None:
        """None for this one any more; a feed that nobody takes ends."""
        for rate, feed in tuple(self._feeds.items()):
            feed.leave(taker)
            if not feed.is_taken:
                del self._feeds[rate]

"""The WebSocket of a page: what has changed goes out at the page's rate, values and orders come in."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.web.frame_feed import Frame, FrameFeeds, Levels
from rtsep.rt.control.web.guard import LARGEST_BODY
from rtsep.rt.control.web.json_values import dumps, loads
from rtsep.rt.control.web.orders import act, set_values
from rtsep.rt.control.web.rate_limit import REQUESTS_PER_S, Bucket
from rtsep.rt.control.web.watcher import Watcher

HIGHEST_RATE_HZ, DEFAULT_RATE_HZ = 30.0, 20.0
HEARTBEAT_S = 10.0  # a phone that is gone is noticed
WAITING_BYTES = 16384  # what a client has not taken yet: beyond it frames are left out
STUCK_S = 20.0  # a client that takes nothing for so long is let go
TELL_S = 1.0  # how often a client that sends too much is told


class LiveChannel:
    """One client.

    Messages in: `{"type": "subscribe", "rate": 0..30}`, `{"type": "set", "name": N, "value": V}` (with
    `"relative": true` added), `{"type": "set", "values": {N: V, ...}}` at one moment,
    `{"type": "do", "action": A, "words": TEXT}`. One with an `id` is answered: `{"type": "answer", "id": I,
    "answer": ...}`; what is refused always: `{"type": "error", "id": I, "problem": ..., "remedy": ...}`.

    Messages out besides: `hello` with parameters and actions (again when they are others), and `live` with
    what has changed: `values`, `status`, `levels`, `events`, once a second at least.

    Args:
        watcher: the session.
        feeds: frames of every rate.
        counts: of the server.
    """

    def __init__(self, watcher: Watcher, feeds: FrameFeeds, counts: "Counter[str]") -> None:
        self._watcher, self._feeds, self._counts = watcher, feeds, counts
        self._bucket = Bucket()
        self._socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=LARGEST_BODY, compress=False)
        self._next: Frame | None = None  # what is to be sent
        self._given = asyncio.Event()
        self._in_step = False  # the page has the frame before the next one
        self._missed: dict[str, Sequence[float]] = {}  # peaks of frames that were left out
        self._sent_event = 0
        self._greeted: tuple[int, tuple[str, ...]] = (0, ())  # which desk, and what can be done
        self._free_at = math.inf  # when there was room for a frame
        self._too_many, self._told_at = 0, -math.inf

    async def run(self, request: web.Request) -> web.WebSocketResponse:
        """Until the client has gone."""
        await self._socket.prepare(request)
        self._transport = request.transport
        feeding = asyncio.create_task(self._feed())
        try:
            await self._greet()
            async for message in self._socket:
                if message.type == WSMsgType.TEXT:
                    await self._take(message.data)
                else:  # aiohttp closes after an error
                    too_big = getattr(message.data, "code", None) == WSCloseCode.MESSAGE_TOO_BIG
                    self._counts["refused_size" if too_big else "malformed"] += 1
        except ConnectionError:
            pass
        finally:
            self._feeds.leave(self)
            feeding.cancel()
        return self._socket

    async def close(self) -> None:
        """The server ends."""
        await self._socket.close(code=WSCloseCode.GOING_AWAY, message=b"the server ends")

    async def _greet(self) -> None:
        model = self._watcher.model
        self._greeted = self._watcher.desks, model.actions
        self._in_step = False
        await self._send({"type": "hello", "parameters": model.described(), "actions": model.actions})

    async def _send(self, message: dict[str, Any]) -> None:
        await self._socket.send_str(dumps(message))

    async def _take(self, text: str) -> None:
        identity = None
        try:
            if not self._bucket.take():
                await self._refuse_rate()
                return
            message = loads(text)
            if not isinstance(message, dict):
                raise RtsepError("a message that is no object", 'send {"type": ...}')
            identity = message.get("id")
            answer = await self._obey(message)
            if identity is not None:
                await self._send({"type": "answer", "id": identity, "answer": answer})
        except RtsepError as error:
            self._counts["refused_values"] += 1
            self._in_step = False  # the page shows what it asked for: it is told what is
            told = {"type": "error", "problem": error.problem, "remedy": error.remedy}
            await self._send(told | ({} if identity is None else {"id": identity}))

    async def _refuse_rate(self) -> None:
        """Told once a second: an answer to each would be a flood of ours."""
        self._counts["refused_rate"] += 1
        self._too_many += 1
        now = time.monotonic()
        if now - self._told_at >= TELL_S:
            self._told_at = now
            problem = f"{self._too_many} messages beyond {REQUESTS_PER_S:g} a second were not looked at"
            await self._send({"type": "error", "problem": problem, "remedy": "send fewer"})

    async def _obey(self, message: dict[str, Any]) -> Any:
        kind = message.get("type")
        if kind == "subscribe":
            return self._subscribe(message.get("rate", DEFAULT_RATE_HZ))
        if kind == "set":
            self._counts["commands"] += 1
            if "values" in message:
                return set_values(self._watcher.model, message["values"])
            if not {"name", "value"} <= message.keys():
                raise RtsepError("a set without name or value", 'send {"type":"set","name":N,"value":V}')
            name, relative = str(message["name"]), message.get("relative") is True
            return {name: self._watcher.model.set(name, message["value"], relative=relative)}
        if kind == "do":
            self._counts["commands"] += 1
            return await act(self._watcher, str(message.get("action")), message.get("words", ""))
        raise RtsepError(f"there is no message {str(kind)[:40]!r}", "send subscribe, set or do")

    def _subscribe(self, rate: object) -> float:
        is_number = isinstance(rate, int | float) and not isinstance(rate, bool)
        if not is_number or not 0 <= rate <= HIGHEST_RATE_HZ:  # type: ignore[operator]
            raise RtsepError(
                f"a rate of {str(rate)[:40]} Hz is outside 0..{HIGHEST_RATE_HZ:g}", "choose one within"
            )
        self._in_step, self._sent_event, self._free_at = False, 0, time.monotonic()
        self._feeds.join(self, float(rate))  # type: ignore[arg-type]
        return float(rate)  # type: ignore[arg-type]

    def take_frame(self, frame: Frame) -> None:
        """The next one. Where a slow client has no room for it, it is left out, never queued."""
        now, transport = time.monotonic(), self._transport
        if transport is None or transport.is_closing():
            return
        if self._next is None and transport.get_write_buffer_size() <= WAITING_BYTES:
            self._free_at, self._next = now, frame
            self._given.set()
            return
        self._counts["dropped_frames"] += 1
        self._in_step = False
        self._missed = louder(self._missed, frame.levels)
        if now - self._free_at > STUCK_S:
            self._counts["slow_clients"] += 1
            transport.abort()

    async def _feed(self) -> None:
        """Sends what is given. A task of its own: a client that takes nothing holds up no other."""
        while not self._socket.closed:
            await self._given.wait()
            self._given.clear()
            if self._greeted != (self._watcher.desks, self._watcher.model.actions):
                await self._greet()
            if self._next is None:
                continue
            frame, in_step, self._in_step = self._next, self._in_step, True
            if in_step:
                text = frame.text
            else:
                events = self._watcher.events.since(self._sent_event)
                told = [asdict(event) for event in events if event.number <= frame.last_event]
                text = frame.whole(louder(self._missed, frame.levels), told)
                self._missed = {}
            self._sent_event = max(self._sent_event, frame.last_event)
            await self._socket.send_str(text)
            self._next = None


def louder(one: Mapping[str, Sequence[float]], other: Levels) -> dict[str, Sequence[float]]:
    """The larger of two peaks, of every meter; where they are of different desks, the other's."""
    found = dict(one)
    for name, peaks in other.items():
        kept = one.get(name, ())
        found[name] = list(map(max, kept, peaks)) if len(kept) == len(peaks) else peaks
    return found

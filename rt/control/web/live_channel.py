"""The WebSocket of a page: what has changed goes out at the page's rate, values and orders come in."""

import asyncio
import math
import time
from collections import Counter
from dataclasses import asdict
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.web.guard import LARGEST_BODY
from rtsep.rt.control.web.json_values import dumps, loads
from rtsep.rt.control.web.orders import act, set_values
from rtsep.rt.control.web.rate_limit import REQUESTS_PER_S, Bucket
from rtsep.rt.control.web.watcher import Watcher
from rtsep.rt.process.peaks import PeakKeeper

HIGHEST_RATE_HZ, DEFAULT_RATE_HZ = 30.0, 20.0
HEARTBEAT_S = 10.0  # a phone that is gone is noticed
WAITING_BYTES = 16384  # what a client has not taken yet: beyond it frames are left out
STUCK_S = 20.0  # a client that takes nothing for so long is let go
ALIVE_S = 1.0  # a page that hears nothing takes the connection for lost
TELL_S = 1.0  # how often a client that sends too much is told
# Sent by other ways: as levels, as values, or not at all.
NOT_SENT = ("levels", "peak_db", "rms_db", "input_peak_db", "output_peak_db", "clip", "hop_histogram")


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
        counts: of the server.
    """

    def __init__(self, watcher: Watcher, counts: "Counter[str]") -> None:
        self._watcher, self._counts = watcher, counts
        self._bucket = Bucket()
        self._socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=LARGEST_BODY, compress=False)
        self._period_s = math.inf
        self._rate_changed = asyncio.Event()
        self._peaks = PeakKeeper()
        self._sent_values: dict[str, float] = {}
        self._sent_status: dict[str, Any] = {}
        self._sent_event = 0
        self._greeted: tuple[int, tuple[str, ...]] = (0, ())  # which desk, and what can be done
        self._too_many, self._told_at = 0, -math.inf

    async def run(self, request: web.Request) -> web.WebSocketResponse:
        """Until the client has gone."""
        await self._socket.prepare(request)
        self._transport = request.transport
        self._watcher.keepers.add(self._peaks)
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
            feeding.cancel()
            self._watcher.keepers.discard(self._peaks)
        return self._socket

    async def close(self) -> None:
        """The server ends."""
        await self._socket.close(code=WSCloseCode.GOING_AWAY, message=b"the server ends")

    async def _greet(self) -> None:
        model = self._watcher.model
        self._greeted = self._watcher.desks, model.actions
        self._sent_values, self._sent_status = {}, {}
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
            self._sent_values = {}  # the page shows what it asked for: it is told what is
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
        self._period_s = 1.0 / rate if rate else math.inf  # type: ignore[operator]
        self._sent_values, self._sent_status, self._sent_event = {}, {}, 0
        self._rate_changed.set()
        return float(rate)  # type: ignore[arg-type]

    async def _feed(self) -> None:
        """Frames at the client's rate. One that a slow client has no room for is left out, never queued."""
        next_at = free_at = sent_at = time.monotonic()
        while not self._socket.closed:
            if math.isinf(self._period_s):
                self._rate_changed.clear()
                await self._rate_changed.wait()
                next_at = time.monotonic()
            await asyncio.sleep(max(0.0, next_at - time.monotonic()))
            now = time.monotonic()
            next_at = max(next_at + self._period_s, now)
            transport = self._transport
            if transport is None or transport.is_closing():
                return
            if transport.get_write_buffer_size() > WAITING_BYTES:
                self._counts["dropped_frames"] += 1
                if now - free_at > STUCK_S:
                    self._counts["slow_clients"] += 1
                    transport.abort()
                    return
                continue
            free_at = now
            if self._greeted != (self._watcher.desks, self._watcher.model.actions):
                await self._greet()
            frame = self._frame()
            if frame or now - sent_at >= ALIVE_S:
                sent_at = now
                await self._send({"type": "live", **frame})

    def _frame(self) -> dict[str, Any]:
        """What has changed since the last one; empty where nothing has."""
        values, status = self._watcher.model.values(), self._watcher.status()
        status["session_answers"] = self._watcher.answers
        refused = (count for kind, count in self._counts.items() if kind.startswith("refused_"))
        status["web_refused"] = sum(refused)
        frame: dict[str, Any] = {}
        changed = {name: value for name, value in values.items() if self._sent_values.get(name) != value}
        news = {
            key: value
            for key, value in status.items()
            if key not in NOT_SENT and (key not in self._sent_status or self._sent_status[key] != value)
        }
        if changed:
            frame["values"] = changed
        if news:
            frame["status"] = news
            if "frames" in news:  # a snapshot of the engine
                frame["levels"] = self._peaks.take()
        if events := [asdict(event) for event in self._watcher.events.since(self._sent_event)]:
            frame["events"] = events
            self._sent_event = events[-1]["number"]
        self._sent_values, self._sent_status = values, status
        return frame

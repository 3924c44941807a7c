"""The server's addresses: parameters and status as JSON, actions, the live channel, and the page's files."""

from collections import Counter
from pathlib import Path
from typing import Any

from aiohttp import web

from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.web.frame_feed import FrameFeeds
from rtsep.rt.control.web.guard import Refused
from rtsep.rt.control.web.json_values import dumps, loads
from rtsep.rt.control.web.live_channel import LiveChannel
from rtsep.rt.control.web.orders import act, set_values
from rtsep.rt.control.web.watcher import Watcher

CLIENTS = 32  # pages at once: every desk, phone and tablet of a big show
PAGE = Path(__file__).parent / "page"
TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}


class Api:
    """Handlers of one server.

    Args:
        watcher: the session.
        counts: what was asked and refused, by kind.
    """

    def __init__(self, watcher: Watcher, counts: "Counter[str]") -> None:
        self._watcher, self._counts = watcher, counts
        self._channels: set[LiveChannel] = set()
        self._feeds = FrameFeeds(watcher, counts)
        # read once: no request names a file of the disk, so there is nothing to list or to climb out of
        self._files = {path.name: path.read_bytes() for path in PAGE.iterdir() if path.suffix in TYPES}

    def add_to(self, app: web.Application) -> None:
        """Puts the handlers in place."""
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/{file:[a-z_]+\\.[a-z]+}", self._page),
                web.get("/api/status", self._status),
                web.get("/api/parameters", self._parameters),
                web.patch("/api/parameters", self._patch),
                web.get("/api/parameters/{name:.+}", self._parameter),
                web.put("/api/parameters/{name:.+}", self._put),
                web.get("/api/do", self._actions),
                web.post("/api/do/{action}", self._do),
                web.get("/api/live", self._live),
            ]
        )
        app.on_shutdown.append(self._close)

    async def _page(self, request: web.Request) -> web.Response:
        name = request.match_info.get("file", "index.html")
        if name not in self._files:
            raise web.HTTPNotFound
        kind = TYPES[Path(name).suffix]
        return web.Response(body=self._files[name], content_type=kind, charset="utf-8")

    async def _status(self, request: web.Request) -> web.Response:
        self._watcher.look()
        counted = dict(self._counts) | {"clients": len(self._channels)}
        return _json(self._watcher.status() | {"session_answers": self._watcher.answers, "web": counted})

    async def _parameters(self, request: web.Request) -> web.Response:
        return _json(self._watcher.model.described())

    async def _parameter(self, request: web.Request) -> web.Response:
        name = self._name(request)
        return _json(next(row for row in self._watcher.model.described() if row["name"] == name))

    async def _put(self, request: web.Request) -> web.Response:
        name, body = self._name(request), await _body(request)
        if isinstance(body, dict) and "value" in body:
            value, relative = body["value"], body.get("relative") is True
        else:
            value, relative = body, False
        self._counts["commands"] += 1
        return _json({"name": name, "value": self._watcher.model.set(name, value, relative=relative)})

    async def _patch(self, request: web.Request) -> web.Response:
        values = await _body(request)
        for name in values if isinstance(values, dict) else ():
            self._known(name)
        self._counts["commands"] += 1
        return _json(set_values(self._watcher.model, values))

    async def _actions(self, request: web.Request) -> web.Response:
        return _json(self._watcher.model.actions)

    async def _do(self, request: web.Request) -> web.Response:
        action = request.match_info["action"]
        body = await _body(request) if request.can_read_body else ""
        words = body.get("words", "") if isinstance(body, dict) else body
        if self._watcher.answers and action not in self._watcher.model.actions:
            known = " or ".join(self._watcher.model.actions) or "none"
            raise Refused(404, "refused_values", f"there is no command {action[:40]!r}", f"choose {known}")
        self._counts["commands"] += 1
        return _json({"answer": await act(self._watcher, action, words)})

    async def _live(self, request: web.Request) -> web.StreamResponse:
        if len(self._channels) >= CLIENTS:
            raise Refused(503, "refused_clients", f"{CLIENTS} pages are the most there can be", "close one")
        channel = LiveChannel(self._watcher, self._feeds, self._counts)
        self._channels.add(channel)
        try:
            return await channel.run(request)
        finally:
            self._channels.discard(channel)

    async def _close(self, app: web.Application) -> None:
        for channel in tuple(self._channels):
            await channel.close()

    def _name(self, request: web.Request) -> str:
        name = request.match_info["name"]
        self._known(name)
        return name

    def _known(self, name: str) -> None:
        """A wrong name is another kind of wrong than a wrong value: nothing is there."""
        try:
            self._watcher.model.get(name)
        except RtsepError as error:
            raise Refused(404, "refused_values", error.problem, error.remedy) from None


async def _body(request: web.Request) -> Any:
    try:
        return loads(await request.read())
    except RtsepError as error:
        raise Refused(400, "malformed", error.problem, error.remedy) from None


def _json(value: Any) -> web.Response:
    return web.Response(text=dumps(value), content_type="application/json")

"""How many connections there may be, of all clients and of one, and how long one may say nothing."""

import asyncio
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import cast
from weakref import WeakSet

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CONNECTIONS, CONNECTIONS_OF_ONE = 128, 48  # a browser opens six, and keeps one more for its WebSocket
FIRST_REQUEST_S = 10.0
SEND_BUFFER = 65536  # what a slow client has not taken is old: better none of it than seconds of it


class Door:
    """Makes a protocol for every connection; those that are too many are closed at once.

    Args:
        counts: of what was refused, by kind.
    """

    def __init__(self, counts: "Counter[str]") -> None:
        self._counts = counts
        self._asked: WeakSet[asyncio.BaseTransport] = WeakSet()

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Notes which connections have asked for something."""
        if request.transport is not None:
            self._asked.add(request.transport)
        return await handler(request)

    def leading_to(self, server: web.Server) -> Callable[[], asyncio.Protocol]:
        """For `loop.create_server`: connections that may come in are served by `server`."""
        return lambda: _Visitor(self, server)

    def enter(self, transport: asyncio.Transport, server: web.Server) -> None:
        """Hands a new connection on, or closes it."""
        clients = [_client(handler.transport) for handler in server.connections]
        if len(clients) >= CONNECTIONS or clients.count(_client(transport)) >= CONNECTIONS_OF_ONE:
            self._counts["refused_clients"] += 1
            transport.abort()
            return
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        protocol = server()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        asyncio.get_running_loop().call_later(FIRST_REQUEST_S, self._hurry, transport)

    def _hurry(self, transport: asyncio.Transport) -> None:
        if transport not in self._asked and not transport.is_closing():
            self._counts["refused_silent"] += 1
            transport.abort()


def _client(transport: asyncio.BaseTransport | None) -> str:
    """The address it comes from."""
    peer = None if transport is None else transport.get_extra_info("peername")
    return str(peer[0]) if peer else ""


class _Visitor(asyncio.Protocol):
    """Stands at the door until it is known who comes."""

    def __init__(self, door: Door, server: web.Server) -> None:
        self._door, self._server = door, server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._door.enter(cast(asyncio.Transport, transport), self._server)

"""The ways to steer a session from outside, opened and closed together."""

import contextlib
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.command_model import CommandModel
from rtsep.rt.control.osc_server import OscServer, parse_address
from rtsep.rt.control.socket_server import SocketServer
from rtsep.rt.control.web.listening import parse_web_address
from rtsep.rt.control.web.web_keeper import WebKeeper
from rtsep.rt.process.shared_memory import SharedMemory


class Surfaces:
    """Listens while it is entered.

    Args:
        model: what is steered.
        name: of the session, for `rtsep control`.
        osc: `[HOST:]PORT`, or None for no OSC.
        web: `[HOST:]PORT` of the mixer page, or None for no page.
        memories: the session's status and parameters, for the page's process.

    Attributes:
        notes: what the user should know: where it listens, and why not.
        web: what keeps the page's process, None without a page.

    Raises:
        RtsepError: on entering, for an OSC address that cannot be had. A socket for `rtsep control` that
            cannot be had is told in `notes`: nobody asked for it.
    """

    def __init__(
        self,
        model: CommandModel,
        name: str,
        osc: str | None = None,
        web: str | None = None,
        memories: Sequence[SharedMemory] = (),
    ) -> None:
        self._model, self._name, self._osc = model, name, osc
        self._web, self._memories = web, memories
        self._stack = contextlib.ExitStack()
        self.notes: list[str] = []
        self.osc: OscServer | None = None
        self.web: WebKeeper | None = None

    def __enter__(self) -> Self:
        if self._osc is not None:
            server = OscServer(self._model, parse_address(self._osc, "--osc"))
            self.osc = self._stack.enter_context(server)
            self.notes.append(f"OSC on {server.address[0]}:{server.address[1]}")
        try:
            self._stack.enter_context(SocketServer(self._model, self._name))
        except RtsepError as error:
            self.notes.append(f"rtsep control cannot reach this session: {error}")
        if self._web is not None:
            keeper = WebKeeper(parse_web_address(self._web), self._name, self._memories)
            self.web = self._stack.enter_context(keeper)
            self.notes += keeper.notes
        return self

    def take_news(self) -> list[str]:
        """What has happened to the surfaces since the last time."""
        return [] if self.web is None else self.web.take_news()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

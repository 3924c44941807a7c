"""The ways to steer a session from outside, opened and closed together."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.command_model import CommandModel
from rtsep.rt.control.midi.controllers import Controllers
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
        midi: part of the name of each MIDI controller's port, and its map; none for no MIDI.
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
        midi: Sequence[tuple[str, Path]] = (),
    ) -> None:
        self._model, self._name, self._osc, self._midi = model, name, osc, midi
        self._web, self._memories = web, memories
        self._stack = contextlib.ExitStack()
        self.notes: list[str] = []
        self.osc: OscServer | None = None
        self.web: WebKeeper | None = None
        self.midi: Controllers | None = None
        self._socket: SocketServer | None = None

    def __enter__(self) -> Self:
        try:
            self._open()
        except BaseException:
            self._stack.close()  # what is open already, where the next cannot be
            raise
        return self

    def _open(self) -> None:
        if self._osc is not None:
            server = OscServer(self._model, parse_address(self._osc, "--osc"))
            self.osc = self._stack.enter_context(server)
            self.notes.append(f"OSC on {server.address[0]}:{server.address[1]}")
        if self._midi:
            self.midi = self._stack.enter_context(Controllers(self._model, self._midi))
            self.notes += self.midi.notes
        self._model.offer("midi", _no_midi if self.midi is None else self.midi.do)
        try:
            self._socket = self._stack.enter_context(SocketServer(self._model, self._name))
        except RtsepError as error:
            self.notes.append(f"rtsep control cannot reach this session: {error}")
        if self._web is not None:
            keeper = WebKeeper(parse_web_address(self._web), self._name, self._memories)
            self.web = self._stack.enter_context(keeper)
            self.notes += keeper.notes

    def take_news(self) -> list[str]:
        """What has happened to the surfaces since the last time."""
        ways = [way for way in (self.osc, self._socket, self.midi, self.web) if way is not None]
        return [news for way in ways for news in way.take_news()]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


def _no_midi(words: str) -> str:
    raise RtsepError("this session listens to no MIDI controller", "start it with --midi NAME")

"""The ways to steer a session from outside, opened and closed together."""

import contextlib
from types import TracebackType
from typing import Self

from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.command_model import CommandModel
from rtsep.rt.control.osc_server import OscServer, parse_address
from rtsep.rt.control.socket_server import SocketServer


class Surfaces:
    """Listens while it is entered.

    Args:
        model: what is steered.
        name: of the session, for `rtsep control`.
        osc: `[HOST:]PORT`, or None for no OSC.

    Attributes:
        notes: what the user should know: where it listens, and why not.

    Raises:
        RtsepError: on entering, for an OSC address that cannot be had. A socket for `rtsep control` that
            cannot be had is told in `notes`: nobody asked for it.
    """

    def __init__(self, model: CommandModel, name: str, osc: str | None = None) -> None:
        self._model, self._name, self._osc = model, name, osc
        self._stack = contextlib.ExitStack()
        self.notes: list[str] = []
        self.osc: OscServer | None = None

    def __enter__(self) -> Self:
        if self._osc is not None:
            server = OscServer(self._model, parse_address(self._osc, "--osc"))
            self.osc = self._stack.enter_context(server)
            self.notes.append(f"OSC on {server.address[0]}:{server.address[1]}")
        try:
            self._stack.enter_context(SocketServer(self._model, self._name))
        except RtsepError as error:
            self.notes.append(f"rtsep control cannot reach this session: {error}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

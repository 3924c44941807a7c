"""A program that speaks OSC to a session."""

import socket
import time
from typing import Any

from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.osc_packet import OscPacket

WAIT_S = 10.0
PATIENCE_S = 30.0


class OscClient:
    """Messages to one address, and what is answered.

    Args:
        address: host and port of the session's server.
        wait_s: for an answer.
    """

    def __init__(self, address: tuple[str, int], wait_s: float = WAIT_S) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(wait_s)
        self._to = address

    def send(self, address: str, *values: Any) -> None:
        """A message."""
        builder = OscMessageBuilder(address)
        for value in values:
            builder.add_arg(value)
        self.raw(builder.build().dgram)

    def raw(self, packet: bytes) -> None:
        """Bytes as they are."""
        self._socket.sendto(packet, self._to)

    def receive(self) -> tuple[str, list[Any]]:
        """The next answer: its address and values."""
        message = OscPacket(self._socket.recv(65536)).messages[0].message
        return message.address, list(message.params)

    def ask(self, address: str, *values: Any) -> tuple[str, list[Any]]:
        """A message and the next answer."""
        self.send(address, *values)
        return self.receive()

    def ask_until_told(self, address: str, *values: Any) -> tuple[str, list[Any]]:
        """`ask` where the question may be lost: a queue of datagrams that is full drops the next."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self.ask(address, *values)
            except TimeoutError:
                assert time.monotonic() < deadline

    def close(self) -> None:
        """Nothing comes any more."""
        self._socket.close()

"""A JACK server, PipeWire's included, as it is found: its rate, its period, the ports of everyone."""

import os
from dataclasses import dataclass

from rtsep.kernels import _core
from rtsep.kernels.errors import DeviceRefused

# Linux, and macOS with and without a package manager's folder
LIBRARIES = [
    "libjack.so.0",
    "libjack.0.dylib",
    "/usr/local/lib/libjack.0.dylib",
    "/opt/homebrew/lib/libjack.0.dylib",
]


@dataclass(frozen=True)
class GraphPort:
    """An audio port of any client: its full name, which way it goes, and whether it belongs to a device."""

    name: str
    is_output: bool
    is_physical: bool

    @property
    def client(self) -> str:
        """Whose it is."""
        return self.name.partition(":")[0]


@dataclass(frozen=True)
class JackServer:
    """What a server tells a newcomer.

    Attributes:
        client: the name it gives the newcomer.
        samplerate: Hz.
        period: frames of a block. PipeWire may change it once a client runs.
        ports: audio ports of all clients.
    """

    client: str
    samplerate: int
    period: int
    ports: tuple[GraphPort, ...]


def server_name() -> str:
    """The server that libjack talks to."""
    return os.environ.get("JACK_DEFAULT_SERVER", "default")


def join(name: str) -> _core.JackClient:
    """A client of the running server, silent and without ports.

    Raises:
        DeviceRefused: libjack is missing, or no server answers.
    """
    try:
        _core.load_jack(LIBRARIES)
    except RuntimeError as error:
        raise DeviceRefused(
            f"the JACK library cannot be loaded ({error})",
            "install it: apt install libjack-jackd2-0; or leave out --driver jack",
        ) from None
    try:
        return _core.JackClient(name, LIBRARIES)
    except RuntimeError as error:
        raise DeviceRefused(
            f"the JACK server {server_name()!r} cannot be joined ({error})",
            "start it, name it in JACK_DEFAULT_SERVER, or under PipeWire run pw-jack rtsep",
        ) from None


def look(name: str) -> JackServer:
    """What there is now, asked by a client of that name that leaves at once.

    Raises:
        DeviceRefused: as `join`.
    """
    client = join(name)
    try:
        ports = tuple(GraphPort(*port) for port in client.ports())
        return JackServer(client.name, client.samplerate, client.blocksize, ports)
    finally:
        client.close()

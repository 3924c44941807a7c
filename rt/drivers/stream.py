"""A running stream as the hop loop sees it, whoever drives it."""

from typing import Any, Protocol

from rtsep.kernels import _core
from rtsep.rt.drivers.bridged_stream import BridgedStream
from rtsep.rt.drivers.device_stream import DeviceStream, StreamFormat
from rtsep.rt.drivers.jack_options import Wire
from rtsep.rt.drivers.jack_stream import JackStream


class Stream(Protocol):
    """What `DeviceStream` (PortAudio), `BridgedStream` (two of its streams) and `JackStream` share."""

    def start(self) -> None:
        """Sound from here on."""

    def stalled_s(self) -> float:
        """Seconds without a block; inf once the driver has gone."""
        ...

    @property
    def latency_s(self) -> tuple[float | None, float | None]:
        """What the driver says it adds before and after us; None where that cannot be."""
        ...

    @property
    def load(self) -> float:
        """Share of a block's time the callback takes."""
        ...

    @property
    def blocksize(self) -> int:
        """Frames of a block now."""
        ...

    def replace(self, callback: _core.DeviceCallback, latency_samples: int) -> None:
        """Runs another callback from the next block on; returns once the one before runs no more."""

    def open_outputs(self, names: list[str]) -> None:
        """The first spare outputs are used from now on, under these names where the driver has names; may
        take longer than a hop.

        Raises:
            DeviceRefused: the driver refuses one.
        """

    def news(self) -> dict[str, Any] | None:
        """What has changed since the last call, for the status; None for nothing."""
        ...

    def wires(self) -> list[Wire]:
        """Connections in the driver's graph that are wanted now, those made by hand included."""
        ...

    def notes(self) -> list[str]:
        """What the user should know."""
        ...

    def close(self) -> bool:
        """Silence. False when the driver hangs."""
        ...


def open_stream(fmt: StreamFormat, callback: _core.DeviceCallback, latency_samples: int) -> Stream:
    """A stream that has not started.

    Raises:
        DeviceRefused: the driver refuses it.
    """
    if fmt.jack is not None:
        return JackStream(fmt, callback, latency_samples)
    if fmt.bridge_samples:
        return BridgedStream(fmt, callback)
    return DeviceStream(fmt, callback)

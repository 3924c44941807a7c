"""A stream on a JACK client of rtsep's own: its ports, its connections, its latency told to the graph."""

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from rtsep.kernels import _core
from rtsep.kernels.errors import DeviceRefused
from rtsep.rt.drivers.device_stream import LEAVE_S, StreamFormat
from rtsep.rt.drivers.driver_calls import GaveUp, after, call_driver
from rtsep.rt.drivers.jack_options import Wire
from rtsep.rt.drivers.jack_server import join
from rtsep.rt.drivers.wire_file import Remembered, remembered, wire_file


class JackStream:
    """Runs `callback` in the JACK graph and never enters Python.

    Args:
        fmt: with a `JackPlan`.
        callback: what JACK runs; one channel for each port.
        latency_samples: what the graph is told, exact.

    Raises:
        DeviceRefused: no server, or one that refuses a port.
    """

    def __init__(self, fmt: StreamFormat, callback: _core.DeviceCallback, latency_samples: int) -> None:
        assert fmt.jack is not None
        self._format, self._plan = fmt, fmt.jack
        self._callback, self._latency_samples = callback, latency_samples
        self._wires = [(source, target) for source, target in self._plan.wires]
        self._waiting: list[Wire] = []
        self._version = 0
        self._last_position, self._moved_at = callback.position, time.monotonic()
        self._client = join(self._plan.name)
        try:
            self._client.register_ports(self._plan.inputs, self._plan.outputs, self._plan.spare)
        except RuntimeError as error:
            self.close()
            raise DeviceRefused(
                f"JACK refuses the ports of {self._plan.name!r} ({error})", "use fewer"
            ) from None

    def start(self) -> None:
        """Sound from here on, and connections as their ports are there."""
        try:
            self._client.start(self._latency_samples)
        except RuntimeError as error:
            self.close()
            raise DeviceRefused(
                f"the JACK server does not start {self._plan.name!r} ({error})", "look whether it works"
            ) from None
        folder = self._plan.folder
        path = str(wire_file(folder, self._client.name)) if folder else ""
        self._keeper = _core.JackWires(self._client, self._wires, self._plan.remembered_ports, path)
        self._keeper.start()
        self._client.play(self._callback, self._latency_samples)
        self._moved_at = time.monotonic()

    @property
    def blocksize(self) -> int:
        """Frames of the server's block now."""
        return self._client.blocksize

    def replace(self, callback: _core.DeviceCallback, latency_samples: int) -> None:
        """Runs another callback from the next block on, and tells the graph its latency."""
        self._client.play(callback, latency_samples)
        self._callback, self._latency_samples = callback, latency_samples
        self._last_position, self._moved_at = callback.position, time.monotonic()

    def open_outputs(self, names: list[str]) -> None:
        """Ports for the first spare outputs, connected as soon as may be; takes as long as the server does.

        Raises:
            DeviceRefused: the server refuses one.
        """
        plan = self._plan
        try:
            names = [name for name in names if name not in plan.outputs]
            for name in names:
                self._client.add_output(name)
        except RuntimeError as error:
            raise DeviceRefused(f"JACK refuses another port ({error})", "close another client") from None
        self._plan = replace(plan, outputs=[*plan.outputs, *names], spare=plan.spare - len(names))
        known = Remembered([], [])
        if plan.restores and plan.folder:
            known = remembered(Path(plan.folder), self._client.name)
        self._keeper.add(self._plan.wires_of_new(names, known.ports, known.wires), names)

    def stalled_s(self) -> float:
        """Seconds since the callback last advanced, as seen by calls of this method; inf once the server has
        gone or runs at another rate. An offline bounce takes its time.
        """
        position, now = self._callback.position, time.monotonic()
        if position != self._last_position or self._client.freewheeling:
            self._last_position, self._moved_at = position, now
        if not self._client.alive or self._client.samplerate != self._format.samplerate:
            return math.inf
        return now - self._moved_at

    @property
    def latency_s(self) -> tuple[float, float]:
        """What the graph adds before and behind us, over the longest way."""
        rate = self._format.samplerate
        return self._client.capture_latency / rate, self._client.playback_latency / rate

    @property
    def load(self) -> float:
        """Share of a block's time the callback takes."""
        return self._client.load

    def wires(self) -> list[Wire]:
        """Connections that are wanted now, those made by hand included."""
        self._look_at_wires()
        return self._wires

    def news(self) -> dict[str, Any] | None:
        """What has changed in the graph since the last call, for the status; None for nothing."""
        if not self._look_at_wires():
            return None
        before, behind = self.latency_s
        rate = self._format.samplerate
        return {
            "jack_client": self._client.name,
            "wires": [f"{source}>{target}" for source, target in self._wires],
            "device_input_samples": round(before * rate),
            "device_output_samples": round(behind * rate),
        }

    def notes(self) -> list[str]:
        """What the user should know."""
        notes = []
        if self._client.name != self._plan.name:
            notes.append(f"JACK has a client {self._plan.name!r} already: this one is {self._client.name!r}")
        if self._waiting:
            named = ", ".join(f"{source}>{target}" for source, target in self._waiting)
            notes.append(f"not connected yet, waiting for the port: {named}")
        if not self._plan.folder or self._keeper.cannot_save:
            notes.append("connections cannot be remembered: the state folder is not writable")
        return notes

    def _look_at_wires(self) -> bool:
        """Whether the lists of connections are new."""
        version = self._keeper.version
        if version == self._version or (lists := self._keeper.try_lists()) is None:
            return False
        self._version = version
        self._wires, self._waiting = lists
        return True

    def close(self) -> bool:
        """Leaves the graph at once. False when the server hangs: JACK must then be left alone until this
        process ends or is replaced.
        """

        def leave() -> None:
            self._client.silence()
            if hasattr(self, "_keeper"):
                self._keeper.stop()
            self._client.close()

        try:
            call_driver(leave, after(LEAVE_S))
        except GaveUp:
            return False
        return True

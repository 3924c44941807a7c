"""Two PortAudio streams, an input and an output with a clock each, and the bridge between them.

The output's clock leads: separation and mixing run in the output's callback, as on a device that has both.
The few channels of the input are converted, not the many of the stems: what is played stays the model's,
to the bit, and the outputs sum to the converted input.
"""

import contextlib
import math
import time
from typing import Any

from rtsep.kernels import _core
from rtsep.kernels.errors import DeviceRefused
from rtsep.rt.drivers.clocks import INSTALL, make_bridge
from rtsep.rt.drivers.device_stream import LEAVE_S, StreamFormat, open_portaudio
from rtsep.rt.drivers.devices import known_latency_s, portaudio
from rtsep.rt.drivers.driver_calls import GaveUp, after, call_driver

NEWS_S = 0.25  # a drift changes within minutes
KNOWN_PPM = 5.0  # standard deviation from which on a drift is shown


class BridgedStream:
    """Runs `callback` at the pace of the output and never enters Python.

    Args:
        fmt: with `bridge_samples`.
        callback: what the output's thread runs.

    Raises:
        DeviceRefused: PortAudio refuses a device, its channels or rate; libsamplerate is gone.
    """

    def __init__(self, fmt: StreamFormat, callback: _core.DeviceCallback) -> None:
        self._blocksize, self._callback = fmt.blocksize, callback
        try:
            self._bridge = make_bridge(fmt.inputs, fmt.samplerate, fmt.blocksize)
        except RuntimeError as error:
            raise DeviceRefused(
                f"libsamplerate between {fmt.devices} cannot be loaded ({error})", f"install it: {INSTALL}"
            ) from None
        self._slot = _core.CallbackSlot(callback)
        self._bridge.feed(self._slot, fmt.outputs)
        address = self._bridge.address  # outlives the streams: it is PortAudio's userdata
        ends = _core.ClockBridge
        self._output = open_portaudio(fmt, "output", ends.output_function_address, address)
        try:
            self._input = open_portaudio(fmt, "input", ends.input_function_address, address)
        except DeviceRefused:
            self._output.close(ignore_errors=True)
            raise
        self._last = self._positions()
        self._moved_at = [time.monotonic()] * 2
        self._told_at = -math.inf

    def _positions(self) -> tuple[int, int]:
        """Frames that the input has delivered and the output has taken."""
        return self._bridge.taken_frames, self._callback.position

    def start(self) -> None:
        """Sound from here on, once the clocks are known: half a second."""
        sd = portaudio()
        try:
            self._input.start()
            self._output.start()
        except sd.PortAudioError as error:
            self.close()
            raise DeviceRefused(
                f"an audio device does not start ({error})", "check that nothing else holds it"
            ) from None
        self._moved_at = [time.monotonic()] * 2

    def stalled_s(self) -> float:
        """Seconds since the slower of the two last advanced, as seen by calls of this method; inf once one is
        inactive.
        """
        sd = portaudio()
        now, positions = time.monotonic(), self._positions()
        for side in (0, 1):
            if positions[side] != self._last[side]:
                self._moved_at[side] = now
        self._last = positions
        active = False
        with contextlib.suppress(sd.PortAudioError):
            active = bool(self._input.active and self._output.active)
        return now - min(self._moved_at) if active else math.inf

    @property
    def latency_s(self) -> tuple[float | None, float | None]:
        """What the drivers say they add before and after us; None where that cannot be."""
        return known_latency_s(self._input.latency), known_latency_s(self._output.latency)

    @property
    def load(self) -> float:
        """Share of a block's time that the callbacks take, both together."""
        return float(self._input.cpu_load + self._output.cpu_load)

    @property
    def blocksize(self) -> int:
        """Frames of a block."""
        return self._blocksize

    def replace(self, callback: _core.DeviceCallback, latency_samples: int) -> None:
        """Runs another callback from the next block on."""
        self._slot.play(callback)
        self._callback = callback
        self._last = self._positions()

    def open_outputs(self, names: list[str]) -> None:
        """Nothing to do: all outputs of the device are open already."""

    def news(self) -> dict[str, Any] | None:
        """The clocks, four times a second."""
        now = time.monotonic()
        if now - self._told_at < NEWS_S:
            return None
        self._told_at = now
        bridge = self._bridge
        known = bridge.is_settled and 1e6 * bridge.uncertainty < KNOWN_PPM
        return {
            "clock_ppm": round(1e6 * bridge.drift, 1) if known else None,
            "clock_fill_samples": round(bridge.fill_samples) if bridge.is_settled else None,
            "clock_slips": bridge.slips,
        }

    def wires(self) -> list[tuple[str, str]]:
        """PortAudio makes its own."""
        return []

    def notes(self) -> list[str]:
        """Nothing to say."""
        return []

    def close(self) -> bool:
        """Stops at once. False when a driver hangs: PortAudio must then be left alone until this process ends
        or is replaced.
        """

        def leave() -> None:
            for stream in (self._output, self._input):
                stream.abort(ignore_errors=True)
                stream.close(ignore_errors=True)

        try:
            call_driver(leave, after(LEAVE_S))
        except GaveUp:
            return False
        return True

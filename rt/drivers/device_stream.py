"""A PortAudio stream whose callback is the C++ one: opened, watched, closed."""

import contextlib
import math
import time
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from rtsep.kernels import _core
from rtsep.kernels.errors import DeviceRefused, RtsepError
from rtsep.rt.drivers.devices import Device, Kind, known_latency_s, portaudio
from rtsep.rt.drivers.driver_calls import GaveUp, after, call_driver
from rtsep.rt.drivers.jack_ports import JackPlan

LEAVE_S = 0.5  # a driver that has not let go by then hangs; Ctrl-C ends a run within a second
PROBE_CALLBACKS = 4
PROBE_TIMEOUT_S = 3.0  # and the time of the blocks waited for, which may be the longest there are
DEVICE_TIMEOUT_S = 1.0  # ten times the longest block of most devices
TIMEOUT_BLOCKS = 4  # a block may be late by more than itself: by what else the machine does
MAX_BLOCK = 8192


@dataclass(frozen=True)
class StreamFormat:
    """What to open: devices, Hz, frames of a block, and how many channels of each device; with `jack`, a JACK
    client of rtsep's own in place of PortAudio; with `bridge_samples`, two streams and a bridge between their
    clocks, which adds so much to the delay.
    """

    input: Device
    output: Device
    samplerate: int
    blocksize: int
    inputs: int
    outputs: int
    jack: JackPlan | None = None
    bridge_samples: int = 0

    @property
    def devices(self) -> str:
        """Their names, for a message."""
        if self.jack is not None:
            return self.input.name
        return f"{self.input.name!r} -> {self.output.name!r}"

    @property
    def is_jack(self) -> bool:
        """JACK through PortAudio: JACK alone decides the block size."""
        return self.input.is_jack


def device_timeout_s(blocksize: int, samplerate: int) -> float:
    """A device that has not called for so long is lost.

    >>> device_timeout_s(128, 48000), device_timeout_s(8192, 8000)
    (1.0, 4.096)
    """
    return max(DEVICE_TIMEOUT_S, TIMEOUT_BLOCKS * blocksize / samplerate)


class DeviceStream:
    """A duplex stream of float32 that runs `callback` and never enters Python.

    Raises:
        DeviceRefused: PortAudio refuses the devices, channels or rate.
    """

    def __init__(self, fmt: StreamFormat, callback: _core.DeviceCallback) -> None:
        self._blocksize, self._follows_server = fmt.blocksize, fmt.is_jack
        self._callback = callback
        self._slot = _core.CallbackSlot(
            callback
        )  # must outlive the stream: its address is PortAudio's userdata
        self._last_position, self._moved_at = callback.position, time.monotonic()
        self._stream = open_portaudio(fmt, "duplex", _core.CallbackSlot.function_address, self._slot.address)

    def start(self) -> None:
        """Sound from here on."""
        sd = portaudio()
        try:
            self._stream.start()
        except sd.PortAudioError as error:
            self.close()
            raise DeviceRefused(
                f"the audio device does not start ({error})", "check that nothing else holds it"
            ) from None
        self._moved_at = time.monotonic()

    def open_outputs(self, names: list[str]) -> None:
        """Nothing to do: all outputs of the device are open already."""

    def stalled_s(self) -> float:
        """Seconds since the callback last advanced, as seen by calls of this method; inf once inactive."""
        position, now = self._callback.position, time.monotonic()
        if position != self._last_position:
            self._last_position, self._moved_at = position, now
        sd = portaudio()
        try:
            active = bool(self._stream.active)
        except sd.PortAudioError:
            active = False
        return now - self._moved_at if active else math.inf

    @property
    def latency_s(self) -> tuple[float | None, float | None]:
        """What the driver says it adds before and after us; None where that cannot be."""
        before, behind = self._stream.latency
        return known_latency_s(before), known_latency_s(behind)

    @property
    def load(self) -> float:
        """Share of a block's time the callback takes."""
        return float(self._stream.cpu_load)

    @property
    def blocksize(self) -> int:
        """Frames of a block: the last one's where an audio server decides, as PortAudio does not say when it
        changes.
        """
        return (self._slot.blocksize if self._follows_server else 0) or self._blocksize

    def replace(self, callback: _core.DeviceCallback, latency_samples: int) -> None:
        """Runs another callback from the next block on."""
        self._slot.play(callback)
        self._callback = callback
        self._last_position, self._moved_at = callback.position, time.monotonic()

    def news(self) -> dict[str, Any] | None:
        """Nothing changes."""
        return None

    def wires(self) -> list[tuple[str, str]]:
        """PortAudio makes its own."""
        return []

    def notes(self) -> list[str]:
        """Nothing to say."""
        return []

    def close(self) -> bool:
        """Stops at once. False when the driver hangs: PortAudio must then be left alone until this process
        ends or is replaced.
        """

        def leave() -> None:
            self._stream.abort(ignore_errors=True)
            self._stream.close(ignore_errors=True)

        try:
            call_driver(leave, after(LEAVE_S))
        except GaveUp:
            return False
        return True


def open_portaudio(fmt: StreamFormat, kind: Kind | Literal["duplex"], function: int, userdata: int) -> Any:
    """A stream of float32 that runs a C function with `userdata`, both as addresses; not started.

    Raises:
        DeviceRefused: PortAudio refuses devices, channels or rate.
    """
    sd = portaudio()
    devices, channels = (fmt.input.index, fmt.output.index), (fmt.inputs, fmt.outputs)
    side = {"input": 0, "output": 1}.get(kind)
    try:
        return sd._StreamBase(
            kind=kind,
            device=devices if side is None else devices[side],
            channels=channels if side is None else channels[side],
            samplerate=fmt.samplerate,
            # PortAudio delays JACK by a whole block where a block size is named, even the server's own
            # (measured)
            blocksize=0 if fmt.is_jack else fmt.blocksize,
            dtype="float32",
            latency="low",
            callback=sd._ffi.cast("PaStreamCallback *", function),
            userdata=sd._ffi.cast("void *", userdata),
            wrap_callback=None,
        )
    except (sd.PortAudioError, ValueError) as error:
        raise _refusal(error, fmt, kind) from None


def leave_portaudio() -> None:
    """Before the process ends: JACK's server drops a client that says goodbye at once, others later."""
    with contextlib.suppress(GaveUp):
        call_driver(portaudio()._terminate, after(LEAVE_S))


def _refusal(error: Exception, fmt: StreamFormat, kind: Kind | Literal["duplex"]) -> RtsepError:
    one = {"input": fmt.input, "output": fmt.output}.get(kind)
    pair = fmt.devices if one is None else repr(one.name)
    if "sample rate" in str(error).lower() or "samplerate" in str(error).lower():
        own = sorted({round(device.samplerate) for device in ([one] if one else [fmt.input, fmt.output])})
        return RtsepError(
            f"{pair} does not run at {fmt.samplerate} Hz",
            f"use its own rate, {' or '.join(map(str, own))} Hz",
        )
    if one is None and fmt.input.host_api != fmt.output.host_api:
        return RtsepError(
            f"{pair} mixes {fmt.input.host_api} and {fmt.output.host_api}",
            "choose two devices of one host API; see `rtsep devices`",
        )
    sides = {"input": f"{fmt.inputs} in", "output": f"{fmt.outputs} out"}
    channels = sides.get(kind, " and ".join(sides.values()))
    return RtsepError(
        f"{pair} cannot be opened with {channels} ({error})",
        "choose other channels or devices; see `rtsep devices`",
    )


def jack_period(fmt: StreamFormat) -> int:
    """Frames per block of the JACK server, found by running a silent stream for some blocks.

    Raises:
        DeviceRefused: the device cannot be opened or delivers nothing.
    """
    gains, bypass = np.zeros((fmt.outputs, 2), np.float32), np.zeros((fmt.outputs, 1), np.float32)
    silent = _core.DeviceCallback([0], fmt.inputs, gains, 2, 1, 2, 1, 1, bypass, 1)
    stream = DeviceStream(fmt, silent)
    stream.start()
    try:
        deadline = time.monotonic() + PROBE_TIMEOUT_S + PROBE_CALLBACKS * MAX_BLOCK / fmt.samplerate
        while silent.callbacks < PROBE_CALLBACKS:
            if time.monotonic() > deadline:
                raise DeviceRefused(
                    f"{fmt.input.name!r} delivers no audio", "check that the JACK server is running"
                )
            time.sleep(0.005)
    finally:
        stream.close()
    return silent.max_block

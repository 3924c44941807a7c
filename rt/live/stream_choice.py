"""From what the user asked for to the stream that is opened; and to the same one again after a device came
back.
"""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from rtsep.kernels.errors import DeviceRefused
from rtsep.rt.drivers.device_stream import MAX_BLOCK, StreamFormat, jack_period
from rtsep.rt.drivers.devices import Device, find_device, find_same, list_devices, pick_channels
from rtsep.rt.drivers.jack_ports import JackPlan
from rtsep.rt.hop.presets import Preset
from rtsep.rt.live.settings import LiveSettings

# Longer blocks leave less of the device's own latency to win, shorter ones cost CPU: 2.7 ms at 48 kHz.
LARGEST_DEFAULT_BLOCK = 128
SMALLEST_DEFAULT_BLOCK = 16  # 3000 callbacks a second at 48 kHz


def default_blocksize(hop: int) -> int:
    """Largest power of two up to 128 that divides the hop, so that no buffering is added; 128 if that is
    under 16.
    """
    divisor = math.gcd(hop, LARGEST_DEFAULT_BLOCK)
    return divisor if divisor >= SMALLEST_DEFAULT_BLOCK else LARGEST_DEFAULT_BLOCK


def buffering_samples(blocksize: int, hop: int) -> int:
    """B - gcd(B, H): what blocks that do not divide the hop add to the latency (ARCHITECTURE.md, Live)."""
    return blocksize - math.gcd(blocksize, hop)


@dataclass(frozen=True)
class StreamChoice:
    """A stream and the 0-based channels used of it: `picks` of the input, `outputs` in stem order."""

    format: StreamFormat
    picks: list[int]
    outputs: list[int]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Back from `as_dict`."""
        fmt = values["format"]
        parts: dict[str, Any] = {side: Device(**fmt[side]) for side in ("input", "output")}
        if fmt["jack"] is not None:
            parts["jack"] = JackPlan(**fmt["jack"])
        return cls(StreamFormat(**(fmt | parts)), values["picks"], values["outputs"])


def choose_stream(settings: LiveSettings) -> StreamChoice:
    """What to open.

    Raises:
        DeviceRefused: a device, channel, rate or block size that cannot be had.
    """
    devices = list_devices()
    source = find_device(settings.input, "input", devices)
    target = find_device(settings.output, "output", devices, host_api=source.host_api)
    picks = pick_channels(settings.input_channels, source, "input")
    outputs = pick_channels(settings.output_channels, target, "output")
    if settings.output_channels is None:  # no more than there is something to play on
        outputs = outputs[: (len(settings.choice.names()) + 1) * len(picks)]
    samplerate = settings.samplerate or round(source.samplerate)
    asked = settings.blocksize
    if asked is not None and not 1 <= asked <= MAX_BLOCK:
        raise DeviceRefused(f"block size {asked} is outside 1..{MAX_BLOCK}", "leave it out")
    blocksize = asked or default_blocksize(Preset(samplerate, settings.latency_ms).hop)
    fmt = StreamFormat(source, target, samplerate, blocksize, max(picks) + 1, max(outputs) + 1)
    if fmt.is_jack:
        period = jack_period(fmt)
        if asked not in (None, period):
            raise DeviceRefused(
                f"block size {asked} is not the JACK server's period of {period}",
                f"leave it out or start the server with -p {asked}",
            )
        fmt = replace(fmt, blocksize=period)
    return StreamChoice(fmt, picks, outputs)


def find_again(choice: StreamChoice) -> StreamChoice:
    """The same stream on the same devices, wherever PortAudio lists them now.

    Raises:
        DeviceRefused: they are not there, or run with other blocks, so that the latency would move.
    """
    old = choice.format
    devices = list_devices()
    source = find_same(old.input, "input", devices)
    target = find_same(old.output, "output", devices)
    for kind, there, used in (
        ("input", source.inputs, old.inputs),
        ("output", target.outputs, old.outputs),
    ):
        if there < used:
            raise DeviceRefused(
                f"the device came back with {there} {kind} channels, {used} are in use",
                "give it as many as before, or start rtsep again",
            )
    fmt = replace(old, input=source, output=target)
    if fmt.is_jack and round(source.samplerate) != old.samplerate:
        raise DeviceRefused(
            f"the JACK server came back with {source.samplerate:.0f} Hz instead of {old.samplerate}",
            f"start it with -r {old.samplerate}, or start rtsep again",
        )
    if fmt.is_jack and (period := jack_period(fmt)) != old.blocksize:
        raise DeviceRefused(
            f"the JACK server came back with a period of {period} instead of {old.blocksize}",
            f"start it with -p {old.blocksize}, or start rtsep again",
        )
    return replace(choice, format=fmt)

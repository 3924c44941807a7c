"""From what the user asked for to the stream that is opened; and to the same one again after a device came
back.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from rtsep.kernels.assignments import MAX_VOICES
from rtsep.kernels.errors import DeviceRefused
from rtsep.models.mask_model import RESIDUAL
from rtsep.rt.control.desk_layout import DeskLayout, lay_desk, parse_input_mix, parse_route
from rtsep.rt.drivers.clocks import INSTALL, bridge_samples, have_one_clock
from rtsep.rt.drivers.device_stream import MAX_BLOCK, StreamFormat, jack_period
from rtsep.rt.drivers.devices import Device, find_device, find_same, list_devices, pick_channels
from rtsep.rt.drivers.jack_ports import JackPlan
from rtsep.rt.hop.presets import Preset
from rtsep.rt.live.settings import LiveSettings

# Longer blocks leave less of the device's own latency to win, shorter ones cost CPU: 2.7 ms at 48 kHz.
LARGEST_DEFAULT_BLOCK = 128
SMALLEST_DEFAULT_BLOCK = 16  # 3000 callbacks a second at 48 kHz
MOST_STEMS = MAX_VOICES + 1  # what a change of voices may need outputs for
MUTED_NOTE = (
    "microphone and loudspeakers of one device: the output starts muted against feedback; "
    "set output.mute to off, or start with --yes-feedback"
)


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
    """A stream and the 0-based channels used of it.

    Attributes:
        format: what is opened.
        inputs: of each channel that is separated, the device inputs that are mixed into it.
        outputs: in stem order, where no route names others.
        route: as for `parse_route`, or None.
        muted: the output starts muted, against feedback.
        guarded: a howl dims it: microphone and loudspeakers are in one housing.
        one_rate: why no other sample rate than the first will do, "" where another one will.
        asked_blocksize: the only block size that will do; None for any.
        spare: outputs at the end that are open for stems to come.
    """

    format: StreamFormat
    inputs: list[list[int]]
    outputs: list[int]
    route: str | None = None
    muted: bool = False
    guarded: bool = False
    one_rate: str = ""
    asked_blocksize: int | None = None
    spare: int = 0

    def desk(self, stems: Sequence[str]) -> tuple[DeskLayout, list[str]]:
        """How stems of these names are wired, and what the user should know.

        Raises:
            RtsepError: a route that cannot be.
        """
        layout, notes = lay_desk(
            stems,
            self.inputs,
            self.outputs,
            self.format.outputs,
            self.route,
            muted=self.muted,
            guarded=self.guarded,
            spare=self.spare,
        )
        return layout, [*notes, *clock_notes(self.format), *([MUTED_NOTE] if self.muted else [])]

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
        return cls(**(values | {"format": StreamFormat(**(fmt | parts))}))


def choose_stream(settings: LiveSettings) -> StreamChoice:
    """What to open.

    Raises:
        DeviceRefused: a device, channel, rate or block size that cannot be had.
    """
    devices = list_devices()
    source = find_device(settings.input, "input", devices)
    target = find_device(settings.output, "output", devices, host_api=source.host_api)
    inputs = _inputs(settings, source)
    outputs = pick_channels(settings.output_channels, target, "output")
    stems = [*settings.choice.names(), RESIDUAL]
    spare = 0
    if settings.route is not None:
        places = parse_route(settings.route, stems, target.outputs).values()
        routed = sorted({place for some in places for place in some})
        outputs = outputs if settings.output_channels is not None else routed
        used = max(outputs + routed)
    else:
        if settings.output_channels is None:  # no more than there is something to play on
            every = outputs
            outputs = every[: len(stems) * len(inputs)]
            spare = max(0, min(len(every), MOST_STEMS * len(inputs)) - len(outputs))
        used = max(outputs)
    samplerate = settings.samplerate or round(source.samplerate)
    asked = settings.blocksize
    if asked is not None and not 1 <= asked <= MAX_BLOCK:
        raise DeviceRefused(f"block size {asked} is outside 1..{MAX_BLOCK}", "leave it out")
    blocksize = asked or default_blocksize(Preset(samplerate, settings.latency_ms).hop)
    deepest = max(place for mixed in inputs for place in mixed)
    fmt = StreamFormat(source, target, samplerate, blocksize, deepest + 1, used + 1 + spare)
    if fmt.is_jack:
        period = jack_period(fmt)
        if asked not in (None, period):
            raise DeviceRefused(
                f"block size {asked} is not the JACK server's period of {period}",
                f"leave it out or start the server with -p {asked}",
            )
        fmt = replace(fmt, blocksize=period)
    elif not (have_one_clock(source, target) or source.is_jack or target.is_jack):
        fmt = replace(fmt, bridge_samples=bridge_samples(samplerate, blocksize))
    guarded = _may_feed_back(fmt)
    muted = guarded and not settings.allow_feedback
    return StreamChoice(
        fmt, inputs, outputs, settings.route, muted, guarded, one_rate(settings), asked, spare
    )


def clock_notes(fmt: StreamFormat) -> list[str]:
    """What the user should know of two devices that have a clock each."""
    if fmt.bridge_samples:
        ms = 1000.0 * fmt.bridge_samples / fmt.samplerate
        return [
            f"{fmt.devices} have a clock each: the input is converted to the clock of the output, "
            f"{fmt.bridge_samples} samples ({ms:.1f} ms) more"
        ]
    if fmt.jack is not None or have_one_clock(fmt.input, fmt.output):
        return []
    return [
        f"{fmt.devices} have a clock each and libsamplerate is not there: the sound breaks again and again; "
        f"install it ({INSTALL}), or take one device for both"
    ]


def one_rate(settings: LiveSettings) -> str:
    """Why the rate may not change when a server comes back with another one; "" where it may."""
    if settings.samplerate is not None:
        return "the rate asked for"
    if settings.has_take:
        return "the take's rate"
    return "the rate the given pitches run at" if settings.f0_times_s is not None else ""


def _inputs(settings: LiveSettings, source: Device) -> list[list[int]]:
    if settings.input_mix is None:
        return [[pick] for pick in pick_channels(settings.input_channels, source, "input")]
    if settings.input_channels is not None:
        raise DeviceRefused(
            "--input-channels and --input-mix both say what is separated", "leave one of them out"
        )
    mix = parse_input_mix(settings.input_mix)
    for mixed in mix:
        pick_channels([place + 1 for place in mixed], source, "input")  # refuses what is not there
    return mix


def _may_feed_back(fmt: StreamFormat) -> bool:
    """A microphone and loudspeakers in one housing hear each other. What is wired in JACK is the user's."""
    return not fmt.is_jack and fmt.input.name == fmt.output.name


def find_again(choice: StreamChoice) -> StreamChoice:
    """The same stream on the same devices, wherever PortAudio lists them now.

    Raises:
        DeviceRefused: they are not there, or a JACK server has a rate or period that will not do.
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
    if not fmt.is_jack:
        return replace(choice, format=fmt)
    rate = round(source.samplerate)
    if rate != old.samplerate and choice.one_rate:
        raise DeviceRefused(
            f"the JACK server came back with {rate} Hz instead of {old.samplerate}, {choice.one_rate}",
            f"start it with -r {old.samplerate}, or start rtsep again",
        )
    fmt = replace(fmt, samplerate=rate)
    if (period := jack_period(fmt)) != choice.asked_blocksize and choice.asked_blocksize is not None:
        raise DeviceRefused(
            f"the JACK server came back with a period of {period} instead of {choice.asked_blocksize}",
            f"start it with -p {choice.asked_blocksize}, or start rtsep again",
        )
    return replace(choice, format=replace(fmt, blocksize=period))

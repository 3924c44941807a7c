"""From what the user asked for to rtsep's own JACK client; and to the same one after its server came back."""

from dataclasses import replace

from rtsep.kernels.errors import DeviceRefused
from rtsep.models.mask_model import RESIDUAL
from rtsep.rt.control.desk_layout import parse_input_mix, parse_route
from rtsep.rt.drivers.device_stream import StreamFormat
from rtsep.rt.drivers.devices import Device
from rtsep.rt.drivers.jack_options import JackOptions, Wire
from rtsep.rt.drivers.jack_ports import (
    JackPlan,
    check_wires,
    default_wires,
    input_names,
    may_feed_back,
    output_targets,
    stem_port_names,
)
from rtsep.rt.drivers.jack_server import JackServer, look, server_name
from rtsep.rt.drivers.wire_file import Remembered, prepare_folder, remembered
from rtsep.rt.live.settings import LiveSettings
from rtsep.rt.live.stream_choice import StreamChoice, choose_stream, find_again, one_rate
from rtsep.rt.process.state_folder import state_folder

HOST_API = "JACK"
SPARE_STEMS = 8  # that may come later, of other models too; one costs nothing until it has a port


def choose(settings: LiveSettings) -> StreamChoice:
    """What to open, by PortAudio or as a JACK client.

    Raises:
        DeviceRefused: it cannot be had.
    """
    options = settings.jack_options
    return choose_stream(settings) if options is None else choose_jack_stream(settings, options)


def find_stream(choice: StreamChoice) -> StreamChoice:
    """The same stream after its driver was lost.

    Raises:
        DeviceRefused: it is not there, or another one.
    """
    plan = choice.format.jack
    if plan is None:
        return find_again(choice)
    return replace(choice, format=find_jack_again(plan, choice.format.samplerate))


def choose_jack_stream(settings: LiveSettings, options: JackOptions) -> StreamChoice:
    """The client to open: a port for each input channel and for each channel of each stem.

    Raises:
        DeviceRefused: no server, or a rate, period, channel, client or connection that cannot be had.
    """
    server = look(options.name)
    if settings.samplerate not in (None, server.samplerate):
        raise DeviceRefused(
            f"sample rate {settings.samplerate} Hz is not the JACK server's, {server.samplerate} Hz",
            f"leave it out or start the server with -r {settings.samplerate}",
        )
    if settings.blocksize is not None:
        _require_period(settings.blocksize, server.period)
    numbers, inputs = _inputs(settings)
    stems = [*settings.choice.names(), RESIDUAL]
    plan = JackPlan(
        options.name,
        input_names(len(numbers)),
        _output_names(settings, stems, len(inputs)),
        folder=prepare_folder(state_folder()),
        one_rate=one_rate(settings),
        asked_blocksize=settings.blocksize,
        spare=SPARE_STEMS * len(inputs),
        restores=options.restore,
    )
    outputs = settings.output_channels
    outputs = [outputs] if isinstance(outputs, int) else outputs
    usual = default_wires(plan, server.ports, settings.input, settings.output, numbers, outputs)
    asked = options.wires()
    check_wires(asked or [], plan, server.ports)
    known = remembered(state_folder(), server.client) if options.restore else Remembered([], [])
    plan = replace(
        plan,
        targets=output_targets(server.ports, settings.output, outputs) if asked is None else [],
        wires=wanted_wires(asked, known, usual),
        remembered_ports=list(dict.fromkeys([*known.ports, *plan.inputs, *plan.outputs])),
    )
    fmt = _format(plan, server)
    guarded = may_feed_back(plan.wires, server.ports)
    muted = guarded and not settings.allow_feedback
    used = list(range(len(plan.outputs)))
    return StreamChoice(fmt, inputs, used, settings.route, muted, guarded, spare=plan.spare)


def _inputs(settings: LiveSettings) -> tuple[list[int], list[list[int]]]:
    """Ports of the device, counted from 1, that get a port here; and which of these, from 0, are mixed."""
    if settings.input_mix is not None:
        mix = parse_input_mix(settings.input_mix)
        used = sorted({place for mixed in mix for place in mixed})
        return [place + 1 for place in used], [[used.index(place) for place in mixed] for mixed in mix]
    numbers = settings.input_channels
    numbers = [numbers] if isinstance(numbers, int) else list(numbers or [1])
    return numbers, [[place] for place in range(len(numbers))]


def _output_names(settings: LiveSettings, stems: list[str], channels: int) -> list[str]:
    """A port for each stem; with a route, a port for each output that it names."""
    if settings.route is None:
        return stem_port_names(stems, channels)
    routed = parse_route(settings.route, stems).values()
    return [f"out_{place + 1}" for place in range(max(place for some in routed for place in some) + 1)]


def wanted_wires(asked: list[Wire] | None, known: Remembered, usual: list[Wire]) -> list[Wire]:
    """What a user asked for; the ports that are not named there, as they were when they ran last; those that
    have never run, as usual, unless the user asked for anything.

    >>> known = Remembered(["in_1", "voice-1"], [("mixer:out", "in_1")])
    >>> wanted_wires(None, known, [("system:capture_1", "in_1"), ("residual", "system:playback_1")])
    [('mixer:out', 'in_1'), ('residual', 'system:playback_1')]
    >>> wanted_wires([("system:capture_2", "in_1")], known, [("residual", "system:playback_1")])
    [('system:capture_2', 'in_1')]
    """
    named = {_own(wire) for wire in asked or []}
    wires = [*(asked or []), *(wire for wire in known.wires if _own(wire) not in named)]
    if asked is None:
        wires += [wire for wire in usual if _own(wire) not in known.ports]
    return wires


def _own(wire: Wire) -> str:
    return next(port for port in wire if ":" not in port)


def _require_period(asked: int, period: int) -> None:
    if asked != period:
        raise DeviceRefused(
            f"block size {asked} is not the JACK server's period of {period}",
            f"leave it out, start the server with -p {asked}, or under PipeWire set "
            f"PIPEWIRE_LATENCY={asked}/RATE",
        )


def _format(plan: JackPlan, server: JackServer) -> StreamFormat:
    inputs, outputs = len(plan.inputs), len(plan.outputs) + plan.spare
    name = f"JACK server {server_name()}"
    device = Device(-1, name, HOST_API, inputs, outputs, float(server.samplerate), None, None, False, False)
    return StreamFormat(device, device, server.samplerate, server.period, inputs, outputs, plan)


def find_jack_again(plan: JackPlan, samplerate: int) -> StreamFormat:
    """The same client on the server as it is now; `samplerate` was its rate before.

    Raises:
        DeviceRefused: no server, or one whose rate or period will not do.
    """
    server = look(plan.name)
    if server.samplerate != samplerate and plan.one_rate:
        raise DeviceRefused(
            f"the JACK server came back with {server.samplerate} Hz instead of {samplerate}, {plan.one_rate}",
            f"start it with -r {samplerate}, or start rtsep again",
        )
    if plan.asked_blocksize not in (None, server.period):
        raise DeviceRefused(
            f"the JACK server came back with a period of {server.period} instead of {plan.asked_blocksize}",
            f"start it with -p {plan.asked_blocksize}, or start rtsep again",
        )
    return _format(plan, server)

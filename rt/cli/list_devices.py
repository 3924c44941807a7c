"""`rtsep devices`: what can be named by --input and --output-device."""

import json

from rtsep.kernels.errors import DeviceRefused, RtsepError
from rtsep.rt.control.midi.ports import MidiSystems
from rtsep.rt.drivers.devices import list_devices
from rtsep.rt.drivers.driver_calls import call_driver
from rtsep.rt.drivers.jack_options import DEFAULT_NAME
from rtsep.rt.drivers.jack_server import JackServer, look, server_name


def device_lines(as_json: bool) -> list[str]:
    """One line per device, and one per port of a JACK server that runs; or one JSON list of the devices.

    Raises:
        RtsepError: PortAudio is not installed.
    """
    devices = call_driver(list_devices, give_up=lambda: False)  # Ctrl-C ends it, also where the driver hangs
    if as_json:
        return [json.dumps([device.as_dict() for device in devices])]
    if not devices:
        return [
            "no audio devices: connect one, or start a JACK server; files and pipes work without",
            *port_lines(),
            *midi_lines(),
        ]
    width = max(len(device.name) for device in devices)
    lines = [f"{'index':>5}  {'name':<{width}}  {'in':>3} {'out':>3}  {'rate':>6}  driver"]
    for device in devices:
        used = [
            name
            for name, is_default in (("mic", device.default_input), ("default output", device.default_output))
            if is_default
        ]
        lines.append(
            f"{device.index:>5}  {device.name:<{width}}  {device.inputs:>3} {device.outputs:>3}  "
            f"{device.samplerate:>6.0f}  {device.host_api}" + (f"  ({', '.join(used)})" if used else "")
        )
    return lines + port_lines() + midi_lines()


def port_lines() -> list[str]:
    """What `--connect` can name; nothing where no JACK server runs."""
    try:
        server: JackServer = call_driver(lambda: look(DEFAULT_NAME), give_up=lambda: False)
    except DeviceRefused:
        return []
    title = f"JACK ports of server {server_name()} for --driver jack and --connect"
    lines = ["", f"{title}, {server.samplerate} Hz, period {server.period}:"]
    for port in server.ports:
        way = "from" if port.is_output else "to"
        lines.append(f"{way:>6}  {port.name}" + ("  (physical)" if port.is_physical else ""))
    return lines


def midi_lines() -> list[str]:
    """What `--midi` can name; nothing where there is none, or nothing to ask with."""
    try:
        systems = MidiSystems()
    except RtsepError:  # the extra is not installed
        return []
    try:
        names = systems.names()
    finally:
        systems.close()
    return ["", "MIDI ports for --midi:", *(f"{'from':>6}  {name}" for name in names)] if names else []

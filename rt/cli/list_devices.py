"""`rtsep devices`: what can be named by --input and --output-device."""

import json

from rtsep.rt.drivers.devices import list_devices
from rtsep.rt.drivers.driver_calls import call_driver


def device_lines(as_json: bool) -> list[str]:
    """One line per device, or one JSON list.

    Raises:
        RtsepError: PortAudio is not installed.
    """
    devices = call_driver(list_devices, give_up=lambda: False)  # Ctrl-C ends it, also where the driver hangs
    if as_json:
        return [json.dumps([device.as_dict() for device in devices])]
    if not devices:
        return ["no audio devices: connect one, or start a JACK server; files and pipes work without"]
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
    return lines

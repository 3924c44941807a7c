"""Audio devices and servers."""

import os
from pathlib import Path

from rtsep.kernels.errors import DeviceRefused
from rtsep.rt.doctor.finding import Finding
from rtsep.rt.drivers.devices import list_devices
from rtsep.rt.drivers.driver_calls import after, call_driver
from rtsep.rt.drivers.jack_options import DEFAULT_NAME
from rtsep.rt.drivers.jack_server import look

PATIENCE_S = 10.0  # a driver that hangs is a finding too
LONG_PERIOD_S = 0.011  # a hop of the preset 21 ms: from there on it is the server that is late
USB_AUDIO = "snd_usb_audio"


def look_at_audio(root: Path = Path("/")) -> list[Finding]:
    """Findings about devices, servers and cards.

    Args:
        root: where /proc is; another place in tests.
    """
    return [_devices(), *_jack(), *_cards(root), *_pipewire()]


def _devices() -> Finding:
    try:
        devices = call_driver(list_devices, after(PATIENCE_S))
    except DeviceRefused as error:
        return Finding("audio devices", "fault", error.problem, error.remedy)
    inputs = [device for device in devices if device.inputs]
    outputs = [device for device in devices if device.outputs]
    if not inputs or not outputs:
        return Finding(
            "audio devices", "warning", f"{len(inputs)} inputs, {len(outputs)} outputs; files and pipes work",
            "connect a device, or start a JACK or PipeWire server",
        )  # fmt: skip
    default = next((device for device in inputs if device.default_input), inputs[0])
    text = f"{len(inputs)} inputs, {len(outputs)} outputs; --input mic is {default.name} ({default.host_api})"
    return Finding("audio devices", "ok", text)


def _jack() -> list[Finding]:
    try:
        server = call_driver(lambda: look(f"{DEFAULT_NAME}-doctor"), after(PATIENCE_S))
    except DeviceRefused as error:
        return [Finding("JACK", "note", error.problem, error.remedy)]
    period_s = server.period / server.samplerate
    text = f"{server.samplerate} Hz, period {server.period} ({1000 * period_s:.1f} ms)"
    if period_s > LONG_PERIOD_S:
        shorter = "ask for a shorter one: jackd -p 128, or PIPEWIRE_LATENCY=128/48000"
        return [Finding("JACK", "warning", f"{text}: longer than a hop, which adds latency", shorter)]
    return [Finding("JACK", "ok", text)]


def _pipewire() -> list[Finding]:
    folder = os.environ.get("XDG_RUNTIME_DIR")
    if folder and (Path(folder) / "pipewire-0").exists():
        return [Finding("PipeWire", "ok", "runs; pw-jack rtsep --driver jack joins its graph")]
    return []


def _cards(root: Path) -> list[Finding]:
    try:
        text = (root / "proc/asound/cards").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return [Finding("sound cards", "note", "the system lists none (no ALSA here)")]
    cards = [line.strip() for line in text.splitlines() if "[" in line]
    if not cards:
        return [Finding("sound cards", "note", "none", "connect one; files and pipes work without")]
    usb = sum("USB" in card for card in cards)
    note = f", {usb} on USB: give each a port of its own, without a hub" if usb else ""
    return [Finding("sound cards", "ok", f"{len(cards)}{note}")]

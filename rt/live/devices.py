"""Which audio devices there are, and which one "USB", 3 or "mic" means."""

from dataclasses import asdict, dataclass
from types import ModuleType
from typing import Any, Literal

from rtsep.kernels.errors import RtsepError

Kind = Literal["input", "output"]
DeviceSpec = int | str | None
DEFAULT_INPUT = "mic"


@dataclass(frozen=True)
class Device:
    """One device as PortAudio lists it.

    Attributes:
        index: number to choose it by.
        host_api: the driver system ("ALSA", "JACK Audio Connection Kit", "Core Audio", ...).
        inputs, outputs: channels.
        samplerate: default, Hz.
        input_latency_ms, output_latency_ms: lowest the driver offers, 0 without such channels.
        default_input, default_output: used where no device is named.
    """

    index: int
    name: str
    host_api: str
    inputs: int
    outputs: int
    samplerate: float
    input_latency_ms: float
    output_latency_ms: float
    default_input: bool
    default_output: bool

    def channels(self, kind: Kind) -> int:
        """Input or output channels."""
        return self.inputs if kind == "input" else self.outputs

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.index} {self.name} ({self.host_api}, {self.inputs} in, {self.outputs} out)"


def portaudio() -> ModuleType:
    """python-sounddevice, loaded when a device is first needed.

    Raises:
        RtsepError: the PortAudio library is missing.
    """
    try:
        import sounddevice
    except OSError as error:
        raise RtsepError(
            f"the PortAudio library cannot be loaded ({error})", "install it: apt install libportaudio2"
        ) from None
    return sounddevice  # type: ignore[no-any-return]


def list_devices() -> list[Device]:
    """All devices, in PortAudio's order."""
    sd = portaudio()
    apis = sd.query_hostapis()
    default_input, default_output = _defaults(sd)
    return [
        Device(
            index=d["index"],
            name=d["name"],
            host_api=apis[d["hostapi"]]["name"],
            inputs=d["max_input_channels"],
            outputs=d["max_output_channels"],
            samplerate=d["default_samplerate"],
            input_latency_ms=1e3 * d["default_low_input_latency"] if d["max_input_channels"] else 0.0,
            output_latency_ms=1e3 * d["default_low_output_latency"] if d["max_output_channels"] else 0.0,
            default_input=d["index"] == default_input,
            default_output=d["index"] == default_output,
        )
        for d in sd.query_devices()
    ]


def _defaults(sd: ModuleType) -> tuple[int, int]:
    """PortAudio's default devices; the first host API that has one where its own choice is none."""
    found = list(sd.default.device)
    for side, key in enumerate(("default_input_device", "default_output_device")):
        if found[side] < 0:
            found[side] = next((api[key] for api in sd.query_hostapis() if api[key] >= 0), -1)
    return int(found[0]), int(found[1])


def find_device(
    spec: DeviceSpec, kind: Kind, devices: list[Device] | None = None, host_api: str | None = None
) -> Device:
    """The device that `spec` means.

    Args:
        spec: index, part of a name in any case, "mic" or None for the default.
        kind: what it is needed for.
        devices: as `list_devices` gives them; asked for where left out.
        host_api: for a default, look in this driver system (both ends of a stream must share one).

    Raises:
        RtsepError: no such device, or several; the message lists the choices.
    """
    devices = list_devices() if devices is None else devices
    usable = [d for d in devices if d.channels(kind) > 0]
    if not usable:
        raise RtsepError(
            f"no audio {kind} device found", f"connect one, or start the JACK server; {_list_hint()}"
        )
    if isinstance(spec, str) and spec.strip().isdecimal():
        spec = int(spec)
    if spec is None or (isinstance(spec, str) and spec.strip().lower() == DEFAULT_INPUT and kind == "input"):
        return _default(usable, kind, host_api)
    if isinstance(spec, int):
        for device in devices:
            if device.index == spec:
                if device.channels(kind) == 0:
                    raise RtsepError(
                        f"device {spec} {device.name!r} has no {kind} channels", _choices(usable, kind)
                    )
                return device
        raise RtsepError(f"there is no device {spec}", _choices(usable, kind))
    wanted = spec.strip().lower()
    exact = [d for d in usable if d.name.lower() == wanted]
    matches = exact or [d for d in usable if wanted and wanted in d.name.lower()]
    if not matches:
        raise RtsepError(f"no {kind} device has {spec!r} in its name", _choices(usable, kind))
    if len(matches) > 1 and host_api is not None:
        matches = [d for d in matches if d.host_api == host_api] or matches
    if len(matches) > 1:
        raise RtsepError(f"{spec!r} names {len(matches)} {kind} devices", _choices(matches, kind))
    return matches[0]


def _default(usable: list[Device], kind: Kind, host_api: str | None) -> Device:
    if host_api is not None:
        usable = [d for d in usable if d.host_api == host_api]
        if not usable:
            raise RtsepError(f"{host_api} has no {kind} device", f"name another one; {_list_hint()}")
    return next((d for d in usable if (d.default_input if kind == "input" else d.default_output)), usable[0])


def _choices(devices: list[Device], kind: Kind) -> str:
    listed = ", ".join(f"{d.index} {d.name!r}" for d in devices)
    return f"choose one of the {kind} devices by index or name: {listed}"


def _list_hint() -> str:
    return "see `rtsep devices`"


def pick_channels(
    channels: int | list[int] | tuple[int, ...] | None, device: Device, kind: Kind
) -> list[int]:
    """1-based channel numbers to 0-based ones. None means the first input, or all outputs; one number, that
    channel.

    Raises:
        RtsepError: a channel that the device does not have, or one named twice.
    """
    limit = device.channels(kind)
    if channels is None:
        return [0] if kind == "input" else list(range(limit))
    numbers = [channels] if isinstance(channels, int) else list(channels)
    if not numbers:
        raise RtsepError(f"no {kind} channel given", f"name one of 1..{limit}")
    for number in numbers:
        if not 1 <= number <= limit:
            raise RtsepError(
                f"{kind} channel {number} is outside 1..{limit} of {device.name!r}",
                f"use a channel of 1..{limit} or another device",
            )
    if len(set(numbers)) != len(numbers):
        raise RtsepError(f"{kind} channels {numbers} name one channel twice", "name each channel once")
    return [number - 1 for number in numbers]

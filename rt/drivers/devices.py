"""Which audio devices there are, and which one "USB", 3 or "mic" means."""

import math
import re
from dataclasses import asdict, dataclass, replace
from types import ModuleType
from typing import Any, Literal

from rtsep.kernels.errors import DeviceRefused

Kind = Literal["input", "output"]
DeviceSpec = int | str | None
DEFAULT_INPUT = "mic"
# More than any driver buffers. JACK's ports have reported 2^33 samples: a difference that had wrapped around.
LONGEST_LATENCY_S = 10.0
ALSA = "ALSA"
# The end of PortAudio's names of ALSA devices: card and device number, "USB Audio CODEC: - (hw:1,0)".
ALSA_NUMBERS = re.compile(r"\((plug)?hw:\d+,(\d+)\)$")


@dataclass(frozen=True)
class Device:
    """One device as PortAudio lists it.

    Attributes:
        index: number to choose it by.
        host_api: the driver system ("ALSA", "JACK Audio Connection Kit", "Core Audio", ...).
        inputs, outputs: channels.
        samplerate: default, Hz.
        input_latency_ms, output_latency_ms: lowest the driver offers, 0 without such channels, None where
            what it says cannot be.
        default_input, default_output: used where no device is named.
        twin: which it is, in PortAudio's order, of the `twins` devices that share driver, name and channels;
            the number of an ALSA card is no part of the name.
    """

    index: int
    name: str
    host_api: str
    inputs: int
    outputs: int
    samplerate: float
    input_latency_ms: float | None
    output_latency_ms: float | None
    default_input: bool
    default_output: bool
    twin: int = 0
    twins: int = 1

    def channels(self, kind: Kind) -> int:
        """Input or output channels."""
        return self.inputs if kind == "input" else self.outputs

    @property
    def is_jack(self) -> bool:
        """JACK through PortAudio: JACK alone decides the block size."""
        return "jack" in self.host_api.lower()

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.index} {self.name} ({self.host_api}, {self.inputs} in, {self.outputs} out)"


def portaudio() -> ModuleType:
    """python-sounddevice, loaded when a device is first needed.

    Raises:
        DeviceRefused: the PortAudio library is missing, or an audio server keeps it from starting.
    """
    try:
        import sounddevice
    except OSError as error:
        raise DeviceRefused(
            f"the PortAudio library cannot be loaded ({error})", "install it: apt install libportaudio2"
        ) from None
    except Exception as error:  # its own class, which an import that fails does not give away
        raise DeviceRefused(
            f"PortAudio does not start ({error})", "look whether the audio server works, or start it again"
        ) from None
    return sounddevice  # type: ignore[no-any-return]


def list_devices() -> list[Device]:
    """All devices, in PortAudio's order.

    Raises:
        DeviceRefused: PortAudio is missing, or its list is broken, as when a server goes away meanwhile.
    """
    sd = portaudio()
    try:
        return _listed(sd)
    except sd.PortAudioError as error:
        raise DeviceRefused(f"PortAudio does not list its devices ({error})", "try again") from None


def _listed(sd: ModuleType) -> list[Device]:
    apis = sd.query_hostapis()
    default_input, default_output = _defaults(sd)
    listed = [
        Device(
            index=d["index"],
            name=d["name"],
            host_api=apis[d["hostapi"]]["name"],
            inputs=d["max_input_channels"],
            outputs=d["max_output_channels"],
            samplerate=d["default_samplerate"],
            input_latency_ms=_latency_ms(d, "input"),
            output_latency_ms=_latency_ms(d, "output"),
            default_input=d["index"] == default_input,
            default_output=d["index"] == default_output,
        )
        for d in sd.query_devices()
    ]
    return number_twins(listed)


def _latency_ms(device: dict[str, Any], kind: Kind) -> float | None:
    if not device[f"max_{kind}_channels"]:
        return 0.0
    latency_s = known_latency_s(device[f"default_low_{kind}_latency"])
    return None if latency_s is None else 1e3 * latency_s


def known_latency_s(reported_s: float) -> float | None:
    """What a driver says about its latency in seconds; None where that cannot be: negative, NaN, or longer
    than 10 s.
    """
    reported_s = float(reported_s)
    return reported_s if math.isfinite(reported_s) and 0 <= reported_s <= LONGEST_LATENCY_S else None


def number_twins(devices: list[Device]) -> list[Device]:
    """The same devices with `twin` and `twins` filled in: two interfaces of one make have one name."""
    looks = [_look(device) for device in devices]
    return [
        replace(device, twin=looks[:i].count(looks[i]), twins=looks.count(looks[i]))
        for i, device in enumerate(devices)
    ]


def _look(device: Device) -> tuple[str, str, int, int]:
    return *_name(device), device.inputs, device.outputs


def _name(device: Device) -> tuple[str, str]:
    """Driver and name without what changes when it is connected again: ALSA gives a card the lowest free
    number, so that one comes back under another number, or another one under its own.
    """
    if device.host_api != ALSA:
        return device.host_api, device.name
    return device.host_api, ALSA_NUMBERS.sub(r"(\1hw:*,\2)", device.name)


def find_same(lost: Device, kind: Kind, devices: list[Device]) -> Device:
    """The device that was `lost`, wherever `devices` has it now. Its name is taken as it is, but for the
    number of an ALSA card: never as a part of a name, or as an index where it is a number.

    Raises:
        DeviceRefused: it is not there, or only some of several that look alike are: which one cannot be told.
    """
    twins = [device for device in devices if _look(device) == _look(lost)]
    if len(twins) >= lost.twins:
        return twins[lost.twin]
    if twins:
        raise DeviceRefused(
            f"{len(twins)} of {lost.twins} devices named {lost.name!r} are there, which ones cannot be told",
            "connect them all",
        )
    # an audio server may come back with another number of ports
    named = [d for d in devices if _name(d) == _name(lost) and d.channels(kind)]
    if len(named) != 1 or lost.twins > 1:
        raise DeviceRefused(f"{lost.name!r} is not there", "connect it")
    return named[0]


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
        DeviceRefused: no such device, or several; the message lists the choices.
    """
    devices = list_devices() if devices is None else devices
    usable = [d for d in devices if d.channels(kind) > 0]
    if not usable:
        raise DeviceRefused(
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
                    raise DeviceRefused(
                        f"device {spec} {device.name!r} has no {kind} channels", _choices(usable, kind)
                    )
                return device
        raise DeviceRefused(f"there is no device {spec}", _choices(usable, kind))
    wanted = spec.strip().lower()
    exact = [d for d in usable if d.name.lower() == wanted]
    matches = exact or [d for d in usable if wanted and wanted in d.name.lower()]
    if not matches:
        raise DeviceRefused(f"no {kind} device has {spec!r} in its name", _choices(usable, kind))
    if len(matches) > 1 and host_api is not None:
        matches = [d for d in matches if d.host_api == host_api] or matches
    if len(matches) > 1:
        raise DeviceRefused(f"{spec!r} names {len(matches)} {kind} devices", _choices(matches, kind))
    return matches[0]


def _default(usable: list[Device], kind: Kind, host_api: str | None) -> Device:
    if host_api is not None:
        usable = [d for d in usable if d.host_api == host_api]
        if not usable:
            raise DeviceRefused(f"{host_api} has no {kind} device", f"name another one; {_list_hint()}")
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
        DeviceRefused: a channel that the device does not have, or one named twice.
    """
    limit = device.channels(kind)
    if channels is None:
        return [0] if kind == "input" else list(range(limit))
    numbers = [channels] if isinstance(channels, int) else list(channels)
    if not numbers:
        raise DeviceRefused(f"no {kind} channel given", f"name one of 1..{limit}")
    for number in numbers:
        if not 1 <= number <= limit:
            raise DeviceRefused(
                f"{kind} channel {number} is outside 1..{limit} of {device.name!r}",
                f"use a channel of 1..{limit} or another device",
            )
    if len(set(numbers)) != len(numbers):
        raise DeviceRefused(f"{kind} channels {numbers} name one channel twice", "name each channel once")
    return [number - 1 for number in numbers]

"""Values of options: what is allowed, and an error that says so."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from rtsep.kernels.errors import RtsepError

if TYPE_CHECKING:
    from rtsep.rt.live.settings import Driver

MAX_CHANNEL = 1024  # beyond any interface: a typing error


class Checked(click.ParamType):  # type: ignore[type-arg]  # generic in newer click only
    """An option's type made of a function from text to value; click's own errors name no remedy."""

    def __init__(self, name: str, parse: Callable[[str, str], object]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        """Value of the option; defaults come converted already."""
        option = param.opts[0] if param else self.name
        return self._parse(option, value) if isinstance(value, str) else value


def _whole(option: str, text: str, bounds: str, remedy: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise RtsepError(f"{option} {text!r} is not a whole number {bounds}", remedy) from error


def _voices(option: str, text: str) -> int:
    remedy = "give how many voices sing, such as --voices 4"
    value = _whole(option, text, "of 1..4", remedy)
    if not 1 <= value <= 4:
        raise RtsepError(f"{option} {value} is outside 1..4", remedy)
    return value


def _stems(option: str, text: str) -> tuple[str, ...]:
    """`vocals,drums`, in the order given; whether a model has them, the model says."""
    remedy = f"give each name once, such as {option} vocals,drums"
    names = tuple(part.strip() for part in text.split(","))
    for name in names:
        if not name:
            raise RtsepError(f"{option} {text!r} has an empty name", remedy)
        if names.count(name) > 1:
            raise RtsepError(f"{option} {text!r} names {name!r} {names.count(name)} times", remedy)
    return names


def _latency_ms(option: str, text: str) -> int:
    from rtsep.rt.hop.presets import LATENCIES_MS  # brings NumPy: not for --help

    presets = tuple(map(str, LATENCIES_MS))
    if text not in presets:
        raise RtsepError(
            f"{option} {text!r} is not one of {', '.join(presets)} ms", "choose one of these presets"
        )
    return int(text)


def _positive(option: str, text: str) -> int:
    value = _whole(option, text, "of 1 or more", f"leave {option} out for the device's own")
    if not 1 <= value <= 10_000_000:
        raise RtsepError(
            f"{option} {value} is outside 1..10000000", f"leave {option} out for the device's own"
        )
    return value


def _channel_list(option: str, text: str) -> list[int]:
    """`3`, `1,2` or `1-4`, counted from 1, in the order given."""
    remedy = f"count from 1, such as {option} 3 or 1,2 or 1-4"
    channels: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise RtsepError(
                f"{option} {text!r}: {part.strip()!r} is not a channel of 1..{MAX_CHANNEL}", remedy
            )
        low, high = int(first), int(last) if dash else int(first)
        if not 1 <= low <= high <= MAX_CHANNEL:
            raise RtsepError(f"{option} {text!r}: {part.strip()!r} is outside 1..{MAX_CHANNEL}", remedy)
        channels += range(low, high + 1)
    if len(set(channels)) != len(channels):
        raise RtsepError(f"{option} {text!r} names a channel twice", "name each channel once")
    return channels


def _driver(option: str, text: str) -> str:
    if text not in ("portaudio", "jack"):
        raise RtsepError(f"{option} {text!r} is not one of portaudio, jack", "choose one of these")
    return text


VOICES = Checked("voices", _voices)
STEMS = Checked("stems", _stems)
LATENCY_MS = Checked("latency", _latency_ms)
POSITIVE = Checked("count", _positive)
CHANNEL_LIST = Checked("channels", _channel_list)
DRIVER = Checked("driver", _driver)


@dataclass(frozen=True)
class RunOptions:
    """The root command's options, None where the user gave none."""

    voices: int | None
    stems: tuple[str, ...] | None
    add_ons: tuple[str, ...]
    latency_ms: int | None
    model: str | None
    backend: str
    render: str
    score: str | None
    transpose: float | None
    order: str | None
    parts: str | None
    ranges: tuple[str, ...]
    output: str | None
    output_device: str | None
    input_channels: list[int] | None
    output_channels: list[int] | None
    samplerate: int | None
    blocksize: int | None
    driver: "Driver | None"
    jack_name: str | None
    connect: str | None
    no_restore: bool
    route: str | None
    input_mix: str | None
    yes_feedback: bool
    osc: str | None
    midi: tuple[str, ...]
    midi_map: tuple[str, ...]
    web: str | None
    name: str | None
    record: str | None
    record_format: str
    pre_roll: bool
    raw: str | None
    f0: str | None
    keep_latency: bool
    offline: str | None
    f0_out: str | None
    midi_out: str | None
    quiet: bool
    as_json: bool

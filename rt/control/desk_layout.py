"""How a desk is wired when it starts: which inputs are mixed, which stem goes to which outputs."""

import difflib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels.errors import RtsepError


@dataclass(frozen=True)
class DeskLayout:
    """What the parameters of a desk depend on. All JSON types, so that host and engine have the same.

    Attributes:
        stems: names as the engine plays them, the residual last.
        inputs: of each channel that is separated, the device inputs that are mixed into it, 0-based.
        outputs: all device outputs that are open, 0-based; those asked for first, in that order: the first of
            two is the left one.
        sends: of each stem, the device outputs it goes to at the start.
        pans: of each stem at the start, -1 left to 1 right, between the two outputs of its sends.
        summed: the channels of a stem are summed, as there are not enough outputs for all.
        bypass: gains [device outputs][channels] of the delayed mixture, where it takes the stems' place.
        muted: nothing is played until `output.mute` is taken off.
        guarded: a howl dims the output from the start on.
        bars: the first and the last bar of the score that is followed; None without one.
        strips: all stems that this session has played, those that rest too, in the order in which their
            values lie in the shared block; a strip never moves there. first: how many it started with.
        spare: outputs that are open, for stems to come; nobody plays on them yet.
    """

    stems: tuple[str, ...]
    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[int, ...]
    sends: tuple[tuple[int, ...], ...]
    pans: tuple[float, ...]
    summed: bool
    bypass: tuple[tuple[float, ...], ...]
    muted: bool = False
    guarded: bool = False
    bars: tuple[int, int] | None = None
    strips: tuple[str, ...] = ()
    first: int = 0
    spare: tuple[int, ...] = ()

    @property
    def channels(self) -> int:
        """Of every stem."""
        return len(self.inputs)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Back from `as_dict`; lists become tuples."""

        def frozen(value: Any) -> Any:
            return tuple(map(frozen, value)) if isinstance(value, list | tuple) else value

        return cls(**{name: frozen(value) for name, value in values.items()})


def lay_desk(
    stems: Sequence[str],
    inputs: Sequence[Sequence[int]],
    outputs: list[int],
    device_outputs: int,
    route: str | None = None,
    *,
    muted: bool = False,
    guarded: bool = False,
    spare: int = 0,
) -> tuple[DeskLayout, list[str]]:
    """The layout, and what the user should know.

    With enough outputs, every stem has its own (one per audio channel), and the residual the next if one is
    left. With fewer, the stems are spread over the outputs in order, the first stem on the first, by
    equal-power panning between neighbours; their audio channels are summed, and the residual stays silent.
    A `route` names them instead.

    In bypass the mixture takes the residual's place where that is played, so that the sum of all outputs is
    the delayed mixture as it is with all stems. Elsewhere it is shared out evenly among the outputs, with the
    same sum.

    Args:
        stems: names, the residual last.
        inputs: as in `DeskLayout`.
        outputs: device outputs to use, 0-based, in order.
        device_outputs: outputs the device has open.
        route: as for `parse_route`; None for the above.
        muted, guarded: as in `DeskLayout`.
        spare: how many outputs, the last ones, are for stems to come.

    Raises:
        RtsepError: a route that cannot be.
    """
    channels, named = len(inputs), len(stems) - 1
    shown = device_outputs - spare
    every = (*outputs, *(o for o in range(shown) if o not in outputs))
    sends: list[tuple[int, ...]] = [() for _ in stems]
    pans, notes, summed = [0.0] * len(stems), [], False
    if route is not None:
        for name, places in parse_route(route, stems, shown).items():
            sends[list(stems).index(name)] = places
        unheard = [name for name, places in zip(stems[:-1], sends, strict=False) if not places]
        if unheard:
            notes.append(f"the route leaves {', '.join(unheard)} unheard")
    elif len(outputs) >= named * channels:
        for stem in range(min(len(stems), len(outputs) // channels)):
            sends[stem] = tuple(outputs[stem * channels : (stem + 1) * channels])
    else:
        summed = channels > 1
        for stem in range(named):
            place = stem / max(1, named - 1) * (len(outputs) - 1)
            left = min(int(place), max(0, len(outputs) - 2))
            sends[stem] = tuple(outputs[left : left + 2])
            if len(sends[stem]) == 2:
                pans[stem] = 2.0 * (place - left) - 1.0
    bypass = np.zeros((device_outputs, channels))
    if route is None and sends[-1] and not summed:
        bypass[list(sends[-1]), range(channels)] = 1.0
    else:
        _share_out(bypass, outputs)
        if route is None:
            where = ""
            if len(outputs) < named * channels:
                where = "spread over them from the left, in order; " if len(outputs) > 1 else "summed; "
            notes.append(f"{len(outputs)} outputs for {named} stems: {where}the residual is not played")
    layout = DeskLayout(
        stems=tuple(stems),
        inputs=tuple(map(tuple, inputs)),
        outputs=every,
        sends=tuple(sends),
        pans=tuple(pans),
        summed=summed,
        bypass=tuple(map(tuple, bypass.tolist())),
        muted=muted,
        guarded=guarded,
        strips=tuple(stems),
        first=len(stems),
        spare=tuple(range(shown, device_outputs)),
    )
    return layout, notes


def parse_route(
    text: str, stems: Sequence[str], device_outputs: int | None = None
) -> dict[str, tuple[int, ...]]:
    """Outputs, 0-based, of every stem that is named.

    >>> parse_route("voice-1>1,2; residual>3", ("voice-1", "residual"), 4)
    {'voice-1': (0, 1), 'residual': (2,)}

    Args:
        text: for each stem `STEM>OUTPUT,OUTPUT`, outputs from 1 on, separated by semicolons.
        stems: that there are.
        device_outputs: how many outputs there are; None where that is not known yet.

    Raises:
        RtsepError: an unknown stem, a stem named twice, or no output of the device.
    """
    remedy = 'write e.g. "voice-1>1,2; residual>3"'
    found: dict[str, tuple[int, ...]] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        stem, arrow, places = (piece.strip() for piece in part.partition(">"))
        numbers = [place.strip() for place in places.split(",")]
        if not arrow or not all(number.isdecimal() and number.isascii() for number in numbers):
            raise RtsepError(f"--route {part!r} is no stem and its outputs", remedy)
        if stem not in stems:
            near = difflib.get_close_matches(stem, stems, n=2) or list(stems)
            raise RtsepError(f"--route names {stem!r}, which is no stem", f"name {' or '.join(near)}")
        if stem in found:
            raise RtsepError(f"--route names {stem!r} twice", "name its outputs together: " + f"{stem}>1,2")
        for number in numbers:
            if int(number) < 1 or (device_outputs is not None and int(number) > device_outputs):
                bound = "at least 1" if device_outputs is None else f"within 1..{device_outputs}"
                raise RtsepError(f"--route sends {stem} to output {number}", f"choose outputs {bound}")
        found[stem] = tuple(dict.fromkeys(int(number) - 1 for number in numbers))
    if not found:
        raise RtsepError(f"--route {text!r} names no stem", remedy)
    return found


def parse_input_mix(text: str) -> list[list[int]]:
    """Device inputs, 0-based, of each channel that is separated.

    >>> parse_input_mix("1+2, 3")
    [[0, 1], [2]]

    Raises:
        RtsepError: no such list.
    """
    mix = [[part.strip() for part in channel.split("+")] for channel in text.split(",")]
    if not all(part.isdecimal() and part.isascii() and int(part) > 0 for channel in mix for part in channel):
        raise RtsepError(
            f"--input-mix {text!r} is no list of sums", 'write e.g. "1+2" for one channel, "1+2,3+4" for two'
        )
    return [[int(part) - 1 for part in dict.fromkeys(channel)] for channel in mix]


def _share_out(bypass: NDArray[np.float64], outputs: list[int]) -> None:
    """Audio channels to outputs by turns; their mean to every output where there are fewer outputs."""
    channels = bypass.shape[1]
    if len(outputs) < channels:
        bypass[outputs] = 1.0 / (channels * len(outputs))
        return
    for channel in range(channels):
        own = outputs[channel::channels]
        bypass[own, channel] = 1.0 / len(own)

"""What can be set while the music plays: one description of every parameter, for every way to set it."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.desk_layout import DeskLayout

# Twenty periods of 1 kHz: a ramp so long is heard as a change of level, one of less than 5 ms as a click.
RAMP_S = 0.02
OFF_DB = -math.inf
LOWEST_DB, HIGHEST_DB = -60.0, 12.0  # as on a mixing desk's fader; below it there is only "off"
INPUT_LOWEST_DB, INPUT_HIGHEST_DB = (
    -40.0,
    40.0,
)  # a line signal taken for a microphone, and the other way round
LONGEST_DELAY_MS = 250.0  # loudspeakers 85 m apart
CEILING_LOWEST_DB, CEILING_HIGHEST_DB = -40.0, 20.0
CEILING_DB = 0.0  # full scale: what a converter takes, so nothing that could be heard is changed
NO_CEILING_DB = math.inf

STRIP_VALUES = 7  # of every stem, besides its sends

WORDS = {"on": 1.0, "off": 0.0, "true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}

Unit = Literal["dB", "dBFS", "ms", "left..right", "dry share", "on/off", "bar", "times"]
# The bar that the choir is at, and how often that was said: the same bar twice means twice.
SCORE_PARAMETERS = ("score.bar", "score.set")
MOST_TIMES = 1e6


@dataclass(frozen=True)
class Parameter:
    """One thing that can be set.

    Attributes:
        name: such as `STEM.gain`, `input.gain`, `output.dim` or `bypass`.
        unit: of the value.
        minimum, maximum: the range, both included; 0 and 1 of a switch.
        default: value at the start.
        ramp_s: how long the sound takes to follow, in seconds; 0 where it follows at once.
        off: a value outside the range that is taken too and means silence, or no ceiling; None where there is
            none.
        place: where its value lies in the shared block: the same for as long as a session lasts.

    Example:
        >>> from rtsep.rt.control.desk_layout import lay_desk
        >>> from rtsep.rt.control.parameters import mixer_parameters
        >>> layout, _ = lay_desk(("drums", "residual"), [[0]], [0, 1], 2)
        >>> [parameter.name for parameter in mixer_parameters(layout)][:3]
        ['drums.gain', 'drums.mute', 'drums.solo']
    """

    name: str
    unit: Unit
    minimum: float
    maximum: float
    default: float
    ramp_s: float
    off: float | None = None
    place: int = -1

    def checked(self, value: object) -> float:
        """`value` as the number that is sent: as it is, or 0 and 1 of a switch.

        Raises:
            RtsepError: no number, or outside the range.
        """
        if self.unit == "on/off":
            if isinstance(value, bool | np.bool_ | int | float | np.number) and value in (0, 1):
                return float(value)
            raise RtsepError(f"{self.name} is on or off, not {value!r}", "set it to True or False")
        within = f"{self.minimum:g}..{self.maximum:g} {self.unit}"
        within += "" if self.off is None else f", or {self.off:g} for off"
        if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.number):
            kind = "level" if self.unit.startswith("dB") else "number"
            raise RtsepError(f"{self.name} is a {kind} in {self.unit}, not {value!r}", f"set it to {within}")
        try:
            float(value)
        except OverflowError:  # a whole number of hundreds of digits, as JSON may carry
            raise RtsepError(
                f"{self.name} has a value beyond all numbers of its range", f"set it to {within}"
            ) from None
        if value != self.off and not self.minimum <= value <= self.maximum:  # also NaN
            raise RtsepError(f"{self.name} {value:g} {self.unit} is out of its range", f"set it to {within}")
        return float(value)


def strip_of(name: str) -> str:
    """The stem of a parameter's name, or what else is before its last dot; empty for `bypass` and `dry`."""
    return name.rpartition(".")[0]


def plain_value(parameter: Parameter, value: object) -> object:
    """A word as the value it stands for, `on` or `-inf`; all else as it is, for `Parameter.checked`."""
    if not isinstance(value, str):
        return value
    word = value.strip().lower()
    if parameter.unit == "on/off" and word in WORDS:
        return WORDS[word]
    if word == "off" and parameter.off is not None:
        return parameter.off
    try:
        return float(word)
    except ValueError:
        return value


def mixer_parameters(layout: DeskLayout) -> tuple[Parameter, ...]:
    """Those of every stem in the order of the stems, then the inputs', the outputs', and the bypass last."""
    masters = _masters(layout)
    parameters = []
    for stem, sends, pan in zip(layout.stems, layout.sends, layout.pans, strict=True):
        place = _place_of_strip(layout, len(masters), layout.strips.index(stem))
        strip = (
            Parameter(f"{stem}.gain", "dB", LOWEST_DB, HIGHEST_DB, 0.0, RAMP_S, OFF_DB),
            _switch(f"{stem}.mute"),
            _switch(f"{stem}.solo"),
            _switch(f"{stem}.solo-safe"),
            Parameter(f"{stem}.pan", "left..right", -1.0, 1.0, pan, RAMP_S),
            _switch(f"{stem}.polarity"),
            Parameter(f"{stem}.delay", "ms", 0.0, LONGEST_DELAY_MS, 0.0, RAMP_S),
        )
        assert len(strip) == STRIP_VALUES
        parameters += [replace(parameter, place=place + i) for i, parameter in enumerate(strip)]
        for o in sorted(layout.outputs):
            send = _switch(f"{stem}.to-{o + 1}", o in sends)
            parameters.append(replace(send, place=place + STRIP_VALUES + o))
    place = layout.first * _strip_size(layout)
    return (*parameters, *(replace(parameter, place=place + i) for i, parameter in enumerate(masters)))


def value_count(layout: DeskLayout) -> int:
    """How many places of the shared block a desk has, those of strips that rest included."""
    return len(layout.strips) * _strip_size(layout) + len(_masters(layout))


def _strip_size(layout: DeskLayout) -> int:
    return STRIP_VALUES + len(layout.bypass)


def _place_of_strip(layout: DeskLayout, masters: int, strip: int) -> int:
    """Strips that have come since the start lie behind everything else: nothing moves for them."""
    return strip * _strip_size(layout) + (0 if strip < layout.first else masters)


def _masters(layout: DeskLayout) -> tuple[Parameter, ...]:
    gain = (INPUT_LOWEST_DB, INPUT_HIGHEST_DB, 0.0, RAMP_S, OFF_DB)
    used = sorted({device_input for mixed in layout.inputs for device_input in mixed})
    return (
        Parameter("input.gain", "dB", *gain),
        *(Parameter(f"in-{i + 1}.gain", "dB", *gain) for i in used),
        Parameter("output.gain", "dB", LOWEST_DB, HIGHEST_DB, 0.0, RAMP_S, OFF_DB),
        _switch("output.mute", layout.muted),
        _switch("output.dim"),
        _switch("output.howl-guard", layout.guarded),
        Parameter(
            "output.ceiling", "dBFS", CEILING_LOWEST_DB, CEILING_HIGHEST_DB, CEILING_DB, 0.0, NO_CEILING_DB
        ),
        Parameter("dry", "dry share", 0.0, 1.0, 0.0, RAMP_S),
        *(_of_score(*layout.bars) if layout.bars is not None else ()),
        _switch("bypass"),
    )


def _of_score(first: int, last: int) -> tuple[Parameter, Parameter]:
    bar, times = SCORE_PARAMETERS
    return Parameter(bar, "bar", first, last, first, 0.0), Parameter(times, "times", 0, MOST_TIMES, 0, 0.0)


def _switch(name: str, on: bool = False) -> Parameter:
    return Parameter(name, "on/off", 0, 1, float(on), RAMP_S)

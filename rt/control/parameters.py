"""What can be set while the music plays: one description of every parameter, for every way to set it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rtsep.kernels.errors import RtsepError

# Twenty periods of 1 kHz: a ramp so long is heard as a change of level, one of less than 5 ms as a click.
RAMP_S = 0.02
OFF_DB = -math.inf
LOWEST_DB, HIGHEST_DB = -60.0, 12.0  # as on a mixing desk's fader; below it there is only "off"


@dataclass(frozen=True)
class Parameter:
    """One thing that can be set.

    Attributes:
        name: `STEM.gain`, `STEM.mute`, `STEM.solo` or `bypass`.
        unit: "dB" or "on/off".
        minimum, maximum: the range, both included; 0 and 1 of a switch.
        default: value at the start.
        ramp_s: how long the sound takes to follow, in seconds.
        off: a value outside the range that is taken too and means silence; None where there is none.

    Example:
        >>> from rtsep.rt.control.parameters import mixer_parameters
        >>> [parameter.name for parameter in mixer_parameters(("drums", "residual"))][:3]
        ['drums.gain', 'drums.mute', 'drums.solo']
    """

    name: str
    unit: Literal["dB", "on/off"]
    minimum: float
    maximum: float
    default: float
    ramp_s: float
    off: float | None = None

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
            raise RtsepError(f"{self.name} is a level in {self.unit}, not {value!r}", f"set it to {within}")
        if value != self.off and not self.minimum <= value <= self.maximum:  # also NaN
            raise RtsepError(f"{self.name} {value:g} {self.unit} is out of its range", f"set it to {within}")
        return float(value)


def mixer_parameters(stems: Sequence[str]) -> tuple[Parameter, ...]:
    """Gain, mute and solo of every stem, in the order of the stems, and the bypass last.

    Args:
        stems: names as the engine plays them, the residual included.
    """
    parameters = []
    for stem in stems:
        parameters += [
            Parameter(f"{stem}.gain", "dB", LOWEST_DB, HIGHEST_DB, 0.0, RAMP_S, OFF_DB),
            Parameter(f"{stem}.mute", "on/off", 0, 1, 0, RAMP_S),
            Parameter(f"{stem}.solo", "on/off", 0, 1, 0, RAMP_S),
        ]
    return (*parameters, Parameter("bypass", "on/off", 0, 1, 0, RAMP_S))

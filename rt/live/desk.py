"""The mixing desk of a running stream: what was set, as gains, delays and the ceiling of its callback."""

from mmap import mmap

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.rt.control.commands import CommandReader
from rtsep.rt.control.desk_layout import DeskLayout
from rtsep.rt.control.mixer import Mixer
from rtsep.rt.control.parameters import SCORE_PARAMETERS, mixer_parameters


class Desk:
    """Takes what has been set since the last time into the callback.

    Args:
        layout: what is wired to what.
        samplerate: Hz.
        commands: memory where parameters are set, as `rtsep.rt.control.commands` lays it out.
        callback: what is steered.
        bypassed: the mixture is played whatever is set: there are no stems.
    """

    def __init__(
        self,
        layout: DeskLayout,
        samplerate: int,
        commands: mmap,
        callback: _core.DeviceCallback,
        *,
        bypassed: bool = False,
    ) -> None:
        self._mixer = Mixer(layout, samplerate)
        self._commands = CommandReader(commands, self._mixer.parameters)
        self._callback = callback
        self._bypassed_values = self._mixer.defaults if bypassed else None
        self._values = self._mixer.defaults.copy()
        places = {parameter.name: parameter.place for parameter in mixer_parameters(layout)}
        self._of_score = [places[name] for name in SCORE_PARAMETERS if name in places]
        self._of_bypass = places["bypass"]
        self._apply(self._values)

    @property
    def heard(self) -> NDArray[np.bool_]:
        """Whether anything of a stem is played."""
        return self._mixer.heard

    @property
    def score_asked(self) -> tuple[float, ...]:
        """The bar that was set last and how often one was; empty without a score."""
        return tuple(float(self._values[at]) for at in self._of_score)

    def obey(self) -> bool:
        """True when something was set; it is in force then."""
        if not self._commands.poll():
            return False
        self._values[...] = self._commands.values
        self._apply(self._values)
        return True

    @property
    def howling(self) -> bool:
        """Whether the output is dimmed for a howl."""
        return self._mixer.howling

    @property
    def guarding(self) -> bool:
        """Whether a howl is to be looked for."""
        return self._mixer.guarding

    def dim_for_howl(self, on: bool) -> None:
        """Dims the output, or ends that."""
        self._mixer.howling = on
        self._apply(self._values)

    def follow(self, callback: _core.DeviceCallback) -> None:
        """Steers another callback, as it steered the one before."""
        self._callback = callback
        self._hand_over()

    def _apply(self, values: NDArray[np.float64]) -> None:
        if self._bypassed_values is not None:
            self._bypassed_values[...] = values
            self._bypassed_values[self._of_bypass] = 1.0
            values = self._bypassed_values
        self._mixer.set(values)
        self._hand_over()

    def _hand_over(self) -> None:
        mixer = self._mixer
        self._callback.set_mix(mixer.gains, mixer.delays, mixer.ceiling)
        self._callback.set_input(mixer.input_gains)

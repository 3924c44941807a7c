"""The mixing desk of a running stream: what was set, as gains of the device callback."""

from collections.abc import Sequence
from mmap import mmap

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.rt.control.commands import CommandReader
from rtsep.rt.control.mixer import Mixer


class Desk:
    """Takes what has been set since the last time into the callback.

    Args:
        stems: names as the engine plays them, the residual included.
        commands: memory where parameters are set, as `rtsep.rt.control.commands` lays it out.
        callback: what is steered.
        bypassed: the mixture is played whatever is set: there are no stems.
    """

    def __init__(
        self, stems: Sequence[str], commands: mmap, callback: _core.DeviceCallback, *, bypassed: bool = False
    ) -> None:
        self._mixer = Mixer(stems)
        self._commands = CommandReader(commands, self._mixer.parameters)
        self._callback, self._bypassed = callback, bypassed
        if bypassed:
            self._apply()

    @property
    def gains(self) -> NDArray[np.float32]:
        """Linear, of every stem."""
        return self._mixer.gains

    def obey(self) -> bool:
        """True when something was set; it is in force then."""
        if not self._commands.poll():
            return False
        self._mixer.set(self._commands.values)
        self._apply()
        return True

    def follow(self, callback: _core.DeviceCallback) -> None:
        """Steers another callback, as it steered the one before."""
        self._callback = callback
        self._apply()

    def _apply(self) -> None:
        bypass = 1.0 if self._bypassed else self._mixer.bypass
        self._callback.set_gains(self._mixer.gains, bypass)

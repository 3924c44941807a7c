"""From the parameters' values to what the device plays: a gain for every stem, and the bypass."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rtsep.rt.control.parameters import mixer_parameters


class Mixer:
    """Takes values in the order of `mixer_parameters`, gives linear gains.

    A muted stem is silent. Where any stem is on solo, those that are not are silent; a stem that is on solo
    and muted is silent too, as on a mixing desk.

    Args:
        stems: names as the engine plays them, the residual included.

    Attributes:
        parameters: how many values it takes.
        gains: float32 [stems], linear; changed in place.
        bypass: 0 stems, 1 the delayed mixture in their place.
    """

    def __init__(self, stems: Sequence[str]) -> None:
        self.gains = np.ones(len(stems), np.float32)
        self.bypass = 0.0
        defaults = np.array([parameter.default for parameter in mixer_parameters(stems)])
        self.parameters = len(defaults)
        self.set(defaults)

    def set(self, values: NDArray[np.float64]) -> None:
        """float64 [parameters]."""
        gain_db, mute, solo = values[:-1].reshape(-1, 3).T
        audible = (mute == 0) & ((solo == 1) | ~solo.any())
        self.gains[...] = np.where(audible, 10.0 ** (gain_db / 20.0), 0.0)
        self.bypass = float(values[-1])

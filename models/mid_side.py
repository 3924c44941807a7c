"""A band in stereo: the mid and the side of two channels are separated each by a model of its own.

What stands in the middle (most often the voice, the bass, the kick drum) is all in the mid; guitars and rooms
are in the side too. Two masks per stem part them 0.1 to 0.6 dB better than one mask for both channels
(`rtsep eval --stereo`), for a second run of the networks: where a hop is short there is no time for it.
"""

import numpy as np
from numpy.typing import NDArray

from rtsep.models.band.model import BandModel
from rtsep.models.framing import PRESETS_MS, Framing
from rtsep.models.mask_model import State, joined_state, load_joined
from rtsep.models.voice_report import VoiceReport

F32 = NDArray[np.float32]
MID_PREFIX, SIDE_PREFIX = "mid.", "side."
CHANNELS = 2
# Beside other work a hop of a four-stem band took 2.7 ms (99th percentile) as mid and side, 1.6 ms with one
# mask, whatever the preset: a quarter of a hop at 21 ms, half of it at 11 ms, all of it at 5 ms.
FROM_MS = 21


def mid_and_side(channels: int, framing: Framing) -> bool:
    """Whether a band with so many channels is separated as mid and side, at this preset."""
    return channels == CHANNELS and PRESETS_MS[framing.preset] >= FROM_MS


class MidSideModel:
    """Two bands of the same networks, one listening to (left + right) / 2, one to (left - right) / 2.

    A `MaskModel` but for its shapes: masks come per signal, mid and side, not one for all channels.

    Args:
        mid, side: of the same stems.
    """

    def __init__(self, mid: BandModel, side: BandModel) -> None:
        self._mid, self._side = mid, side
        self._parts = {MID_PREFIX: mid, SIDE_PREFIX: side}

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of the stems, the residual left out."""
        return self._mid.stems

    @property
    def report(self) -> VoiceReport:
        """Empty: no stem has a pitch."""
        return self._mid.report

    @property
    def silent(self) -> list[bool]:
        """Which stems are asleep and faded out, in the order of `stems`."""
        return self._mid.silent

    def listen_to(self, heard: NDArray[np.bool_]) -> None:
        """See `MaskModel.listen_to`."""
        self._mid.listen_to(heard)
        self._side.listen_to(heard)

    def step(self, spectrum: NDArray[np.complex64], masks: F32) -> None:
        """Writes masks [2, stems, bins] for spectrum [2, bins]: mid, then side."""
        self._mid.step(spectrum[:1], masks[0])
        self._side.step(spectrum[1:], masks[1])

    def skip(self) -> None:
        """A hop passes unseen: the networks' memory stays as it is."""
        self._mid.skip()
        self._side.skip()

    def reset(self) -> None:
        """Back to before the first hop; what is listened to stays."""
        self._mid.reset()
        self._side.reset()

    def state_dict(self) -> State:
        """Of both."""
        return joined_state(self._parts)

    def load_state_dict(self, state: State) -> None:
        """Continues from `state_dict()`.

        Raises:
            ValueError: values that a network refuses; nothing has changed then.
        """
        load_joined(self._parts, state)

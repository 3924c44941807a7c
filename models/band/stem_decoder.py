"""One stem's decoder: runs while somebody listens to its stem, and fades in and out in between."""

import math

import numpy as np
from numpy.typing import NDArray

from rtsep.models.band.features import BANDS, GAIN_OUTPUT
from rtsep.models.framing import Framing
from rtsep.models.mask_model import State
from rtsep.models.runtimes.network_step import NetworkStep

F32 = NDArray[np.float32]

# Between hops the synthesis windows cross-fade, but over 3 ms at the shortest preset: gains that come and go
# in 20 ms do not click at any.
FADE_S = 0.02


def fade_hops(framing: Framing) -> int:
    """Hops from silence to full gain and back: 8, 4, 2 and 1 at 5, 11, 21 and 43 ms and 48 kHz."""
    return math.ceil(FADE_S * framing.samplerate / framing.hop)


class StemDecoder:
    """Gains per band of one stem.

    Asleep, the network is not run: its last gains fade out. Awake again, it begins anew from silence, and its
    gains fade in. The encoder has run all the time, so nothing but the decoder's own memory is lost.

    Args:
        network: one hop of the decoder; every input is an output of the encoder by the same name.
        code: arrays that the encoder writes, by name.
        framing: the spectrum's layout.
    """

    def __init__(self, network: NetworkStep, code: dict[str, F32], framing: Framing) -> None:
        self._network = network
        # Copies of a few kB: shared memory would tie every runtime to the encoder's.
        self._given = [(array, code[name]) for name, array in network.inputs.items()]
        self._found = network.outputs[GAIN_OUTPUT]
        self._gain = np.zeros(BANDS, np.float32)  # of the last hop that was run
        self._fade_hops = fade_hops(framing)
        self._open_hops = self._fade_hops  # how far the fade is, 0 for closed
        self._awake = True

    @property
    def silent(self) -> bool:
        """Asleep, and faded out: gains are zero until it wakes."""
        return not self._awake and self._open_hops == 0

    def listen_to(self, heard: bool) -> None:
        """Wakes or sleeps, from the next hop on."""
        if heard and not self._awake:
            self._network.reset()
        self._awake = heard

    def step(self, gains: F32) -> None:
        """Writes gains float32 [BANDS] of this hop; the encoder has run."""
        if self._awake:
            for own, code in self._given:
                own[...] = code
            self._network.run()
            self._gain[...] = self._found[0]
            self._open_hops = min(self._open_hops + 1, self._fade_hops)
        else:
            self._open_hops = max(self._open_hops - 1, 0)
        np.multiply(self._gain, np.float32(self._open_hops / self._fade_hops), out=gains)

    def reset(self) -> None:
        """Back to before the first hop; asleep it stays asleep."""
        self._network.reset()
        self._gain[...] = 0
        self._open_hops = self._fade_hops if self._awake else 0

    def state_dict(self) -> State:
        """The network's states, the last gains, and how far it is awake."""
        return {
            "gain": self._gain.copy(),
            "open_hops": np.array(self._open_hops, np.int64),
            "awake": np.array(self._awake, np.bool_),
            **{f"network.{name}": value for name, value in self._network.state_dict().items()},
        }

    def check(self, state: State) -> None:
        """Raises ValueError where `state` holds values that no decoder like this one has."""
        if not 0 <= state["open_hops"] <= self._fade_hops:  # type: ignore[operator]
            raise ValueError(f"state 'open_hops' is {state['open_hops']}, outside 0..{self._fade_hops}")

    def load_state_dict(self, state: State) -> None:
        """Continues from `state_dict()`.

        Raises:
            ValueError: values of the network's states that it refuses; nothing has changed then.
        """
        self.check(state)
        names = self._network.state_dict()
        self._network.load_state_dict({name: state[f"network.{name}"] for name in names})
        self._gain[...] = state["gain"]
        self._open_hops = int(state["open_hops"])
        self._awake = bool(state["awake"])

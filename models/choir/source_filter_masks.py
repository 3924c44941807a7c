"""Masks by the source-filter network: the comb reads, the network predicts, the comb corrects. No torch."""

import numpy as np

from rtsep.kernels import _core
from rtsep.models.choir.comb_masks import F32
from rtsep.models.choir.source_filter_input import guided_comb, mixture_bands
from rtsep.models.framing import Framing
from rtsep.models.mask_model import State, require_like
from rtsep.models.runtimes.network_step import NetworkStep

COMB_STATE = ("envelope", "before_hz")


class SourceFilterMasks:
    """`CombMasks` by a `SourceFilterNet` on ONNX Runtime.

    The comb reads straight into the network's inputs and its envelopes live there: nothing is copied. Voices
    of the network beyond those asked for rest for ever.

    Args:
        step: one hop of the network, its state in it.
        voices: 1 to as many as the network has.
        framing: the spectrum's layout.
    """

    def __init__(self, step: NetworkStep, voices: int, framing: Framing) -> None:
        self._network = step
        self._comb = guided_comb(voices, framing)
        self._bank = mixture_bands(framing)
        self._magnitude = np.zeros((1, framing.bins), np.float32)
        given, found = step.inputs, step.outputs
        given["hop_s"][...] = framing.hop / framing.samplerate
        self._bands, self._f0_hz = given["bands"], given["f0_hz"][0, :voices]
        self._partials, self._envelope = given["partials"][0, :voices], given["envelope"][0, :voices]
        self._level, self._trust, self._noise = (
            found[name][0, :voices] for name in ("level", "trust", "noise")
        )
        self._before_hz = np.zeros(voices, np.float32)
        self._kept = self._envelope.copy(), self._before_hz.copy()
        self._supposed_db = np.zeros(voices, np.float32)
        given["partials"][..., :2] = _core.GuidedComb.QUIETEST
        given["envelope"][...] = _core.GuidedComb.UNSEEN
        self.reset()

    def step(self, power: F32, f0_hz: F32, masks: F32, level_db: F32) -> None:
        """See `CombMasks.step`."""
        np.sqrt(power, out=self._magnitude[0])
        self._bank.apply(self._magnitude, self._bands)
        self._f0_hz[...] = f0_hz
        self._comb.observe(power, self._f0_hz, self._envelope, self._before_hz, self._partials)
        self._network.run()
        self._comb.mask(self._level, self._trust, self._noise, masks, level_db)

    def suppose(self, power: F32, f0_hz: F32, masks: F32) -> None:
        """See `CombMasks.suppose`."""
        self._kept[0][...], self._kept[1][...] = self._envelope, self._before_hz
        self.step(power, f0_hz, masks, self._supposed_db)
        self._envelope[...], self._before_hz[...] = self._kept
        self._network.take_back()

    def reset(self) -> None:
        """As before any input."""
        self._network.reset()
        self._envelope[...] = _core.GuidedComb.UNSEEN
        self._before_hz[...] = 0

    def state_dict(self) -> State:
        """Envelopes (log power), the last pitches, and the network's states."""
        own = {"envelope": self._envelope.copy(), "before_hz": self._before_hz.copy()}
        return own | {f"network.{name}": value for name, value in self._network.state_dict().items()}

    def load_state_dict(self, state: State) -> None:
        """Continues from `state_dict()`.

        Raises:
            ValueError: another kind of state, or NaN or Inf in it; nothing has changed then.
        """
        require_like(self.state_dict(), state, "comb")
        network = {name: state[f"network.{name}"] for name in self._network.state_dict()}
        self._network.load_state_dict(network)
        self._envelope[...] = state["envelope"]
        self._before_hz[...] = state["before_hz"]

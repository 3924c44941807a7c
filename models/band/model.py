"""Band model: one encoder a hop, one decoder per stem, gains per band -> masks per bin."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from rtsep.models.band.features import BANDS_INPUT, PRESET_INPUT, BandFeatures, BandMasks
from rtsep.models.band.stem_decoder import StemDecoder
from rtsep.models.framing import Framing
from rtsep.models.mask_model import State, Stateful, load_all
from rtsep.models.runtimes.network_step import NetworkStep
from rtsep.models.voice_report import VoiceReport

F32 = NDArray[np.float32]
ENCODER_PREFIX, DECODER_PREFIX = "encoder.", "decoder."


class BandModel:
    """Masks of named stems, each its own decoder's and nobody else's.

    Stems are not normalised against each other: with that, a stem would change when another is muted, loaded
    or left out, and a decoder could never stop. What all stems together leave, or take twice, is in the
    residual: the sum of all stems is the input in any case. A mask is shared by all channels.

    Args:
        encoder: one hop of the encoder: bands and preset in, its code out.
        decoders: one hop of each decoder by its stem's name, in the order of the stems.
        framing: the spectrum's layout.
    """

    def __init__(self, encoder: NetworkStep, decoders: Mapping[str, NetworkStep], framing: Framing) -> None:
        self._stems = tuple(decoders)
        self._encoder = encoder
        preset = encoder.inputs[PRESET_INPUT]
        preset[...] = 0
        preset[0, framing.preset] = 1
        self._features = BandFeatures(framing)
        self._masks = BandMasks(framing)
        self._bands = encoder.inputs[BANDS_INPUT]
        self._decoders = [StemDecoder(network, encoder.outputs, framing) for network in decoders.values()]
        self._gains = np.zeros((len(self._stems), self._bands.shape[1]), np.float32)
        self._rows = list(self._gains)
        self._report = VoiceReport.silent(())

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of the stems, the residual left out."""
        return self._stems

    @property
    def report(self) -> VoiceReport:
        """Empty: no stem has a pitch."""
        return self._report

    @property
    def silent(self) -> list[bool]:
        """Which stems are asleep and faded out, in the order of `stems`."""
        return [decoder.silent for decoder in self._decoders]

    def listen_to(self, heard: NDArray[np.bool_]) -> None:
        """See `MaskModel.listen_to`. The residual is what the stems leave: who listens to it needs all."""
        for decoder, wanted in zip(self._decoders, heard[:-1].tolist(), strict=True):
            decoder.listen_to(wanted or bool(heard[-1]))

    def step(self, spectrum: NDArray[np.complex64], masks: F32) -> None:
        """See `MaskModel.step`."""
        self._features.read(spectrum, self._bands)
        self._encoder.run()
        for decoder, gains in zip(self._decoders, self._rows, strict=True):
            decoder.step(gains)
        self._masks.render(self._gains, masks)

    def skip(self) -> None:
        """A hop passes unseen: the networks' memory stays as it is."""

    def reset(self) -> None:
        """Back to before the first hop; what is listened to stays."""
        self._encoder.reset()
        for decoder in self._decoders:
            decoder.reset()

    def state_dict(self) -> State:
        """Of the encoder and of every decoder."""
        state = {ENCODER_PREFIX + name: value for name, value in self._encoder.state_dict().items()}
        for stem, decoder in zip(self._stems, self._decoders, strict=True):
            own = decoder.state_dict()
            state.update({f"{DECODER_PREFIX}{stem}.{name}": value for name, value in own.items()})
        return state

    def load_state_dict(self, state: State) -> None:
        """Continues from `state_dict()`.

        Raises:
            ValueError: values that a network refuses; nothing has changed then.
        """
        names = self._encoder.state_dict()
        parts: list[tuple[Stateful, State]] = [
            (self._encoder, {name: state[ENCODER_PREFIX + name] for name in names})
        ]
        for stem, decoder in zip(self._stems, self._decoders, strict=True):
            prefix = f"{DECODER_PREFIX}{stem}."
            parts.append((decoder, {name: state[prefix + name] for name in decoder.state_dict()}))
        load_all(parts)

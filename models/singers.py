"""Cascade: the vocals of a band go into a choir model in the same hop, which takes the singers apart."""

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.models.band.model import BandModel
from rtsep.models.choir.model import ChoirModel, voice_names
from rtsep.models.mask_model import State, joined_state, load_joined
from rtsep.models.mid_side import CHANNELS, MidSideModel
from rtsep.models.voice_report import VoiceReport

F32 = NDArray[np.float32]

VOCALS = "vocals"  # the stem whose singers are taken apart
REST = "vocals-rest"  # of the vocals, what belongs to no singer: breath, consonants, reverberation
BAND_PREFIX, CHOIR_PREFIX = "band.", "choir."


def with_singers(stems: tuple[str, ...], singers: int) -> tuple[str, ...]:
    """Names of stems with voice-1, ... and the rest of the vocals in place of the vocals."""
    at = stems.index(VOCALS)
    return (*stems[:at], *voice_names(singers), REST, *stems[at + 1 :])


class SingersModel:
    """A band whose vocals are replaced by a stem per singer and the rest of the vocals.

    A singer's mask is the vocals' mask times the choir's mask of the vocals: both models see the same
    frame, so the latency is that of either. Singers and rest sum to the vocals.

    Of a band of mid and side, masks are [2, stems, bins] as the band's; mid and side of the vocals share
    the choir's masks, as their singers have one pitch.

    Args:
        band: with a stem of vocals.
        choir: the voices in it, highest first.
        channels: of the spectrum.
        bins: of the spectrum.
    """

    def __init__(self, band: BandModel | MidSideModel, choir: ChoirModel, channels: int, bins: int) -> None:
        self._band, self._choir = band, choir
        self._parts = {BAND_PREFIX: band, CHOIR_PREFIX: choir}
        self._vocals = band.stems.index(VOCALS)
        singers = len(choir.stems)
        at = self._first = self._vocals
        self._stems = with_singers(band.stems, singers)
        # Where each stem of the band stands among ours; the vocals' own place is that of the rest.
        self._place = [i if i < at else i + singers for i in range(len(band.stems))]
        self.mid_and_side = isinstance(band, MidSideModel)
        parts = CHANNELS if self.mid_and_side else 1
        self._band_masks = np.zeros((parts, len(band.stems), bins), np.float32)
        self._singer_masks = np.zeros((singers, bins), np.float32)
        self._spectrum = np.zeros((1, channels, bins), np.complex64)
        self._heard = np.ones(len(band.stems) + 1, np.bool_)

    @property
    def stems(self) -> tuple[str, ...]:
        """The band's, with voice-1, ... and vocals-rest in place of the vocals."""
        return self._stems

    @property
    def report(self) -> VoiceReport:
        """Of the singers; the other stems have no pitch."""
        return self._choir.report

    def listen_to(self, heard: NDArray[np.bool_]) -> None:
        """See `MaskModel.listen_to`: the vocals are needed by every singer and by the rest."""
        self._heard[-1] = heard[-1]
        for own, place in enumerate(self._place):
            self._heard[own] = heard[place]
        self._heard[self._vocals] = heard[self._first : self._place[self._vocals] + 1].any()
        self._band.listen_to(self._heard)

    def step(self, spectrum: NDArray[np.complex64], masks: F32) -> None:
        """See `MaskModel.step`."""
        if self.mid_and_side:
            self._band.step(spectrum, self._band_masks)
        else:
            self._band.step(spectrum, self._band_masks[0])
            masks = masks[None]
        for place, own in zip(self._place, self._band_masks.swapaxes(0, 1), strict=True):
            masks[:, place] = own
        singers = masks[:, self._first : self._place[self._vocals]]
        rest = masks[:, self._place[self._vocals]]
        if self._band.silent[self._vocals]:
            self._choir.skip()
            singers[...] = 0
            return
        vocals = self._band_masks[:, self._vocals]
        if self.mid_and_side:
            # mid and side are half of what left and right are: back to the level the choir was made for
            np.multiply(spectrum, np.sqrt(2.0, dtype=np.float32) * vocals, out=self._spectrum[0])
        else:
            _core.apply_masks(spectrum, vocals, self._spectrum)
        self._choir.step(self._spectrum[0], self._singer_masks)
        np.multiply(self._singer_masks, vocals[:, None], out=singers)
        for singer in singers.swapaxes(0, 1):
            rest -= singer
        np.maximum(rest, 0, out=rest)  # rounding

    def skip(self) -> None:
        """See `MaskModel.skip`."""
        self._band.skip()
        self._choir.skip()

    def reset(self) -> None:
        """Back to before the first hop; what is listened to stays."""
        self._band.reset()
        self._choir.reset()

    def state_dict(self) -> State:
        """Of both models."""
        return joined_state(self._parts)

    def load_state_dict(self, state: State) -> None:
        """Continues from `state_dict()`.

        Raises:
            ValueError: values that a model refuses; nothing has changed then.
        """
        load_joined(self._parts, state)

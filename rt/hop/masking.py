"""From a spectrum to the spectra of all stems: one mask for all channels, or masks for mid and side."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.models.mask_model import MaskModel
from rtsep.models.mid_side import CHANNELS, MidSideModel
from rtsep.models.singers import SingersModel

C64 = NDArray[np.complex64]


class Masking(Protocol):
    """One hop of a model and of its masks. Arrays are allocated once."""

    def apply(self, spectrum: C64, masked: C64) -> None:
        """Writes masked [stems, channels, bins] for spectrum [channels, bins]."""
        ...


def masking(model: MaskModel, channels: int, bins: int) -> Masking:
    """How this model's masks are applied.

    Raises:
        ValueError: a model of mid and side for another number of channels than two.
    """
    if not isinstance(model, MidSideModel) and not (isinstance(model, SingersModel) and model.mid_and_side):
        return _Shared(model, bins)
    if channels != CHANNELS:
        raise ValueError(f"mid and side are of {CHANNELS} channels, not {channels}")
    return _MidSide(model, bins)


class _Shared:
    def __init__(self, model: MaskModel, bins: int) -> None:
        self._model = model
        self._masks = np.zeros((len(model.stems), bins), np.float32)

    def apply(self, spectrum: C64, masked: C64) -> None:
        self._model.step(spectrum, self._masks)
        _core.apply_masks(spectrum, self._masks, masked)


class _MidSide:
    def __init__(self, model: MaskModel, bins: int) -> None:
        self._model = model
        stems = len(model.stems)
        self._spectrum = np.zeros((CHANNELS, bins), np.complex64)
        self._masks = np.zeros((CHANNELS, stems, bins), np.float32)
        self._masked = np.zeros((CHANNELS, stems, 1, bins), np.complex64)

    def apply(self, spectrum: C64, masked: C64) -> None:
        # halves first: two equal channels give the mid exactly, and an empty side
        self._turn(0.5 * spectrum[0], 0.5 * spectrum[1], self._spectrum)
        self._model.step(self._spectrum, self._masks)
        for part, masks, out in zip(self._spectrum, self._masks, self._masked, strict=True):
            _core.apply_masks(part[None], masks, out)
        self._turn(self._masked[0, :, 0], self._masked[1, :, 0], masked.swapaxes(0, 1))

    @staticmethod
    def _turn(one: C64, other: C64, out: C64) -> None:
        np.add(one, other, out=out[0])
        np.subtract(one, other, out=out[1])

"""How loud each partial of a voice is, and how loud its noise between partials, in the voice's own spectrum.

The spectrum is what masks left of the mixture, so these are the levels that the model arrived at: learned
ones where it has a network for them, those of the comb where it has none. The network's source-filter numbers
by themselves are no levels of a voice (its card says so): they miss those of the true voices' partials by 37
dB in the mean (quartet 1, 43 ms), the spectrum by 3.6 dB.
"""

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.kernels.windows import amplitude_scale, analysis_window
from rtsep.models.choir.comb_masks import LOBE_PHASES, partial_lobe
from rtsep.models.framing import Framing

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

PARTIALS = _core.GuidedComb.PARTIALS
REACH_BINS = 2  # on either side of a partial: its main lobe, vibrato included
# Of what the lobes of two neighbours leave between them, taken off before the rest counts as noise: a partial
# that moves has a wider lobe.
LEAKAGE_TIMES = 2.0


class PartialReading:
    """Reads spectra of voices.

    Args:
        voices, channels: how many spectra.
        framing: their layout.

    Attributes:
        power: float64 [voices, channels, PARTIALS], power of every partial, 1 = a full-scale sine; 0 from
            Nyquist on.
        noise: float64 [voices, channels, PARTIALS], of a band as wide as a bin of the spectrum, half-way to
            the next partial, in the same unit.
    """

    def __init__(self, voices: int, channels: int, framing: Framing) -> None:
        window = analysis_window(framing.window_samples, framing.half_overlap)
        self._scale = amplitude_scale(window) ** 2
        self._lobe = partial_lobe(framing).astype(np.float64)
        self._grid = np.arange(len(self._lobe)) / LOBE_PHASES
        self._bin_hz, self._bins = framing.bin_hz, framing.bins
        self._number = np.arange(1.0, PARTIALS + 1.0)
        self._offsets = np.arange(-REACH_BINS, REACH_BINS + 1)
        self.power = np.zeros((voices, channels, PARTIALS))
        self.noise = np.zeros((voices, channels, PARTIALS))

    def read(self, spectra: NDArray[np.complex64], f0_hz: F64) -> None:
        """Writes `power` and `noise` from complex64 [voices, channels, bins], at pitches [voices] above 0."""
        place = self._number * (f0_hz / self._bin_hz)[:, None]
        inside = (place < self._bins - 1 - REACH_BINS)[:, None]
        place = np.minimum(place, self._bins - 1 - REACH_BINS)
        bins = np.rint(place).astype(np.intp)[..., None] + self._offsets
        near = self._squares(spectra, np.maximum(bins, 0))
        lobe = np.interp(np.abs(bins - place[..., None]), self._grid, self._lobe, right=0.0)
        np.multiply(near.sum(axis=-1) / lobe.sum(axis=-1)[:, None], inside, out=self.power)
        half = 0.5 * f0_hz / self._bin_hz
        middle = np.minimum(np.rint(place + half[:, None]).astype(np.intp), self._bins - 1)
        leaked = LEAKAGE_TIMES * np.interp(half, self._grid, self._lobe, right=0.0)[:, None, None]
        after = np.concatenate([self.power[..., 1:], self.power[..., -1:]], axis=-1)
        between = self._squares(spectra, middle) - leaked * (self.power + after)
        np.multiply(np.maximum(between, 0), inside, out=self.noise)

    def _squares(self, spectra: NDArray[np.complex64], bins: NDArray[np.intp]) -> F64:
        """Power [voices, channels, ...] at bins [voices, ...]."""
        voices, channels = spectra.shape[:2]
        flat = bins.reshape(voices, 1, -1)
        values = np.take_along_axis(
            spectra, np.broadcast_to(flat, (voices, channels, flat.shape[-1])), axis=-1
        )
        squares: F64 = (np.square(values.real, dtype=np.float64) + np.square(values.imag)) * self._scale
        return squares.reshape(voices, channels, *bins.shape[1:])

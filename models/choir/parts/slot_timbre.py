"""How loud a pitch is in bands: of the partials that no other pitch covers."""

import numpy as np
from numpy.typing import NDArray

from rtsep.models.framing import Framing

F32 = NDArray[np.float32]

LOWEST_HZ, HIGHEST_HZ = 100.0, 5000.0
BANDS_PER_OCTAVE = 2
TIMBRE_BANDS = int(np.ceil(BANDS_PER_OCTAVE * np.log2(HIGHEST_HZ / LOWEST_HZ)))
PARTIALS = 24
# Partials nearer than this stand in each other's lobe: neither tells how loud its voice is.
APART_BINS = 3.0
FLOOR_POWER = 1e-10  # -100 dBFS, the noise of a good microphone


class SlotTimbre:
    """Level of every pitch in bands of half an octave.

    Args:
        voices: how many pitches.
        framing: the spectrum's layout.

    Attributes:
        level_db: float32 [voices, TIMBRE_BANDS], NaN where a band has no partial that can be heard alone.
    """

    def __init__(self, voices: int, framing: Framing) -> None:
        self._bin_hz = framing.bin_hz
        self._bins = framing.bins
        self._number = np.arange(1, PARTIALS + 1, dtype=np.float32)
        self.level_db = np.full((voices, TIMBRE_BANDS), np.nan, np.float32)

    def read(self, power: F32, f0_hz: F32) -> None:
        """Takes the next hop: power [bins] (a full-scale sine is 1), f0_hz [voices], 0 = none."""
        self.level_db[...] = np.nan
        for slot, own_hz in enumerate(f0_hz.tolist()):
            if own_hz <= 0:
                continue
            hz = own_hz * self._number
            hz = hz[(hz >= LOWEST_HZ) & (hz < min(HIGHEST_HZ, (self._bins - 2) * self._bin_hz))]
            alone = np.ones(len(hz), np.bool_)
            for other, other_hz in enumerate(f0_hz.tolist()):
                if other != slot and other_hz > 0:
                    nearest = np.maximum(np.round(hz / other_hz), 1.0) * other_hz
                    alone &= np.abs(hz - nearest) >= APART_BINS * self._bin_hz
            hz = hz[alone]
            at = np.round(hz / self._bin_hz).astype(np.intp)
            peak = np.maximum(np.maximum(power[at - 1], power[at]), power[at + 1])
            band = (BANDS_PER_OCTAVE * np.log2(hz / LOWEST_HZ)).astype(np.intp)
            total = np.bincount(band, peak, TIMBRE_BANDS)
            count = np.bincount(band, minlength=TIMBRE_BANDS)
            there = count > 0
            mean = total[there] / count[there]
            self.level_db[slot, there] = 10.0 * np.log10(np.maximum(mean, FLOOR_POWER))

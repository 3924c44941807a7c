"""What the source-filter network is fed, on stage and in training: made of kernels, without torch."""

import numpy as np

from rtsep.kernels import _core
from rtsep.kernels.filterbank import LogFilterbank
from rtsep.models.choir.comb_masks import FLOOR_POWER, LEARN_S, LOBE_PHASES, partial_lobe
from rtsep.models.framing import Framing

PARTIALS, ENVELOPE_BANDS = _core.GuidedComb.PARTIALS, _core.GuidedComb.BANDS
# The comb's own grid of envelopes: four bands per octave from 60 Hz.
BAND_HZ = tuple(60.0 * 2.0 ** (band / 4) for band in range(ENVELOPE_BANDS))
MIXTURE_BANDS = 85


def mixture_bands(framing: Framing) -> LogFilterbank:
    """Semitones of the mixture's magnitudes (1 = full-scale sine), up to what every sample rate from 16 kHz
    on can hear."""
    return LogFilterbank(
        framing.samplerate,
        framing.window_samples,
        f_min_hz=55.0,
        f_max_hz=7040.0,
        bands_per_octave=12,
        floor=1e-5,
    )


def guided_comb(voices: int, framing: Framing) -> _core.GuidedComb:
    """The kernel that reads partials and makes masks, with the adaptive comb's own constants."""
    lobe = partial_lobe(framing)
    learn = 1.0 - float(np.exp(-framing.hop / framing.samplerate / LEARN_S))
    return _core.GuidedComb(voices, framing.bins, framing.bin_hz, lobe, LOBE_PHASES, learn, FLOOR_POWER)

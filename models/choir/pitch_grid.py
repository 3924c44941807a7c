"""Where the pitch network looks: candidate pitches, and the log-frequency bands that hold their partials.

Bands lie 20 cents apart, candidates 40, on the same grid, so that the partials of all candidates are one
slice of the bands per partial. The network tells where between two candidates a voice is.
"""

import math

from rtsep.kernels.filterbank import LogFilterbank, log_centres_hz
from rtsep.models.choir.peak_tracker import STEP_CENTS, candidate_grid
from rtsep.models.framing import Framing

BANDS_PER_OCTAVE = round(1200.0 / STEP_CENTS)
# Two bands to a candidate: half the work of one, and still two candidates between voices 100 cents apart.
BANDS_PER_CANDIDATE = 2
CANDIDATES = (candidate_grid().size + 1) // BANDS_PER_CANDIDATE
LOWEST_CANDIDATE_HZ = float(candidate_grid()[0])
CANDIDATE_CENTS = BANDS_PER_CANDIDATE * STEP_CENTS
# Half the pitch tells an octave error; beyond the tenth partial, partials are less than a tone apart.
PARTIALS = (0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0)
LOWEST_BAND_HZ = LOWEST_CANDIDATE_HZ * PARTIALS[0]
# Below the Nyquist frequency of 16 kHz with room for a resampler's slope: the same bands at every rate.
HIGHEST_BAND_HZ = 7000.0
FLOOR = 1e-5  # -100 dB of a full-scale sine: the noise of a good microphone
BANDS = log_centres_hz(LOWEST_BAND_HZ, HIGHEST_BAND_HZ, BANDS_PER_OCTAVE).size


def first_band(partial: float) -> int:
    """The band of a partial of the lowest candidate; candidate g has it `BANDS_PER_CANDIDATE` g higher."""
    return round(BANDS_PER_OCTAVE * math.log2(partial / PARTIALS[0]))


def pitch_filterbank(framing: Framing) -> LogFilterbank:
    """Log amplitude on the grid: float32 [channels, bins] -> [channels, BANDS]."""
    return LogFilterbank(
        framing.samplerate,
        framing.window_samples,
        f_min_hz=LOWEST_BAND_HZ,
        f_max_hz=HIGHEST_BAND_HZ,
        bands_per_octave=BANDS_PER_OCTAVE,
        floor=FLOOR,
    )

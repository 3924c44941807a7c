"""NumPy reference of kernels/src/salience.cpp: peaks of a salience over candidate pitches."""

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]


def salience_peaks(
    salience: F32, offset: F32, least: float, same_voice: float, place: F32, log_odds: F32
) -> int:
    """The likeliest local maxima of the salience, highest pitch first; returns how many there are.

    Args:
        salience: [G], log odds that somebody sings at a candidate.
        offset: [G], of the pitch from its candidate, in candidates; taken within -1..1.
        least: log odds from which on a maximum counts.
        same_voice: neighbours that point within so many candidates of the peak's place have their say in it.
        place, log_odds: [P], of which the first entries are written.
    """
    inner = salience[1:-1]
    rising = (inner > salience[:-2]) & (inner >= salience[2:]) & (inner > least)
    peaks = 1 + np.flatnonzero(rising)
    if peaks.size > place.size:
        peaks = np.sort(peaks[np.argsort(-salience[peaks], kind="stable")[: place.size]])
    at = np.arange(salience.size, dtype=np.float32) + np.clip(offset, -1.0, 1.0)
    likely = 1.0 / (1.0 + np.exp(-salience))
    for p, g in enumerate(peaks[::-1]):
        near = slice(g - 1, g + 2)
        share = likely[near] * (np.abs(at[near] - at[g]) < same_voice)
        # no peak lies below the lowest candidate: a negative place would mean silence
        place[p] = max(0.0, float((share * at[near]).sum() / share.sum()))
        log_odds[p] = salience[g]
    return int(peaks.size)

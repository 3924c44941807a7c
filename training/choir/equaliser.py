"""The smooth equaliser of augmentation: other vowels, singers and microphones."""

import numpy as np
from numpy.typing import NDArray

# About an octave apart, from below the lowest pitch to half of 16 kHz: wider than a formant, so that a vowel
# changes and does not become another sound.
EQ_NODES_HZ = (60.0, 150.0, 300.0, 600.0, 1200.0, 2400.0, 4800.0, 8000.0)


def smooth_gain_db(hz: NDArray[np.floating], nodes_db: NDArray[np.floating]) -> NDArray[np.float64]:
    """Gain in dB between the nodes, linear over the logarithm of frequency.

    Args:
        hz: frequencies above 0.
        nodes_db: gain at each of `EQ_NODES_HZ`; outside of them the nearest one holds.
    """
    return np.asarray(np.interp(np.log(hz), np.log(EQ_NODES_HZ), nodes_db), np.float64)

"""The pitches of a drawn mixture as the shipped tracker finds them, errors and all."""

from functools import cache
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from rtsep.models.choir.build import build_tracker
from rtsep.models.choir.peak_tracker import PitchTracker
from rtsep.models.framing import Framing
from rtsep.models.registry import DEFAULT_MODEL

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

AGREES_CENTS = 50.0


def tracked_pitches(power: F32, true_hz: F64, framing: Framing) -> F64:
    """F0 of every voice from the tracker's slot that follows it best.

    Args:
        power: float32 [T, bins], 1 = full-scale sine.
        true_hz: [T, V], 0 = silent.
        framing: of the spectra.

    Shape:
        returns [T, V].
    """
    hops, voices = true_hz.shape
    tracker = _tracker(voices, framing)
    tracker.reset()
    found = np.zeros((hops, voices), np.float32)
    confident = np.zeros(voices, np.bool_)
    for hop, amplitude in enumerate(np.sqrt(power)):
        tracker.step(amplitude, found[hop], confident)
    return np.asarray(found[:, _slots(found.astype(np.float64), true_hz)], np.float64)


def _slots(found: F64, true_hz: F64) -> list[int]:
    """Slot of every voice: the assignment with the most agreeing hops."""
    octaves = np.log2(np.maximum(found, 1.0))[:, :, None] - np.log2(np.maximum(true_hz, 1.0))[:, None]
    both = (found > 0)[:, :, None] & (true_hz > 0)[:, None]
    agreeing = (both & (np.abs(1200.0 * octaves) < AGREES_CENTS)).sum(0)  # [slot, voice]
    voices = range(true_hz.shape[1])
    orders = [list(order) for order in permutations(voices)]
    return max(orders, key=lambda slots: int(agreeing[slots, voices].sum()))


@cache
def _tracker(voices: int, framing: Framing) -> PitchTracker:
    return build_tracker(DEFAULT_MODEL, voices=voices, framing=framing)

"""Truth about pitch: sections, pitch order and merged voices, from the F0 of every voice."""

import numpy as np
from numpy.typing import NDArray

from rtsep.models.choir.model import MERGED_CENTS

# Seconds between two labels of F0: WORLD's own default; vibrato and consonants need no finer grid.
LABEL_S = 0.005

# A crossing changes the order only beyond this distance: vibrato around a unison is no crossing.
CROSSING_CENTS = 60.0

F0 = NDArray[np.float64]
Flags = NDArray[np.bool_]


def section_f0(f0_hz: F0, weight: F0) -> F0:
    """What several singers of one voice sing together: the mean in cents, weighted by their power.

    Shape:
        f0_hz: [singers, frames], 0 = silent; weight: [singers, frames], >= 0.
        returns [frames], 0 where no voice sings.
    """
    power = np.where(f0_hz > 0, np.maximum(weight, 1e-12), 0.0)
    total = power.sum(axis=0)
    logs = np.log2(np.where(f0_hz > 0, f0_hz, 1.0))
    mean = np.exp2((power * logs).sum(axis=0) / np.maximum(total, 1e-12))
    return np.asarray(np.where(total > 0, mean, 0.0))


def merged_voices(f0_hz: F0) -> Flags:
    """Voices within `MERGED_CENTS` of a unison or octave with another one, as the stage's own flag.

    Shape:
        f0_hz: [voices, frames], 0 = unvoiced; returns bool [voices, frames].
    """
    merged = np.zeros(f0_hz.shape, np.bool_)
    octaves = np.log2(np.where(f0_hz > 0, f0_hz, 1.0))
    for i in range(len(f0_hz)):
        for j in range(i):
            distance = octaves[i] - octaves[j]
            both = (f0_hz[i] > 0) & (f0_hz[j] > 0)
            close = both & (1200.0 * np.abs(distance - np.round(distance)) < MERGED_CENTS)
            merged[i] |= close
            merged[j] |= close
    return merged


def pitch_order(f0_hz: F0) -> NDArray[np.int8]:
    """Which voice is highest, second, ...: the labels of a tracker that knows no names.

    A resting voice keeps the place of its last pitch (before its first note, of that one; a voice that never
    sings comes last), so that no voice changes its place when a neighbour breathes. Two neighbours swap where
    one is more than `CROSSING_CENTS` beyond the other while both sing.

    Shape:
        f0_hz: [voices, frames], 0 = unvoiced.
        returns int8 [voices, frames]: order[slot, frame] is the voice in that slot, highest first.
    """
    voices, frames = f0_hz.shape
    place = np.zeros((voices, frames))
    for voice in range(voices):
        voiced = np.flatnonzero(f0_hz[voice] > 0)
        if voiced.size:
            carried = voiced[np.maximum(np.searchsorted(voiced, np.arange(frames), side="right") - 1, 0)]
            place[voice] = 1200.0 * np.log2(f0_hz[voice, carried])
    order = np.empty((voices, frames), np.int8)
    if frames == 0:
        return order
    current = list(np.argsort(-place[:, 0], kind="stable"))
    # candidates only: frames where the plain order differs from the one in force
    plain = np.argsort(-place, axis=0, kind="stable")
    change = np.flatnonzero(np.any(plain[:, 1:] != plain[:, :-1], axis=0)) + 1
    order[:, :] = np.array(current, np.int8)[:, None]
    busy_from = int(change[0]) if change.size else frames
    for frame in range(busy_from, frames):
        if list(plain[:, frame]) != current:
            for _ in range(voices):
                for slot in range(voices - 1):
                    upper, lower = current[slot], current[slot + 1]
                    if place[lower, frame] - place[upper, frame] > CROSSING_CENTS:
                        current[slot], current[slot + 1] = lower, upper
        order[:, frame] = current
    return order


def in_order(values: NDArray[np.float64], order: NDArray[np.int8]) -> NDArray[np.float64]:
    """Rearranges [voices, frames] into slots, highest first."""
    return np.take_along_axis(values, order.astype(np.intp), axis=0)

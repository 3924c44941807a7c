"""What is known of each part: its range where that is given, and its timbre as it is heard."""

import numpy as np
from numpy.typing import NDArray

from rtsep.models.choir.parts.slot_timbre import TIMBRE_BANDS
from rtsep.models.mask_model import State, require_like

F32 = NDArray[np.float32]

# Timbre: level in bands, in dB. Within a part it varies with the vowel, in many bands together, so that they
# count as a few independent ones.
TIMBRE_S = 6.0
TIMBRE_SPREAD_DB, BANDS_APART = 8.0, 3.0
LEAST_BANDS = 3  # fewer tell less
MOST_AGAINST = 4.0  # log odds: one strange vowel settles nothing
FAMILIAR_S = 1.0  # until a band of a part was heard for so long, it counts less
# A given range is a promise: log odds against each semitone beyond it, and the most.
OUTSIDE_PER_SEMITONE, MOST_OUTSIDE = 3.0, 9.0
STATES = ("timbre_db", "timbre_s")


class PartMemory:
    """Ranges of the parts, and the timbre of each, learnt while it sings.

    Registers are not learnt: on rendered duets and chorales that made more mistakes than it mended.

    Args:
        parts: how many.
        bounds: float32 [parts, 2], lowest and highest note (MIDI numbers); None where not known.
    """

    def __init__(self, parts: int, bounds: F32 | None) -> None:
        self._bounds = bounds
        self.timbre_db, self.timbre_s = (np.zeros((parts, TIMBRE_BANDS), np.float32) for _ in range(2))

    def evidence(self, midi: F32, timbre_db: F32) -> F32:
        """Log likelihood of each part for each pitch, up to a number that all parts share.

        Shape:
            midi: float32 [slots], NaN where there is none; timbre_db: float32 [slots, TIMBRE_BANDS], NaN
            where a band cannot be heard; returns float32 [parts, slots], 0 where there is no pitch.
        """
        found = -self._unlike(timbre_db)
        if self._bounds is not None:
            low, high = self._bounds[:, :1], self._bounds[:, 1:]
            outside = np.maximum(np.maximum(low - midi, midi - high), np.float32(0))
            found -= np.minimum(np.float32(OUTSIDE_PER_SEMITONE) * outside, np.float32(MOST_OUTSIDE))
        return np.where(np.isnan(midi)[None], np.float32(0), found)

    def _unlike(self, timbre_db: F32) -> F32:
        """How little each pitch sounds like each part [parts, slots], 0 or more."""
        # bands that are known of all parts: a part must not win by what is not known of another
        known = np.minimum(self.timbre_s / np.float32(FAMILIAR_S), np.float32(1)).min(axis=0)
        weight = np.where(np.isnan(timbre_db), np.float32(0), known)
        bands = weight.sum(axis=1)
        away = (np.nan_to_num(timbre_db) - self.timbre_db[:, None]) / np.float32(TIMBRE_SPREAD_DB)
        mean = (weight * away * away).sum(axis=2) / np.maximum(bands, np.float32(1))
        counts = np.minimum(bands / np.float32(LEAST_BANDS), np.float32(1))
        unlike: F32 = np.minimum(np.float32(0.5 * BANDS_APART) * counts * mean, np.float32(MOST_AGAINST))
        return unlike

    def learn(self, part: int, timbre_db: F32, hop_s: float) -> None:
        """A part has sounded like this for one hop: float32 [TIMBRE_BANDS], NaN where it cannot be heard."""
        own_db, own_s = self.timbre_db[part], self.timbre_s[part]
        heard = ~np.isnan(timbre_db)
        own_s[heard] = np.minimum(own_s[heard] + np.float32(hop_s), np.float32(TIMBRE_S))
        own_db[heard] += np.float32(hop_s) / own_s[heard] * (timbre_db[heard] - own_db[heard])

    def reset(self) -> None:
        """Nobody has sung yet."""
        self.timbre_db[...] = 0
        self.timbre_s[...] = 0

    def state_dict(self) -> State:
        """The timbres."""
        return {name: getattr(self, name).copy() for name in STATES}

    def load_state_dict(self, state: State) -> None:
        """Continues from `state_dict()`.

        Raises:
            ValueError: another kind of state, or times outside a memory; nothing has changed then.
        """
        require_like(self.state_dict(), state, "memory of parts")
        if not ((state["timbre_s"] >= 0) & (state["timbre_s"] <= TIMBRE_S)).all():  # type: ignore[operator]
            raise ValueError(f"state 'memory.timbre_s' holds times outside 0..{TIMBRE_S:g}")
        for name in STATES:
            getattr(self, name)[...] = state[name]

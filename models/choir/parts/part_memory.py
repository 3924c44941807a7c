"""What is known of each part: its range where that is given; its timbre and register as they are heard."""

import numpy as np
from numpy.typing import NDArray

from rtsep.models.choir.parts.slot_timbre import TIMBRE_BANDS
from rtsep.models.mask_model import State, require_like

F32 = NDArray[np.float32]

# Timbre: level in bands, in dB. Within a part it varies with the vowel, in many bands together, so that they
# count as a few independent ones.
TIMBRE_S = 20.0
TIMBRE_SPREAD_DB, BANDS_APART = 8.0, 3.0
LEAST_BANDS = 3  # fewer tell less
# A mean square of so many spreads speaks neither for a part nor against it: its own are at 1. So a part of
# which little is known neither wins nor loses by that.
NEITHER = 1.4
MOST_FOR, MOST_AGAINST = 1.5, 4.0  # log odds: one strange vowel settles nothing
FAMILIAR_S = 2.0  # until a band of a part was heard for so long, it counts less
# Register: mean and spread of all pitches of a part. Parts that cross share theirs, so that it counts little:
# it decides where timbre does not.
REGISTER_S = 60.0
REGISTER_COUNTS = 0.15
USUAL_SPREAD, LEAST_SPREAD = 5.0, 2.0  # semitones
USUAL_S = 4.0  # the usual spread counts as much as pitches of so long
MOST_BEYOND = 3.0  # log odds
FAMILIAR_REGISTER_S = 3.0
# A given range is a promise: log odds against each semitone beyond it, and the most.
OUTSIDE_PER_SEMITONE, MOST_OUTSIDE = 3.0, 9.0
HIGHEST_MIDI = 200.0  # that a state may hold
STATES = ("timbre_db", "timbre_s", "register_midi", "register_square", "register_s")


class PartMemory:
    """Ranges of the parts, and the timbre and the register of each, learnt while it sings.

    Every order of parts that may be the right one learns for itself: from what its own parts would have sung.
    So a change of parts that was wrong is found out, where one memory for all would learn to believe it.

    Args:
        orders: how many orders of the parts there are.
        parts: how many.
        bounds: float32 [parts, 2], lowest and highest note (MIDI numbers); None where not known.
    """

    def __init__(self, orders: int, parts: int, bounds: F32 | None) -> None:
        self._bounds = bounds
        self.timbre_db, self.timbre_s = (
            np.zeros((orders, parts, TIMBRE_BANDS), np.float32) for _ in range(2)
        )
        # mean and mean square deviation of pitches, and how long they were heard
        self.register_midi, self.register_square, self.register_s = (
            np.zeros((orders, parts), np.float32) for _ in range(3)
        )

    def follow(self, parent: NDArray[np.intp]) -> None:
        """Each order [orders] goes on with what the order that it came from has learnt."""
        for name in STATES:
            array = getattr(self, name)
            array[...] = array[parent]

    def evidence(self, midi: F32, timbre_db: F32) -> F32:
        """Log likelihood of what each part would sing in each order, up to a number that all orders share.

        Shape:
            midi: float32 [orders, parts], NaN where there is none; timbre_db: float32 [orders, parts,
            TIMBRE_BANDS], NaN where a band cannot be heard; returns float32 [orders, parts], 0 where there is
            no pitch.
        """
        found = self._alike(timbre_db) + self._in_register(midi)
        if self._bounds is not None:
            low, high = self._bounds[:, 0], self._bounds[:, 1]
            outside = np.maximum(np.maximum(low - midi, midi - high), np.float32(0))
            found -= np.minimum(np.float32(OUTSIDE_PER_SEMITONE) * outside, np.float32(MOST_OUTSIDE))
        return np.where(np.isnan(midi), np.float32(0), found)

    def _alike(self, timbre_db: F32) -> F32:
        """How much what is heard sounds like each part [orders, parts]."""
        # bands that are known of all parts: a part must not win by what is not known of another
        known = np.minimum(self.timbre_s / np.float32(FAMILIAR_S), np.float32(1)).min(axis=1, keepdims=True)
        weight = np.where(np.isnan(timbre_db), np.float32(0), known)
        bands = weight.sum(axis=2)
        away = (np.where(np.isnan(timbre_db), np.float32(0), timbre_db - self.timbre_db)) / np.float32(
            TIMBRE_SPREAD_DB
        )
        mean = (weight * away * away).sum(axis=2) / np.maximum(bands, np.float32(1))
        counts = np.minimum(bands / np.float32(LEAST_BANDS), np.float32(1))
        alike = np.float32(0.5 * BANDS_APART) * counts * (np.float32(NEITHER) - mean)
        found: F32 = np.clip(alike, np.float32(-MOST_AGAINST), np.float32(MOST_FOR))
        return found

    def _in_register(self, midi: F32) -> F32:
        """How much a pitch lies where each part sings [orders, parts]."""
        familiar = np.minimum(self.register_s / np.float32(FAMILIAR_REGISTER_S), np.float32(1))
        usual = np.float32(USUAL_SPREAD**2)
        square = np.float32(USUAL_S) * usual + self.register_s * self.register_square
        square = np.maximum(square / (np.float32(USUAL_S) + self.register_s), np.float32(LEAST_SPREAD**2))
        away = np.where(np.isnan(midi), np.float32(0), midi - self.register_midi)
        beyond = np.minimum(np.float32(0.5) * away * away / square, np.float32(MOST_BEYOND))
        likely = -beyond - np.float32(0.5) * np.log(square / usual)
        counts = np.float32(REGISTER_COUNTS) * familiar.min(axis=1, keepdims=True)
        found: F32 = counts * likely
        return found

    def learn(self, midi: F32, timbre_db: F32, hop_s: float) -> None:
        """In each order every part has sung like this for one hop; shapes as of `evidence`."""
        sung = ~np.isnan(midi)
        share = _share(self.register_s, sung, hop_s, REGISTER_S)
        away = np.where(np.isnan(midi), np.float32(0), midi - self.register_midi)
        self.register_midi += share * away
        self.register_square += share * (away * away - self.register_square)
        heard = ~np.isnan(timbre_db) & sung[..., None]
        share = _share(self.timbre_s, heard, hop_s, TIMBRE_S)
        self.timbre_db += share * (np.where(np.isnan(timbre_db), np.float32(0), timbre_db - self.timbre_db))

    def reset(self) -> None:
        """Nobody has sung yet."""
        for name in STATES:
            getattr(self, name)[...] = 0

    def state_dict(self) -> State:
        """Timbres and registers."""
        return {name: getattr(self, name).copy() for name in STATES}

    def load_state_dict(self, state: State) -> None:
        """Continues from `state_dict()`.

        Raises:
            ValueError: another kind of state, or values outside a memory; nothing has changed then.
        """
        require_like(self.state_dict(), state, "memory of parts")
        bounds = {
            "timbre_s": TIMBRE_S,
            "register_s": REGISTER_S,
            "register_midi": HIGHEST_MIDI,
            "register_square": HIGHEST_MIDI**2,
        }
        for name, high in bounds.items():
            if not ((state[name] >= 0) & (state[name] <= high)).all():  # type: ignore[operator]
                raise ValueError(f"state 'memory.{name}' holds values outside 0..{high:g}")
        for name in STATES:
            getattr(self, name)[...] = state[name]


def _share(known_s: F32, heard: NDArray[np.bool_], hop_s: float, most_s: float) -> F32:
    """What a hop counts in a mean over all that is `known_s`, to which it is added; 0 where none is heard."""
    hop = np.float32(hop_s)
    known_s += hop * heard
    np.minimum(known_s, np.float32(most_s), out=known_s)
    return np.where(heard, hop / np.maximum(known_s, hop), np.float32(0))

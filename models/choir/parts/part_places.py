"""Who of two parts is above the other: learnt where both sing, and believed where one sings alone."""

import itertools

import numpy as np
from numpy.typing import NDArray

from rtsep.models.mask_model import State, require_like

F32 = NDArray[np.float32]

LEAST_CROSSING = 0.5  # semitones: below, two sing a unison
REMEMBERED_S = 60.0
# As if parts had sung for so long before: sorted by height more often than not.
CROSSED_BEFORE_S, SORTED_BEFORE_S = 2.0, 6.0
COUNTS = 0.7  # the tracker does not always know who sings alone
STATES = ("crossed_s", "sorted_s")


class PartPlaces:
    """For how long each pair of parts was crossed, and for how long not, in every order by itself.

    The tracker gives a pitch that sounds alone to the higher or to the lower voice, by what it knows of
    voices in order of pitch. Where parts never cross that is the right one, where they often do it says
    little: it counts as much as the pair has kept to its places.

    Args:
        orders: [orders, parts], the place of each part among the pitches, 0 is the highest.

    Example:
        >>> places = PartPlaces(np.array([[0, 1], [1, 0]], np.intp))
        >>> both = np.array([[69, 60], [60, 69]], np.float32)
        >>> alone = np.array([[np.nan, 60], [60, np.nan]], np.float32)
        >>> for _ in range(100):
        ...     places.learn(both, 0.1)
        >>> places.evidence(both).tolist()
        [0.0, 0.0]
        >>> places.follow(np.array([0, 0]))
        >>> first, second = places.evidence(alone)
        >>> bool(first > second + 1.0)
        True
    """

    def __init__(self, orders: NDArray[np.intp]) -> None:
        pairs = np.array(list(itertools.combinations(range(orders.shape[1]), 2)), np.intp).reshape(-1, 2)
        self._above, self._below = pairs.T
        self._turned = orders[:, self._above] > orders[:, self._below]
        self.crossed_s, self.sorted_s = (np.zeros(self._turned.shape, np.float32) for _ in range(2))

    def follow(self, parent: NDArray[np.intp]) -> None:
        """Each order [orders] goes on with what the order that it came from has learnt."""
        for name in STATES:
            array = getattr(self, name)
            array[...] = array[parent]

    def evidence(self, midi: F32) -> F32:
        """Log likelihood of who sings alone [orders]; midi float32 [orders, parts], NaN where one rests."""
        crossed = self.crossed_s + np.float32(CROSSED_BEFORE_S)
        sorted_ = self.sorted_s + np.float32(SORTED_BEFORE_S)
        likely = np.log(np.where(self._turned, crossed, sorted_) / (crossed + sorted_))
        alone = np.isnan(midi[:, self._above]) != np.isnan(midi[:, self._below])
        found: F32 = np.float32(COUNTS) * np.where(alone, likely, np.float32(0)).sum(axis=1)
        return found

    def learn(self, midi: F32, hop_s: float) -> None:
        """One hop more; midi as of `evidence`."""
        by = midi[:, self._below] - midi[:, self._above]  # NaN where one rests: neither crossed nor not
        self.crossed_s += np.float32(hop_s) * (by > LEAST_CROSSING)
        self.sorted_s += np.float32(hop_s) * (by < -LEAST_CROSSING)
        share = np.float32(REMEMBERED_S) / np.maximum(
            self.crossed_s + self.sorted_s, np.float32(REMEMBERED_S)
        )
        self.crossed_s *= share
        self.sorted_s *= share

    def reset(self) -> None:
        """Nobody has sung yet."""
        self.crossed_s[...] = 0
        self.sorted_s[...] = 0

    def state_dict(self) -> State:
        """Times of all pairs."""
        return {name: getattr(self, name).copy() for name in STATES}

    def load_state_dict(self, state: State) -> None:
        """Continues from `state_dict()`.

        Raises:
            ValueError: another kind of state, or times outside a memory; nothing has changed then.
        """
        require_like(self.state_dict(), state, "places of parts")
        for name in STATES:
            if not ((state[name] >= 0) & (state[name] <= REMEMBERED_S)).all():  # type: ignore[operator]
                raise ValueError(f"state 'places.{name}' holds times outside 0..{REMEMBERED_S:g}")
        for name in STATES:
            getattr(self, name)[...] = state[name]

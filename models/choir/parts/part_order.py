"""From pitches in order of height to pitches in order of parts, which may cross: a Viterbi decoder over the
orders of voices, hop by hop.

A tracker says which pitches are sung, the highest first. Who sings them is told by continuity (a part goes
on where it was), by timbre and register, by ranges where they are given (see `PartMemory`), and by who was
above whom so far (see `PartPlaces`). Where two parts meet on one pitch and leave it again, or where one
comes back after a rest, continuity says nothing: all ways of going on are kept, and what is heard of them
then decides, within some tenths of a second.
"""

import itertools

import numpy as np
from numpy.typing import NDArray

from rtsep.models.choir.parts.part_memory import HIGHEST_MIDI, PartMemory
from rtsep.models.choir.parts.part_places import LEAST_CROSSING, PartPlaces
from rtsep.models.choir.parts.parts import Parts
from rtsep.models.choir.parts.slot_timbre import SlotTimbre
from rtsep.models.framing import Framing
from rtsep.models.mask_model import State, Stateful, joined_state, load_joined, require_like

F32 = NDArray[np.float32]

A4_HZ, A4_MIDI = 440.0, 69.0
# Log odds that a hop costs: of moving on by a semitone (no leap costs more than that of eight), of beginning
# and of ending (nobody takes a note over from who goes on singing), of a change of order.
PER_SEMITONE, MOST_FOR_A_STEP = 0.5, 4.0
TOGGLE = 1.5
SWITCH = 0.2  # of each pair that could change: four parts have 23 other orders, two have one
EQUAL = 0.2  # log odds: of ways that are as good as each other, the one that is played stays
FORGOTTEN_S = 1.5  # of a rest: after it a part may begin anywhere, by e
LONGEST_REST_S = 15.0  # and longer ones are alike
# Log odds against each pair that crosses: parts are sorted by height more often than not. And once, against
# parts that cross without having met: where all breathe, the tracker's first guesses look like that.
CROSSED, CROSSED_PER_SEMITONE, MOST_CROSSED = 0.1, 0.1, 2.0
UNMET = 5.0
MEETING, RECENT_S = 3.5, 0.3  # semitones: parts that were as near as this the moment before have met
# What is heard of a part in this time counts once: vowels and notes last so long.
CORRELATION_S = 0.3
FURTHEST = 10.0  # log odds: no way is given up for good
STATES = ("score", "last_midi", "rest_s", "playing")
MEMORY_PREFIX, PLACES_PREFIX = "memory.", "places."


class PartOrder:
    """Gives pitches to parts.

    Args:
        parts: 1..4.
        framing: the spectrum's layout.
    """

    def __init__(self, parts: Parts, framing: Framing) -> None:
        self.names = parts.names
        count = len(parts.names)
        self._hop_s = framing.hop / framing.samplerate
        # [orders, parts]: which of the pitches a part sings; the first is the order of height
        self._orders = np.array(list(itertools.permutations(range(count))), np.intp)
        pairs = np.array(list(itertools.combinations(range(count), 2)), np.intp).reshape(-1, 2)
        self._above, self._below = pairs.T
        orders = len(self._orders)
        self._memory = PartMemory(orders, count, parts.bounds)
        self._places = PartPlaces(self._orders)
        self._timbre = SlotTimbre(count, framing)
        self._score = np.zeros(orders, np.float32)
        self._last_midi, self._rest_s = (np.zeros((orders, count), np.float32) for _ in range(2))
        self._playing = np.zeros((), np.int64)
        self._stays = np.arange(orders)
        self._switch = (SWITCH * len(pairs) * (1.0 - np.eye(orders))).astype(np.float32)
        self.reset()

    def step(self, power: F32, f0_hz: F32, confident: NDArray[np.bool_]) -> None:
        """Takes the next hop, and puts its pitches into the order of parts.

        Shape:
            power: float32 [bins], a full-scale sine is 1; f0_hz: float32 [parts], highest first, 0 = none,
            rewritten; confident: bool [parts], likewise.
        """
        sounding = f0_hz > 0
        midi = np.full(len(f0_hz), np.nan, np.float32)
        midi[sounding] = A4_MIDI + 12.0 * np.log2(f0_hz[sounding] / A4_HZ)
        if sounding.any():
            self._timbre.read(power, f0_hz)
            self._decide(midi, confident)
        else:
            self._rest_s += np.float32(self._hop_s)
        np.minimum(self._rest_s, np.float32(LONGEST_REST_S), out=self._rest_s)
        f0_hz[...] = f0_hz[self.slots]
        confident[...] = confident[self.slots]

    @property
    def slots(self) -> NDArray[np.intp]:
        """Which of the pitches, highest first, each part sings: intp [parts]."""
        found: NDArray[np.intp] = self._orders[int(self._playing)]
        return found

    def _decide(self, midi: F32, confident: NDArray[np.bool_]) -> None:
        """One step of the decoder: of all ways to every order the best stays."""
        to = midi[self._orders]
        sings = ~np.isnan(to)
        total = self._score[:, None] - self._steps(to, sings) - self._switch
        parent = np.argmax(total, axis=0)
        best = np.take_along_axis(total, parent[None], axis=0)[0]
        known = np.where(confident, midi, np.float32(np.nan))[self._orders]
        level_db = self._timbre.level_db[self._orders]
        if (parent != self._stays).any():
            self._memory.follow(parent)
            self._places.follow(parent)
        heard = self._memory.evidence(known, level_db).sum(axis=1) - self._crossed(to)
        heard += self._places.evidence(to)
        self._memory.learn(known, level_db, self._hop_s)
        self._places.learn(to, self._hop_s)
        self._score[...] = best + np.float32(self._hop_s / CORRELATION_S) * heard
        self._score -= self._score.max()
        np.maximum(self._score, np.float32(-FURTHEST), out=self._score)
        rest_s = self._rest_s[parent] + np.float32(self._hop_s)
        self._last_midi[...] = np.where(sings, to, self._last_midi[parent])
        self._rest_s[...] = np.where(sings, np.float32(0), rest_s)
        if self._score[int(self._playing)] < -EQUAL:
            self._playing[...] = np.argmax(self._score)

    def _steps(self, to: F32, sings: NDArray[np.bool_]) -> F32:
        """What it costs to go on from every order to every other [orders, orders]."""
        remembered = np.exp(-self._rest_s / np.float32(FORGOTTEN_S)) * np.float32(1)
        semitones = np.abs(np.where(sings, to, np.float32(0))[None] - self._last_midi[:, None])
        moved = np.minimum(np.float32(PER_SEMITONE) * semitones, np.float32(MOST_FOR_A_STEP))
        toggled = (self._rest_s == 0)[:, None] != sings
        cost: F32 = (moved * remembered[:, None] * sings).sum(axis=2)
        cost += np.float32(TOGGLE) * toggled.sum(axis=2)
        return cost + self._unmet(to)

    def _unmet(self, to: F32) -> F32:
        """What is against pairs that cross without having met [orders, orders]."""
        crosses = to[:, self._below] - to[:, self._above] > LEAST_CROSSING
        before = self._last_midi[:, self._below] - self._last_midi[:, self._above]
        recent = self._rest_s <= RECENT_S
        met = (before > -MEETING) & recent[:, self._above] & recent[:, self._below]
        pairs: F32 = (~met).astype(np.float32) @ crosses.T.astype(np.float32)
        return np.float32(UNMET) * pairs

    def _crossed(self, to: F32) -> F32:
        """What is against the pairs that cross [orders]."""
        by = to[:, self._below] - to[:, self._above]
        cost = np.minimum(CROSSED + CROSSED_PER_SEMITONE * by, MOST_CROSSED).astype(np.float32)
        against: F32 = np.where(by > LEAST_CROSSING, cost, np.float32(0)).sum(axis=1)
        return against

    def reset(self) -> None:
        """The first part is the highest pitch, until more is heard."""
        self._memory.reset()
        self._places.reset()
        self._score[...] = -FURTHEST
        self._score[0] = 0.0
        self._last_midi[...] = 0
        self._rest_s[...] = LONGEST_REST_S
        self._playing[...] = 0

    def _learnt(self) -> dict[str, Stateful]:
        return {MEMORY_PREFIX: self._memory, PLACES_PREFIX: self._places}

    def state_dict(self) -> State:
        """Ways to go on, and what is known of each part."""
        own = {name: getattr(self, f"_{name}").copy() for name in STATES}
        return own | joined_state(self._learnt())

    def load_state_dict(self, state: State) -> None:
        """Continues from `state_dict()`.

        Raises:
            ValueError: another kind of state, or values that cannot be; nothing has changed then.
        """
        require_like(self.state_dict(), state, "order of parts")
        bounds = {
            "playing": (0, len(self._orders) - 1),
            "score": (-FURTHEST, 0.0),
            "last_midi": (0.0, HIGHEST_MIDI),
            "rest_s": (0.0, LONGEST_REST_S),
        }
        for name, (low, high) in bounds.items():
            if (state[name] < low).any() or (state[name] > high).any():  # type: ignore[operator]
                raise ValueError(f"state 'order.{name}' holds values outside {low:g}..{high:g}")
        load_joined(self._learnt(), state)
        for name in STATES:
            getattr(self, f"_{name}")[...] = state[name]

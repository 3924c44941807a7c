"""Follows a score by ear: causal, hop by hop, with bounded work, from the tracker's own salience."""

import numpy as np
from numpy.typing import NDArray

from rtsep.models.choir.pitch_grid import CANDIDATES
from rtsep.models.choir.score.belief import Belief, first_tempo
from rtsep.models.choir.score.score_grid import (
    FIRST_CANDIDATE_MIDI,
    LOWEST_MIDI,
    SEMITONES,
    SEMITONES_PER_CANDIDATE,
    ScoreGrid,
)
from rtsep.models.mask_model import State, require_like

F32 = NDArray[np.float32]

UPDATE_S = 0.02  # the follower looks so often at most: nothing written changes faster
WINDOW_CELLS = (
    4096  # of the score that are looked at together: 205 s; a longer score is read window by window
)
SEARCH_CELLS = 400  # the first 20 s, in which a transposition is looked for
TRANSPOSITIONS = tuple(range(-6, 7))  # semitones
UNTRANSPOSED = 0.5  # how likely a choir sings in the written key
LOCKED, LOCK_S, GIVE_UP_S = 0.97, 1.5, 20.0  # of the written key: how sure, after how much sound; and then 0
# Of another key: one of twelve fits a few chords of a wrong score by chance.
MOVED_LOCKED, MOVED_LOCK_S = 0.995, 5.0
# A pitch's log odds against those of a semitone of which nothing is known (four of fifty sound), and the most
# that one pitch says.
PRIOR_LOG_ODDS, MOST = -2.4, 2.5
# So large a share of what is heard would another score explain by chance, at its best place; a sung pitch
# counts for each of the two or three semitones around it. With 0.2 to 0.3 a quartet is followed,
# and in the score of another chorale it is lost within seconds.
CHANCE_SHARE = 0.25
SILENT_WEIGHT = 0.2  # of evidence while nothing is heard: a breath, a pause that no score has
EVIDENCE_PER_S = 4.0  # what is heard within a quarter of a second is one observation
AWAITING = 0.6  # at the start: waiting for the first note; otherwise anywhere, as rehearsals begin
LOST_S = 15.0  # after so long lost, the next window of a long score is tried, in the written key
_MIDI = np.arange(SEMITONES) + LOWEST_MIDI
TUNING_S, MOST_TUNING = 5.0, 1.5  # a choir sinks or rises: followed so fast, and so far, in semitones


class ScoreFollower:
    """Where in the score the choir is.

    Args:
        grid: the score.
        hop_s: between two calls of `hear`.
        transpose: semitones that the choir sings above the score; None to find out by listening.
    """

    def __init__(self, grid: ScoreGrid, hop_s: float, transpose: float | None = None) -> None:
        self._grid, self._hop_s, self._given = grid, hop_s, transpose
        self._every = max(1, round(UPDATE_S / hop_s))
        self._follow = Belief(1, min(grid.cells, WINDOW_CELLS))
        layers = len(TRANSPOSITIONS) if transpose is None else 1
        self._search = Belief(layers, min(grid.cells, SEARCH_CELLS if transpose is None else 1))
        self._shifts = np.array(TRANSPOSITIONS if transpose is None else (0,), np.float32)
        self._sum = np.zeros(CANDIDATES, np.float32)
        self._numbers = np.zeros(8)
        self._padded = np.full(CANDIDATES + 2, -np.inf, np.float32)  # nothing is heard beyond the candidates
        self._evidence = np.zeros((len(self._shifts), SEMITONES), np.float32)
        self.reset()

    # What is remembered beside the beliefs lies in one array, by these names.
    _NAMES = ("hops", "heard", "first", "searching", "sounding_s", "lost_s", "transposition", "tuning")

    def _get(self, name: str) -> float:
        return float(self._numbers[self._NAMES.index(name)])

    def _set(self, name: str, value: float) -> None:
        self._numbers[self._NAMES.index(name)] = value

    @property
    def position(self) -> F32:
        """Probabilities of the cells from `first` on; what they lack to 1 is lost."""
        return self._follow.position

    @property
    def belief(self) -> Belief:
        """What `position` is of; while `searching` it waits."""
        return self._follow

    @property
    def first(self) -> int:
        """The first cell of the window that `position` is about."""
        return int(self._get("first"))

    @property
    def confidence(self) -> float:
        """How sure it is that the choir sings this score and where, 0..1."""
        return 0.0 if self._get("searching") else float(self.position.sum())

    @property
    def cell(self) -> float:
        """The likeliest place: the mean around the likeliest cell."""
        best = int(np.argmax(self.position))
        around = slice(max(0, best - 20), best + 21)
        near = self.position[around]
        total = float(near.sum())
        mean = float(near @ np.arange(len(near))) / total + around.start if total > 0 else float(best)
        return self.first + mean

    @property
    def transposition(self) -> float:
        """Semitones that the choir sings above the score, as far as is known."""
        return self._get("transposition")

    @property
    def offset(self) -> float:
        """Semitones from a written note to where it is sung: transposition and tuning."""
        return self._get("transposition") + self._get("tuning")

    @property
    def searching(self) -> bool:
        """The transposition is not known yet."""
        return bool(self._get("searching"))

    def hear(self, salience: F32) -> bool:
        """A hop of log odds [CANDIDATES]; True when the position has been looked at anew."""
        self._sum += salience
        self._set("heard", self._get("heard") + 1)
        self._set("hops", self._get("hops") + 1)
        if self._get("hops") < self._every:
            return False
        elapsed_s = self._get("hops") * self._hop_s
        self._sum /= np.float32(self._get("heard"))
        if self.searching:
            self._look(self._search, self._shifts, 0, elapsed_s)
            self._decide()
        else:
            self._look(self._follow, np.array([self.offset], np.float32), self.first, elapsed_s)
            self._stay_near(elapsed_s)
        self._sum[...] = 0
        self._set("heard", 0)
        self._set("hops", 0)
        return True

    def skip(self) -> None:
        """A hop passes unheard."""
        self._set("hops", min(self._get("hops") + 1, 1e6))

    def _look(self, belief: Belief, offsets: F32, first: int, elapsed_s: float) -> None:
        sounding = bool(self._sum.max() > 0)
        if sounding:
            self._set("sounding_s", min(self._get("sounding_s") + elapsed_s, 1e6))
        evidence = self._evidence[: len(offsets)]
        for row, offset in zip(evidence, offsets, strict=True):
            self._weigh_semitones(float(offset), sounding, row)
        weight = np.float32(EVIDENCE_PER_S * min(elapsed_s, 0.1))
        each = weight * (evidence @ self._grid.chords.T)
        odd = weight * np.float32(CHANCE_SHARE) * np.maximum(evidence, 0).sum(axis=1)
        # chords that the window does not hold may be the likeliest: then all else is small, and all the same
        top = max(float(each.max()), float(odd.max()))
        cells = belief.here.shape[2]
        np.take(np.exp(each - top), self._grid.chord_of[first : first + cells], axis=1, out=belief.likelihood)
        np.exp(odd - top, out=belief.unknown)
        belief.step(min(elapsed_s, 5.0))

    def _weigh_semitones(self, offset: float, sounding: bool, evidence: F32) -> None:
        """Writes the log likelihood that each semitone of the score is sung, against that it is not."""
        centre = (_MIDI + (offset - FIRST_CANDIDATE_MIDI)) / SEMITONES_PER_CANDIDATE
        nearest = np.round(centre).astype(np.intp) + 1
        odds = self._padded
        odds[1:-1] = self._sum
        np.maximum.reduce(
            [odds[np.clip(nearest + step, 0, CANDIDATES + 1)] for step in (-1, 0, 1)], out=evidence
        )
        np.clip(evidence - np.float32(PRIOR_LOG_ODDS), -MOST, MOST, out=evidence)
        if not sounding:
            evidence *= np.float32(SILENT_WEIGHT)

    def _decide(self) -> None:
        """Ends the search for the transposition once one is sure, or none comes."""
        each = self._search.rows.sum(axis=1)
        best = int(np.argmax(each))
        sounding_s = self._get("sounding_s")
        written = TRANSPOSITIONS[best] == 0
        sure, long_s = (LOCKED, LOCK_S) if written else (MOVED_LOCKED, MOVED_LOCK_S)
        if each[best] > sure and sounding_s >= long_s:
            self._set("transposition", TRANSPOSITIONS[best])
            self._follow.here[...] = 0
            self._follow.lost[...] = 0
            cells = self._search.here.shape[2]
            self._follow.here[0, :, :cells] = self._search.here[best]
            self._follow.lost[0, :cells] = self._search.lost[best]
            self._follow.tempo[...] = self._search.tempo
            self._follow.scatter(0.01)
            self._set("searching", 0)
        elif sounding_s >= GIVE_UP_S:
            self._set("searching", 0)

    def _stay_near(self, elapsed_s: float) -> None:
        """The window follows the position; after long it is looked for elsewhere."""
        sounding = bool(self._sum.max() > 0)
        lost = float(self._follow.lost.sum()) > 0.5 and sounding
        self._set("lost_s", self._get("lost_s") + elapsed_s if lost else 0.0)
        cells, all_cells = self._follow.here.shape[2], self._grid.cells
        if self._get("lost_s") > LOST_S:
            self._set("lost_s", 0.0)
            self._set("tuning", 0.0)
            if self._given is None:
                self._set("transposition", 0.0)
            if cells < all_cells:
                beyond = self.first + cells >= all_cells
                self._set("first", 0 if beyond else min(self.first + cells // 2, all_cells - cells))
            self._follow.give_up()
        elif cells < all_cells:
            cell = int(np.argmax(self.position))
            if not cells // 4 <= cell < 3 * cells // 4:
                self._move_window(min(max(0, self.first + cell - cells // 2), all_cells - cells))

    def _move_window(self, first: int) -> None:
        by = first - self.first
        if by == 0:
            return
        for array in (self._follow.here, self._follow.lost):
            moved = np.zeros_like(array)
            if by > 0:
                moved[..., :-by] = array[..., by:]
            else:
                moved[..., -by:] = array[..., :by]
            array[...] = moved
        self._follow.look()
        self._set("first", first)

    def tune(self, deviation: float, elapsed_s: float) -> None:
        """The choir was heard so many semitones beside where `offset` has it."""
        tuning = self._get("tuning") + deviation * min(1.0, elapsed_s / TUNING_S)
        self._set("tuning", min(max(tuning, -MOST_TUNING), MOST_TUNING))

    def go_to(self, time_s: float, standing: float = 0.6) -> None:
        """The choir begins there, by command, or has just begun; `standing`: how likely it still waits."""
        cell, cells = self._grid.cell_of(time_s), self._follow.here.shape[2]
        self._set("first", min(max(0, cell - cells // 2), self._grid.cells - cells))
        self._follow.place(cell - self.first, standing, spread_cells=2.0)
        self._set("lost_s", 0.0)
        self._set("searching", 0)

    def transpose(self, semitones: float) -> None:
        """The choir sings so much above the score; how it is tuned is learnt anew."""
        self._set("transposition", semitones)
        self._set("tuning", 0.0)

    def reset(self) -> None:
        """As before any sound."""
        self._sum[...] = 0
        self._numbers[...] = 0
        self._set("searching", float(self._given is None))
        self._set("transposition", self._given or 0.0)
        for belief in (self._follow, self._search):
            belief.tempo[...] = first_tempo()
            belief.place(0, standing=0.9)
            belief.scatter(1 - AWAITING)
        if self._given is None:
            prior = np.full(len(TRANSPOSITIONS), (1 - UNTRANSPOSED) / (len(TRANSPOSITIONS) - 1), np.float32)
            prior[TRANSPOSITIONS.index(0)] = UNTRANSPOSED
            self._search.here *= len(TRANSPOSITIONS) * prior[:, None, None]
            self._search.look()

    def state_dict(self) -> State:
        """Both beliefs, what was heard since the last look, and the numbers."""
        return {
            "numbers": self._numbers.copy(),
            "salience": self._sum.copy(),
            **{
                f"{name}.{kind}": getattr(belief, kind).copy()
                for name, belief in (("follow", self._follow), ("search", self._search))
                for kind in ("here", "lost", "tempo")
            },
        }

    def load_state_dict(self, state: State) -> None:
        """Continues from `state_dict()`.

        Raises:
            ValueError: the state of another score; nothing has changed then.
        """
        require_like(self.state_dict(), state, "score follower")
        numbers = np.asarray(state["numbers"], np.float64)
        first = numbers[self._NAMES.index("first")]
        if not 0 <= first <= self._grid.cells - self._follow.here.shape[2] or first != int(first):
            raise ValueError(f"state 'numbers' names cell {first:g}, which this score does not have")
        self._numbers[...] = numbers
        self._sum[...] = state["salience"]
        for name, belief in (("follow", self._follow), ("search", self._search)):
            for kind in ("here", "lost", "tempo"):
                getattr(belief, kind)[...] = state[f"{name}.{kind}"]
            belief.look()

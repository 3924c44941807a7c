"""A beam's trace: the best hypothesis of now, followed back parent by parent."""

import numpy as np
import pytest

from rtsep.kernels import _core
from rtsep.models.choir.peak_reading import SCORE_PER_E
from rtsep.models.choir.traced_assignment import Trace

VOICES, CAPACITY, STEPS = 2, 6, 80
BEAM, PEAKS = _core.PitchAssignment.SIZE, _core.PitchAssignment.PEAKS


class Beam:
    """An assignment on random peaks, and all that it ever told."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(4)
        self.assignment = _core.PitchAssignment(VOICES, 0.02)
        self.state = [np.zeros((BEAM, VOICES), np.float32) for _ in range(3)]
        self.score = np.full(BEAM, -np.inf, np.float32)
        self.chosen = np.zeros(VOICES, np.int32)
        self.told: list[tuple[np.ndarray, np.ndarray]] = []

    def step(self) -> tuple[np.ndarray, np.ndarray]:
        """Three peaks near three pitches, as likely as not."""
        place, log_odds = np.zeros(PEAKS, np.float32), np.zeros(PEAKS, np.float32)
        place[:3] = np.array([90, 60, 57]) + self.rng.normal(0, 1, 3)
        log_odds[:3] = self.rng.normal(-1, 2, 3)
        self.assignment.step(place, log_odds, 3, *self.state, self.score, self.chosen)
        parent, peaks = np.zeros(BEAM, np.int32), np.zeros((BEAM, VOICES), np.int32)
        self.assignment.trace(parent, peaks)
        self.told.append((parent, peaks))
        return place, log_odds

    def thought(self, step: int, hypothesis: int = 0) -> np.ndarray:
        """What a hypothesis of now, the best one unless said, thinks of a step."""
        for parent, _ in self.told[:step:-1]:
            hypothesis = max(parent[hypothesis], 0)
        return self.told[step][1][hypothesis]


def test_the_best_hypothesis_is_followed_back() -> None:
    beam, trace, at_once, changed = Beam(), Trace(VOICES, CAPACITY), [], 0
    for step in range(STEPS):
        place, log_odds = beam.step()
        trace.take(beam.assignment, place, log_odds)
        at_once.append(beam.chosen.copy())
        first = max(0, step - CAPACITY + 1)
        decided = trace.decided(first)
        for row, of in zip(decided, range(first, step + 1), strict=True):
            np.testing.assert_array_equal(row, beam.thought(of))
        np.testing.assert_array_equal(decided[-1], at_once[step])
        np.testing.assert_array_equal(trace.peaks(step)[0], place)
        changed += not np.array_equal(decided[0], at_once[first])
    assert changed > 5  # later it thinks otherwise


def test_opinions_are_those_of_all_hypotheses_each_once() -> None:
    beam, trace, shared = Beam(), Trace(VOICES, CAPACITY), 0
    for step in range(STEPS):
        trace.take(beam.assignment, *beam.step())
        first = max(0, step - CAPACITY + 3)
        likely = beam.score - np.where(np.arange(BEAM) > 0, beam.rng.uniform(0, 3, BEAM), 0).astype(
            np.float32
        )
        thoughts = [tuple(beam.thought(first, k)) for k in range(BEAM) if np.isfinite(likely[k])]
        opinions, score = trace.opinions(first, likely)
        found = {tuple(row): s for row, s in zip(opinions, score, strict=True) if np.isfinite(s)}
        assert len(found) == np.isfinite(score).sum() == len(set(thoughts))
        np.testing.assert_array_equal(opinions[0], trace.decided(first)[0])
        for thought, said in found.items():
            who = [k for k, other in enumerate(thoughts) if other == thought]
            together = sum(np.exp(likely[k] / SCORE_PER_E) for k in who)
            np.testing.assert_allclose(said, SCORE_PER_E * np.log(together), rtol=1e-4, atol=1e-4)
        others = score[1 : len(found)]
        assert (np.diff(others) <= 0).all()
        shared += len(found) < len(thoughts)
    assert shared > 10


def test_a_step_that_is_held_repeats_the_one_before() -> None:
    beam, trace = Beam(), Trace(VOICES, CAPACITY)
    for _ in range(9):  # more than are kept
        place, log_odds = beam.step()
        trace.take(beam.assignment, place, log_odds)
    before = trace.decided(trace.steps - 3)
    trace.hold()
    after = trace.decided(trace.steps - 4)
    np.testing.assert_array_equal(after[:3], before)
    np.testing.assert_array_equal(after[3], before[2])
    for held, last in zip(trace.peaks(trace.steps - 1), (place, log_odds), strict=True):
        np.testing.assert_array_equal(held, last)


def test_state_resumes_and_reset_forgets() -> None:
    beam, one, other = Beam(), Trace(VOICES, CAPACITY), Trace(VOICES, CAPACITY)
    for _ in range(8):
        one.take(beam.assignment, *beam.step())
    other.load_state_dict(one.state_dict())
    np.testing.assert_array_equal(other.decided(3), one.decided(3))
    with pytest.raises(ValueError, match="outside -1"):
        other.load_state_dict({**one.state_dict(), "parent": np.full((CAPACITY, BEAM), BEAM, np.int32)})
    one.reset()
    fresh = Trace(VOICES, CAPACITY).state_dict()
    for name, value in one.state_dict().items():
        np.testing.assert_array_equal(value, fresh[name])

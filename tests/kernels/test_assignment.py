"""Assignment of pitches to voices: exact parity with its reference, and what its costs mean."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rtsep.kernels import _core, assignments
from rtsep.kernels.assignments import PEAKS, SIZE
from rtsep.kernels.reference import assignment as reference

HOP_S = 0.0213
CLEAR = 5.0
Peaks = list[tuple[float, float]]  # (place, log odds)


class Assigned:
    """An assignment and its state."""

    def __init__(self, module: object, voices: int, free_order: bool = False) -> None:
        self.kernel = module.PitchAssignment(voices, HOP_S, free_order)  # type: ignore[attr-defined]
        shape = (SIZE, voices)
        self.sung = np.full(shape, -1, np.float32)
        self.register_centre, self.observed_s = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        self.score = np.full(SIZE, -np.inf, np.float32)
        self.score[0] = 0
        self.chosen = np.full(voices, -1, np.int32)
        self.parent, self.traced = np.full(SIZE, -1, np.int32), np.full(shape, -1, np.int32)

    def step(self, peaks: Peaks, *known: NDArray[np.float32] | None) -> list[float]:
        """Places of the best hypothesis; `known` are bias and costs of pairs."""
        place, log_odds = np.zeros(PEAKS, np.float32), np.zeros(PEAKS, np.float32)
        for p, (at, odds) in enumerate(sorted(peaks, reverse=True)):
            place[p], log_odds[p] = at, odds
        self.kernel.step(
            place,
            log_odds,
            len(peaks),
            self.sung,
            self.register_centre,
            self.observed_s,
            self.score,
            self.chosen,
            *known,
        )
        self.kernel.trace(self.parent, self.traced)
        return [float(x) for x in self.sung[0]]


class Twins:
    """The kernel and its reference, held together bit by bit."""

    def __init__(self, voices: int, free_order: bool = False) -> None:
        self.kernel, self.twin = (Assigned(module, voices, free_order) for module in (_core, reference))

    def step(self, peaks: Peaks, *known: NDArray[np.float32] | None) -> list[float]:
        best = self.kernel.step(peaks, *known)
        self.twin.step(peaks, *known)
        for name in ("sung", "register_centre", "observed_s", "score", "chosen", "parent", "traced"):
            np.testing.assert_array_equal(getattr(self.kernel, name), getattr(self.twin, name), err_msg=name)
        return best


def test_constants_are_those_of_the_reference() -> None:
    for name, value in _core.PitchAssignment.CONSTANTS.items():
        assert getattr(assignments, name) == pytest.approx(value, rel=1e-6), name


@given(
    st.integers(1, 4),
    st.lists(
        st.lists(st.tuples(st.integers(0, 120), st.integers(-40, 60)), max_size=8), min_size=1, max_size=5
    ),
)
def test_kernel_and_reference_choose_alike(voices: int, hops: list[list[tuple[int, int]]]) -> None:
    twins = Twins(voices)
    for peaks in hops:
        twins.step([(at + 0.1 * (at % 7), odds / 10) for at, odds in {a: (a, o) for a, o in peaks}.values()])


def test_parity_over_a_long_noisy_piece() -> None:
    rng = np.random.default_rng(0)
    twins = Twins(4)
    chord = np.array([90.0, 75.0, 60.0, 40.0])
    for hop in range(150):
        if hop % 30 == 0:
            chord = np.sort(rng.uniform(20, 110, 4))[::-1]
        sung = [(float(c + 0.3 * rng.standard_normal()), float(2 + 2 * rng.standard_normal())) for c in chord]
        twins.step(sung + [(float(rng.uniform(0, 120)), float(-2 + rng.standard_normal())) for _ in range(3)])


@pytest.mark.parametrize("free_order", [False, True])
def test_parity_with_a_bias_and_shared_peaks(free_order: bool) -> None:
    rng = np.random.default_rng(1)
    twins = Twins(3, free_order)
    for _ in range(25):
        bias = rng.normal(0, 3, (3, PEAKS + 1)).astype(np.float32)
        bias[0, 2] = np.nan
        cost = rng.choice([0.0, 1.5, np.inf], (3, 3)).astype(np.float32)
        peaks = [(float(at), float(rng.normal(1, 2))) for at in rng.choice(120, 4, replace=False)]
        twins.step(peaks, bias, cost if free_order else None)


def test_a_bias_says_who_sings_and_in_free_order_voices_cross() -> None:
    assigned, bias = Assigned(_core, 2, free_order=True), np.zeros((2, PEAKS + 1), np.float32)
    bias[0, 1] = bias[1, 2] = -8.0  # not the upper peak for the first voice, nor the lower for the second
    for _ in range(10):
        best = assigned.step([(80.0, CLEAR), (60.0, CLEAR)], bias)
    assert best == [60.0, 80.0]
    bias[...] = 0
    bias[0, 0] = 20.0
    assert assigned.step([(80.0, CLEAR), (60.0, CLEAR)], bias)[0] == -1.0


def test_crossing_costs_what_is_said() -> None:
    assigned, bias = Assigned(_core, 2, free_order=True), np.zeros((2, PEAKS + 1), np.float32)
    bias[0, 1] = bias[1, 2] = -8.0
    cost = np.array([[0.0, 50.0], [50.0, 0.0]], np.float32)
    assert assigned.step([(80.0, CLEAR), (60.0, CLEAR)], bias, cost) != [60.0, 80.0]
    cost[1, 0] = 1.0
    for _ in range(10):
        best = assigned.step([(80.0, CLEAR), (60.0, CLEAR)], bias, cost)
    assert best == [60.0, 80.0]


def test_two_voices_share_a_peak_where_that_costs_nothing() -> None:
    peaks, cost = [(60.0, CLEAR)], np.zeros((2, 2), np.float32)
    assert Assigned(_core, 2, free_order=True).step(peaks, None, cost) == [60.0, 60.0]
    cost[0, 1] = 50.0
    assert sorted(Assigned(_core, 2, free_order=True).step(peaks, None, cost)) == [-1.0, 60.0]
    assert sorted(Assigned(_core, 2, free_order=True).step(peaks)) == [-1.0, 60.0]
    with pytest.raises(ValueError, match="free order"):
        Assigned(_core, 2).step(peaks, None, cost)


def test_all_voices_change_their_notes_in_one_hop() -> None:
    assigned = Assigned(_core, 4)
    first, second = [90.0, 75.0, 60.0, 40.0], [97.0, 80.0, 55.0, 28.0]
    for _ in range(10):
        assert assigned.step([(p, CLEAR) for p in first]) == first
    assert assigned.step([(p, CLEAR) for p in second]) == second


def test_who_rests_keeps_the_place_and_comes_back_to_it() -> None:
    assigned = Assigned(_core, 3)
    for _ in range(20):
        assigned.step([(90.0, CLEAR), (70.0, CLEAR), (50.0, CLEAR)])
    for _ in range(20):
        assert assigned.step([(90.0, CLEAR), (50.0, CLEAR)]) == [90.0, -1.0, 50.0]
    assert assigned.step([(90.0, CLEAR), (72.0, CLEAR), (50.0, CLEAR)]) == [90.0, 72.0, 50.0]


def test_after_a_rest_of_all_a_voice_comes_back_to_its_register() -> None:
    """The lower of two has sung alone at 40 for long: a new pitch there is hers."""
    assigned = Assigned(_core, 2)
    for _ in range(200):
        assigned.step([(100.0, CLEAR), (40.0, CLEAR)])
    for _ in range(100):
        assert assigned.step([]) == [-1.0, -1.0]
    assert assigned.step([(45.0, CLEAR)]) == [-1.0, 45.0]


def test_one_doubtful_hop_does_not_move_a_voice() -> None:
    assigned = Assigned(_core, 1)
    for _ in range(10):
        assigned.step([(60.0, CLEAR)])
    assert assigned.step([(60.0, 0.0), (90.0, 1.0)]) == [60.0]
    assert assigned.step([(60.0, CLEAR)]) == [60.0]


def test_unlikely_pitches_are_not_sung() -> None:
    assert Assigned(_core, 2).step([(60.0, -2.5), (80.0, -3.0)]) == [-1.0, -1.0]


def test_parents_lead_back_to_what_was_chosen_then() -> None:
    """Where nothing later speaks against a hop's decision, the trace ends at it."""
    assigned = Assigned(_core, 2)
    steps = []
    for at in (60.0, 60.0, 64.0, 64.0, 64.0):
        assigned.step([(at, CLEAR), (40.0, CLEAR)])
        steps.append((assigned.parent.copy(), assigned.traced.copy(), assigned.chosen.copy()))
    hypothesis = 0
    for parent, peaks, chosen in reversed(steps):
        np.testing.assert_array_equal(peaks[hypothesis], chosen)
        hypothesis = parent[hypothesis]
    assert hypothesis == 0


def test_a_later_decision_knows_better() -> None:
    """One hop of a louder false pitch is chosen at once, and not with what follows in mind."""
    assigned = Assigned(_core, 1)
    steps, places = [], []
    for peaks in [[(60.0, 1.0)]] * 3 + [[(60.0, 0.3), (90.0, 4.0)]] + [[(60.0, 3.0)]] * 6:
        places.append(assigned.step(peaks)[0])
        steps.append((assigned.parent.copy(), assigned.traced.copy()))
    assert places[3] == 90.0
    hypothesis = 0
    for hop in range(len(steps) - 1, 3, -1):
        hypothesis = steps[hop][0][hypothesis]
    assert steps[3][1][hypothesis].tolist() == [1]  # peaks come highest first


def test_nan_does_not_count() -> None:
    twins = Twins(2)
    twins.step([(60.0, CLEAR)])
    best = twins.step([(60.0, CLEAR), (80.0, float("nan"))])
    assert 60.0 in best
    assert np.isfinite(twins.kernel.score[0])


def test_a_lost_beam_starts_again_from_silence() -> None:
    twins = Twins(2)
    for one in (twins.kernel, twins.twin):
        one.score[...] = -np.inf
    assert twins.step([(60.0, CLEAR), (40.0, CLEAR)]) == [60.0, 40.0]


@pytest.mark.parametrize("voices", [0, 5])
def test_refuses_other_numbers_of_voices(voices: int) -> None:
    with pytest.raises(ValueError, match="voices"):
        _core.PitchAssignment(voices, HOP_S)


def test_refuses_wrong_shapes() -> None:
    assigned = Assigned(_core, 2)
    assigned.chosen = np.zeros(3, np.int32)
    with pytest.raises(ValueError, match=r"chosen has shape \[3\], expected \[2\]"):
        assigned.step([(60.0, CLEAR)])

"""What a score says about who sings which pitch."""

import numpy as np
import pytest

from rtsep.kernels import _core
from rtsep.kernels.errors import InputRefused
from rtsep.models.choir.score.prior import ScorePrior
from rtsep.models.choir.score.score import Score
from rtsep.models.choir.score.score_grid import FIRST_CANDIDATE_MIDI, SEMITONES_PER_CANDIDATE, ScoreGrid

# They cross at 2 s, meet at 4 s; the second rests from 6 s on.
SCORE = Score(
    ("a", "b"),
    (((0, 2, 72), (2, 4, 60), (4, 6, 65), (6, 8, 72)), ((0, 2, 60), (2, 4, 72), (4, 6, 65))),
    ((0.0, 1, 1.0), (2.0, 2, 1.0), (4.0, 3, 1.0), (6.0, 4, 1.0)),
)


def known_at(time_s: float, sure: float = 1.0) -> ScorePrior:
    grid = ScoreGrid(SCORE)
    prior, position = ScorePrior(grid, 2), np.zeros(grid.cells, np.float32)
    position[grid.cell_of(time_s)] = sure
    prior.know(position, 0)
    place = np.zeros(_core.PitchAssignment.PEAKS, np.float32)
    place[:2] = (np.array([72.0, 60.0]) - FIRST_CANDIDATE_MIDI) / SEMITONES_PER_CANDIDATE
    prior.hear(place, 2, 0.0)
    return prior


def test_each_part_has_its_own_notes_also_where_they_cross() -> None:
    before, after = known_at(1.0).bias, known_at(3.0).bias
    np.testing.assert_allclose(before[:, 1:3], [[0, -9], [-9, 0]], atol=0.01)
    np.testing.assert_allclose(after[:, 1:3], [[-9, 0], [0, -9]], atol=0.01)
    assert known_at(1.0).pair_cost[1, 0] == pytest.approx(20.0, abs=0.1)
    assert known_at(3.0).pair_cost[1, 0] == pytest.approx(0.0)


def test_a_unison_is_shared_and_a_rest_is_silent() -> None:
    assert known_at(5.0).pair_cost[0, 1] == pytest.approx(0.0)
    assert known_at(1.0).pair_cost[0, 1] > 8
    assert known_at(7.0).bias[1, 0] == pytest.approx(0.0)
    assert known_at(7.0).bias[0, 0] < -1.5
    assert known_at(7.0).bias[1, 1] < -8


def test_who_does_not_know_says_nothing() -> None:
    np.testing.assert_allclose(known_at(1.0, sure=0.0).bias, 0.0, atol=0.2)
    assert (known_at(1.0, sure=0.5).bias[:, :3] > -0.8).all()


def test_bars_and_beats() -> None:
    assert SCORE.bar_and_beat(3.0) == (2, 1.5)
    assert SCORE.time_of_bar(3) == 4.0
    assert SCORE.nearest_bar(99.0) == 4
    assert Score.from_dict(SCORE.as_dict()) == SCORE
    with pytest.raises(InputRefused, match="no bar 9; choose 1 to 4"):
        SCORE.time_of_bar(9)

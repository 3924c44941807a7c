"""Following a score: through changes of tempo, late and displaced beginnings, and when it is lost."""

import numpy as np
import pytest
from helpers.followed_score import HOP_S, NOTES, chords, follow, follower_of, walk
from numpy.typing import NDArray

from rtsep.models.choir.score.score_grid import ScoreGrid


@pytest.mark.parametrize(
    ("places_s", "settled_s"),
    [
        (walk(16.0), 3.0),
        (walk(16.0, 0.85), 3.0),
        (walk(16.0, 1.15), 3.0),
        (np.concatenate([np.full(200, -1.0), walk(12.0)]), 7.0),
        (walk(12.0, start_s=14.0), 5.0),
        (np.concatenate([walk(6.4), np.full(120, 6.39), walk(6.0, start_s=6.4)]), 3.0),
        (np.concatenate([walk(8.0), walk(10.0)]), 13.0),
        (np.cumsum(HOP_S * (1.0 + 0.25 * np.sin(np.arange(800) * HOP_S))), 3.0),
    ],
    ids=["strict", "slow", "fast", "late", "middle", "fermata", "repeat", "rubato"],
)
def test_it_is_where_the_choir_is(places_s: NDArray[np.float64], settled_s: float) -> None:
    follower = follower_of()
    errors = np.abs(follow(follower, NOTES, places_s))[round(settled_s / HOP_S) :]
    assert np.median(errors) < 0.2
    assert follower.confidence > 0.9


def test_some_wrong_notes_do_not_throw_it_off() -> None:
    sung, rng = NOTES.copy(), np.random.default_rng(4)
    for chord in rng.choice(20, 6, replace=False):
        sung[chord, rng.integers(3)] += rng.choice([-4.0, 5.0])
    errors = np.abs(follow(follower_of(), sung, walk(16.0)))[140:]
    assert np.median(errors) < 0.25


def test_another_piece_leaves_it_lost_and_its_own_brings_it_back() -> None:
    follower = follower_of()
    follow(follower, chords(77), walk(12.0))
    assert follower.confidence < 0.3
    errors = np.abs(follow(follower, NOTES, walk(14.0, start_s=6.0)))
    assert follower.confidence > 0.9
    assert np.median(errors[-200:]) < 0.2


def test_a_transposition_is_found_by_listening() -> None:
    follower = follower_of(transpose=None)
    follow(follower, NOTES - 2.0, walk(10.0))
    assert follower.transposition == -2.0
    assert follower.confidence > 0.9


def test_it_goes_where_it_is_told_to() -> None:
    follower = follower_of()
    follower.go_to(20.0)
    assert abs(ScoreGrid.time_of(follower.cell) - 20.0) < 0.1
    errors = np.abs(follow(follower, NOTES, walk(4.0, start_s=20.0)))
    assert np.median(errors) < 0.2


def test_it_goes_on_from_its_state_exactly_and_a_skip_is_time() -> None:
    one, other = follower_of(transpose=None), follower_of(transpose=None)
    follow(one, NOTES, walk(4.0))
    other.load_state_dict(one.state_dict())
    for follower in (one, other):
        for _ in range(20):
            follower.skip()
        follow(follower, NOTES, walk(3.0, start_s=4.0 + 20 * HOP_S))
    for name, value in one.state_dict().items():
        np.testing.assert_array_equal(value, other.state_dict()[name], err_msg=name)
    one.reset()
    np.testing.assert_array_equal(
        one.state_dict()["follow.here"], follower_of(transpose=None).state_dict()["follow.here"]
    )
    with pytest.raises(ValueError, match="score follower"):
        follower_of(chords(2, 10)).load_state_dict(other.state_dict())

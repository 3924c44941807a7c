"""A piece that is heard as a whole, aligned with its score: jumps and silence where they are, any window."""

import numpy as np
import pytest
from helpers.followed_score import (
    CHORD_S,
    HOP_S,
    NOTES,
    chords,
    follow,
    follower_of,
    salience,
    score_of,
    walk,
)
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.models.choir.pitch_grid import CANDIDATES
from rtsep.models.choir.score import alignment as module
from rtsep.models.choir.score import follower as follower_module
from rtsep.models.choir.score.alignment import Alignment
from rtsep.models.choir.score.score_grid import ScoreGrid

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]


class Kept:
    """Rows in memory."""

    def __init__(self, numbers: int) -> None:
        self.rows = np.zeros((4000, numbers), np.float32)

    def write(self, row: int, rows: F32) -> None:
        self.rows[row : row + len(rows)] = rows

    def read(self, row: int, count: int) -> F32:
        return self.rows[row : row + count].copy()


def heard(notes: F64, places_s: F64) -> Kept:
    rng, kept = np.random.default_rng(9), Kept(2 * CANDIDATES)
    for step, place in enumerate(places_s):
        sounding = 0 <= place < len(notes) * CHORD_S
        kept.rows[step, :CANDIDATES] = salience(notes[int(place / CHORD_S)] if sounding else None, rng)
    return kept


def align(notes: F64, places_s: F64, transpose: float | None = 0.0, sung: F64 | None = None) -> Alignment:
    sound = heard(notes if sung is None else sung, places_s)
    return Alignment(score_of(notes, transpose), HOP_S, sound, len(places_s), Kept)


def errors(aligned: Alignment, places_s: F64) -> F64:
    found = [ScoreGrid.time_of(aligned.cell(step)[0]) for step in range(len(places_s))]
    return np.abs(np.array(found) - places_s)


@pytest.mark.parametrize(
    "places_s",
    [
        walk(12.0, 1.15),
        walk(12.0, start_s=14.0),
        np.concatenate([walk(6.4), np.full(120, 6.39), walk(6.0, start_s=6.4)]),
        np.concatenate([walk(8.0), walk(10.0)]),
        np.cumsum(HOP_S * (1.0 + 0.25 * np.sin(np.arange(600) * HOP_S))),
    ],
    ids=["fast", "middle", "fermata", "repeat", "rubato"],
)
def test_it_is_known_from_the_first_moment_and_across_jumps(places_s: F64) -> None:
    """Live, a start in the middle and a repeat are found after seconds; here all but a tenth is right."""
    aligned = align(NOTES, places_s)
    wrong = errors(aligned, places_s)
    assert np.median(wrong) < 0.1
    assert np.percentile(wrong, 90) < 0.35
    live = np.abs(follow(follower_of(), NOTES, places_s))
    assert np.percentile(wrong, 90) <= np.percentile(live, 90)


def test_another_piece_is_not_this_one() -> None:
    """A whole other piece tells nothing, and one in the middle nothing while it lasts."""
    other = align(NOTES, walk(12.0), sung=chords(77))
    assert np.mean([other.cell(step)[1] for step in range(500)]) < 0.2
    rng = np.random.default_rng(2)
    sound = heard(NOTES, walk(20.0))
    for step in range(300, 600):
        sound.rows[step, :CANDIDATES] = salience(chords(78)[int((step - 300) * HOP_S / CHORD_S)], rng)
    mixed = Alignment(score_of(NOTES), HOP_S, sound, 900, Kept)
    sure = np.array([mixed.cell(step)[1] for step in range(900)])
    assert sure[:250].mean() > 0.9
    assert sure[380:520].mean() < 0.3
    assert sure[650:].mean() > 0.9


def test_a_transposition_is_in_force_from_the_first_moment() -> None:
    aligned = align(NOTES, walk(10.0), None, NOTES - 2.0)
    assert aligned.transposition == -2.0
    assert np.median(errors(aligned, walk(10.0))[:100]) < 0.15


def test_a_window_that_moves_along_a_long_score_changes_little(monkeypatch: pytest.MonkeyPatch) -> None:
    places_s = walk(24.0)
    expected = errors(align(NOTES, places_s), places_s)
    monkeypatch.setattr(follower_module, "WINDOW_CELLS", 240)
    monkeypatch.setattr(module, "SEGMENT", 50)
    found = errors(align(NOTES, places_s), places_s)
    assert np.median(found) < 0.1
    np.testing.assert_allclose(found[100:-100], expected[100:-100], atol=0.3)


def test_segments_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    places_s = walk(9.0)
    one = align(NOTES, places_s)
    monkeypatch.setattr(module, "SEGMENT", 37)
    other = align(NOTES, places_s)
    for step in range(len(places_s)):
        assert one.cell(step) == pytest.approx(other.cell(step), abs=1e-3)


def test_it_tells_the_assignment_what_is_written() -> None:
    aligned = align(NOTES, walk(8.0))
    place = np.zeros(8, np.float32)
    at = round(4.3 / HOP_S)  # in the middle of a chord
    written = NOTES[int(4.3 / CHORD_S)]
    place[:3] = (written - 35.4) / 0.4
    bias, pairs = aligned.tell(at, place, 3)
    assert bias.shape == (3, 9)
    assert (np.diag(bias[:, 1:4]) > -1.0).all()
    assert pairs.shape == (3, 3)
    np.testing.assert_array_equal(bias, aligned.bias)


def test_it_tells_until_the_score_ends() -> None:
    aligned = align(NOTES[:8], walk(8 * CHORD_S + 1.0))
    for step in range(round((8 * CHORD_S + 1.0) / HOP_S)):
        assert np.isfinite(aligned.tell(step, np.zeros(8, np.float32), 0)[0]).all()


@pytest.mark.parametrize("first", [5, 8, 2, 14, 40])
def test_a_moved_window_says_of_each_cell_what_it_said(first: int) -> None:
    """Cells 5 to 14, moved either way and far away; of cells that it did not hold it says the mean."""
    said = np.random.default_rng(0).random((2, 10)).astype(np.float32)
    moved = said.copy()
    assert module._move((moved,), 5, first) == first
    for at, cell in enumerate(range(first, first + 10)):
        expected = said[:, cell - 5] if 5 <= cell < 15 else said.mean()
        np.testing.assert_allclose(moved[:, at], expected, rtol=1e-6)


def test_back_in_time_goes_the_very_steps_that_went_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step backward has the tempos, moves and likelihoods with which that step went forward."""
    steps: list[tuple[str, list[F32]]] = []

    def spy(name: str, used: tuple[int, ...]) -> None:
        step = getattr(_core, name)

        def record(*arguments: F32) -> bool:
            steps.append((name, [np.array(arguments[at], np.float32).reshape(-1) for at in used]))
            return bool(step(*arguments))

        monkeypatch.setattr(_core, name, record)

    # tempo, cells, rates, likelihood, unknown
    spy("belief_forward", (3, 4, 5, 6, 7))
    spy("belief_backward", (3, 4, 5, 6, 7))
    align(NOTES, np.concatenate([walk(6.0, 0.8), walk(6.0, 1.25, 4.8)]))
    forward: list[list[F32]] = []
    compared, tempos = 0, []
    for name, used in steps:
        if name == "belief_forward":
            forward.append(used)
            continue
        for back, there in zip(used, forward.pop(), strict=True):
            np.testing.assert_array_equal(back, there)
        compared += 1
        tempos.append(used[0])
    assert compared > 500
    assert (np.abs(np.diff(tempos, axis=0)).max(axis=1) > 0).mean() > 0.9  # another step's would be seen

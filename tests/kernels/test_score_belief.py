"""The step of the belief about the place in a score: kernel and reference, both directions, sums."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtsep.kernels import _core
from rtsep.kernels.reference import score_belief as reference

F32 = np.ndarray
RATES = np.array([0.99, 0.9, 0.98, 0.8, 0.95, 0.7], np.float32)


def draw(seed: int, layers: int, tempos: int, cells: int) -> tuple[F32, F32, F32, F32, F32, F32]:
    """here, lost, tempo, step, likelihood, unknown."""
    rng = np.random.default_rng(seed)
    here = rng.random((layers, tempos, cells), np.float32)
    lost = rng.random((layers, cells), np.float32)
    total = here.sum() + lost.sum()
    tempo = np.concatenate([[0], rng.dirichlet(np.ones(tempos - 1))]).astype(np.float32)
    step = np.concatenate([[0], rng.uniform(0, 3, tempos - 1)]).astype(np.float32)
    likelihood, unknown = rng.random((layers, cells), np.float32), rng.random(layers, np.float32)
    return here / total, lost / total, tempo, step, likelihood, unknown


@given(st.integers(0, 9999), st.integers(1, 3), st.integers(2, 6), st.integers(1, 40))
def test_kernels_are_their_references(seed: int, layers: int, tempos: int, cells: int) -> None:
    here, lost, tempo, step, likelihood, unknown = draw(seed, layers, tempos, cells)
    results = []
    for maker in (_core, reference):
        state, gone, scratch = here.copy(), lost.copy(), np.empty_like(here)
        rows, position = np.empty((layers, tempos), np.float32), np.empty(cells, np.float32)
        assert maker.belief_forward(
            state, gone, scratch, tempo, step, RATES, likelihood, unknown, rows, position
        )
        later, after = here[:1].copy(), lost[:1].copy()
        assert maker.belief_backward(
            later, after, scratch[:1].copy(), tempo, step, RATES, likelihood[:1], float(unknown[0])
        )
        results.append((state, gone, rows, position, later, after))
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-7)


def test_nothing_is_lost_on_the_way() -> None:
    """Where all is equally likely, the sum stays; the sums of rows and the position tell of the same."""
    here, lost, tempo, step, likelihood, unknown = draw(3, 2, 5, 30)
    likelihood[...] = unknown[...] = 1
    before = here.sum() + lost.sum()
    rows, position = np.empty((2, 5), np.float32), np.empty(30, np.float32)
    _core.belief_forward(
        here, lost, np.empty_like(here), tempo, step, RATES, likelihood, unknown, rows, position
    )
    assert here.sum() + lost.sum() == pytest.approx(before, rel=1e-5)
    np.testing.assert_allclose(rows, here.sum(axis=2), rtol=1e-5)
    np.testing.assert_allclose(position, here[0].sum(axis=0), rtol=1e-5)


def test_both_directions_give_one_likelihood() -> None:
    """What a moment is believed to be times what is heard after it is the same wherever it is cut."""
    here, lost, tempo, step, *_ = draw(7, 1, 4, 25)
    rng = np.random.default_rng(1)
    heard = [(rng.random((1, 25), np.float32), rng.random(1, np.float32)) for _ in range(12)]
    rows, position = np.empty((1, 4), np.float32), np.empty(25, np.float32)
    forward = [(here.copy(), lost.copy())]
    for likelihood, unknown in heard:
        _core.belief_forward(
            here, lost, np.empty_like(here), tempo, step, RATES, likelihood, unknown, rows, position
        )
        forward.append((here.copy(), lost.copy()))
    later, after = np.ones_like(here), np.ones_like(lost)
    for (likelihood, unknown), (now, gone) in zip(heard[::-1], forward[-2::-1], strict=True):
        one, two = later * likelihood[:, None], after * unknown
        _core.belief_backward(
            later, after, np.empty_like(here), tempo, step, RATES, likelihood, float(unknown[0])
        )
        # the forward step by itself, unscaled, against the scaled backward one: a constant ratio of states
        moved, left = now.copy(), gone.copy()
        flat, sure = np.ones_like(likelihood), np.ones(1, np.float32)
        _core.belief_forward(moved, left, np.empty_like(here), tempo, step, RATES, flat, sure, rows, position)
        ahead = float((moved * one).sum() + (left * two).sum())
        behind = float((now * later).sum() + (gone * after).sum())
        most = float(np.max(_unscaled(one, two, tempo, step)))
        assert behind * most == pytest.approx(ahead, rel=1e-4)


def _unscaled(here: F32, lost: F32, tempo: F32, step: F32) -> F32:
    """Every state's likelihood by moving each one forward by itself."""
    found = []
    for layer_tempo in range(here.shape[1] + 1):
        for cell in range(here.shape[2]):
            moved, left = np.zeros_like(here), np.zeros_like(lost)
            (left if layer_tempo == here.shape[1] else moved[:, layer_tempo])[0, cell] = 1
            rows, position = np.empty((1, here.shape[1]), np.float32), np.empty(here.shape[2], np.float32)
            _core.belief_forward(
                moved, left, np.empty_like(here), tempo, step, RATES,
                np.ones_like(lost), np.ones(1, np.float32), rows, position,
            )  # fmt: skip
            found.append((moved * here).sum() + (left * lost).sum())
    return np.array(found)


def test_the_impossible_is_told() -> None:
    here, lost, tempo, step, likelihood, unknown = draw(5, 1, 4, 10)
    rows, position = np.empty((1, 4), np.float32), np.empty(10, np.float32)
    nothing, none = np.zeros_like(likelihood), np.zeros_like(unknown)
    for maker in (_core, reference):
        scratch = np.empty_like(here)
        assert not maker.belief_backward(here.copy(), lost.copy(), scratch, tempo, step, RATES, nothing, 0.0)
        assert not maker.belief_forward(
            here.copy(), lost.copy(), scratch, tempo, step, RATES, nothing, none, rows, position
        )


def test_wrong_sizes_are_named() -> None:
    here, lost, tempo, step, likelihood, unknown = draw(5, 1, 4, 10)
    rows, position = np.empty((1, 4), np.float32), np.empty(10, np.float32)
    with pytest.raises(ValueError, match=r"tempo has shape \[3\], expected \[4\]"):
        _core.belief_forward(
            here, lost, here.copy(), tempo[:3].copy(), step, RATES, likelihood, unknown, rows, position
        )

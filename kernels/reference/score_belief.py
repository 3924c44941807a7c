"""NumPy reference of kernels/src/score_belief.cpp: a step of the belief about the place in a score."""

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

LEAST = 1e-30  # of what is believed in all: less is impossible


def _change(tempo: F32, rates: F32) -> F32:
    """Shares [to, from] of the tempos that change into each other; 0 is the standstill."""
    _, _, walking, standing, even, _ = rates
    count = len(tempo)
    change = np.zeros((count, count), np.float32)
    for row in range(1, count):
        change[row, row] = walking * even
        for to in (max(1, row - 1), min(count - 1, row + 1)):
            change[to, row] += walking * (1 - even) / 2
    change[0, 1:] = 1 - walking
    change[0, 0] = standing
    change[1:, 0] = (1 - standing) * tempo[1:]
    return change


def _moves(step: F32, cells: int) -> list[tuple[int, np.float32]]:
    """Of each tempo: whole cells, and the share that goes one further; the standstill does not move."""
    return [
        (min(int(s), cells - 1), np.float32(s - int(s))) if row else (0, np.float32(0))
        for row, s in enumerate(step)
    ]


def belief_forward(
    here: F32,
    lost: F32,
    scratch: F32,
    tempo: F32,
    step: F32,
    rates: F32,
    likelihood: F32,
    unknown: F32,
    rows: F32,
    position: F32,
) -> bool:
    """Moves on, then weighs by what was heard, and makes the sum 1.

    Args:
        here: [layers, tempos, cells], changed: probabilities; lost: [layers, cells], changed.
        scratch: as here, overwritten.
        tempo: [tempos], of those that begin to walk or come back.
        step: [tempos], cells that each moves; that of the standstill, the first, is not looked at.
        rates: [6], shares that stay found, stay lost, go on walking, go on standing, keep their tempo; and of
            those that come back, how many where they were lost.
        likelihood: [layers, cells], unknown: [layers], of what was heard: at each cell, and lost.
        rows: [layers, tempos], written: the sums of here over cells.
        position: [cells], written: that of layer 0 over tempos.

    Returns:
        False where all is impossible; what the arrays hold means nothing then.
    """
    staying, missing, *_, home = rates
    cells = here.shape[2]
    back = (1 - missing) * lost
    arriving = home * back + (1 - home) * back.sum(axis=1, keepdims=True) / cells
    scratch[...] = np.matmul(staying * _change(tempo, rates), here)
    scratch[:, 1:] += tempo[None, 1:, None] * arriving[:, None, :]
    lost[...] = (missing * lost + (1 - staying) * here.sum(axis=1)) * unknown[:, None]
    for row, (whole, part) in enumerate(_moves(step, cells)):
        old, new = scratch[:, row], here[:, row]
        new[...] = 0
        new[:, whole:] = (1 - part) * old[:, : cells - whole]
        new[:, whole + 1 :] += part * old[:, : cells - whole - 1]
        # what passes the end stays in the last cell
        new[:, -1] += old[:, cells - whole :].sum(axis=1) + part * old[:, cells - whole - 1]
    here *= likelihood[:, None, :]
    total = here.sum(dtype=np.float64) + lost.sum(dtype=np.float64)
    if not total > LEAST:
        return False
    here /= np.float32(total)
    lost /= np.float32(total)
    rows[...] = here.sum(axis=2)
    position[...] = here[0].sum(axis=0)
    return True


def belief_backward(
    here: F32, lost: F32, scratch: F32, tempo: F32, step: F32, rates: F32, likelihood: F32, unknown: float
) -> bool:
    """The transpose: from how likely what is heard later is, to the moment before.

    Args:
        here: [1, tempos, cells], changed: the likelihood, from each state, of what is heard after a moment;
            then that of what is heard after the moment before it, the largest of all being 1.
        lost: [1, cells], likewise.
        likelihood, unknown: of what was heard at the moment itself, [1, cells] and one number.
        scratch, tempo, step, rates: as of `belief_forward`.

    Returns:
        False where all is impossible; what the arrays hold means nothing then.
    """
    staying, missing, *_, home = rates
    cells = here.shape[2]
    here *= likelihood[:, None, :]
    lost *= np.float32(unknown)
    at = np.arange(cells)
    for row, (whole, part) in enumerate(_moves(step, cells)):
        one, two = np.minimum(at + whole, cells - 1), np.minimum(at + whole + 1, cells - 1)
        scratch[0, row] = (1 - part) * here[0, row, one] + part * here[0, row, two]
    mean = tempo[1:] @ scratch[0, 1:]
    here[0] = staying * (_change(tempo, rates).T @ scratch[0]) + (1 - staying) * lost
    lost[0] = missing * lost[0] + (1 - missing) * (home * mean + (1 - home) * mean.mean())
    most = max(float(here.max()), float(lost.max()))
    if not most > LEAST:
        return False
    here /= np.float32(most)
    lost /= np.float32(most)
    return True

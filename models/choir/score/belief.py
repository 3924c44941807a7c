"""Where in the score a choir may be: probabilities over position and tempo, moved on and weighed hop by hop.

The forward algorithm of a hidden Markov model whose states are (tempo, cell of the score), one tempo being a
standstill (a fermata, the wait before the start), and "lost": nothing that sounds is written anywhere near.
"""

import numpy as np
from numpy.typing import NDArray

from rtsep.models.choir.score.score_grid import CELL_S

F32 = NDArray[np.float32]

# Of the written tempo: an eighth apart, from a rehearsal at two fifths to two and a half times.
TEMPOS: F32 = np.concatenate([[0.0], np.exp(np.linspace(np.log(0.4), np.log(2.5), 16))]).astype(np.float32)
STANDING = 0
# Spread of the logarithm of the tempo before anything is heard: scores often name no tempo, or another.
TEMPO_SPREAD = 0.35
# Changes a second: to a neighbouring tempo, into and out of a standstill, into and out of being lost.
TEMPO_CHANGES, STANDS, STARTS = 1.0, 0.15, 1.0
LOSSES, RETURNS = 0.05, 0.3
HOME = 0.8  # of those that come back, how many where they were lost; the others anywhere: a jump, a repeat
TEMPO_MEMORY_S = 5.0  # after a standstill the tempo is that of the last seconds
LEAST = 1e-30


class Belief:
    """Probabilities of `layers` alternatives (transpositions), each over tempos and `cells` of the score.

    Attributes:
        here: float32 [layers, tempos, cells]; with `lost` it sums to 1.
        lost: float32 [layers, cells]: lost, and last at this cell.
        tempo: float32 [tempos]: of the last seconds, 0 for the standstill.
    """

    def __init__(self, layers: int, cells: int) -> None:
        self.here = np.zeros((layers, len(TEMPOS), cells), np.float32)
        self._next = np.zeros_like(self.here)
        self.lost = np.zeros((layers, cells), np.float32)
        self.tempo = first_tempo()

    def move(self, elapsed_s: float) -> None:
        """Time passes."""
        kept = np.exp(-elapsed_s * np.array([LOSSES, RETURNS, STANDS, STARTS, TEMPO_CHANGES]))
        staying, missing, walking, standing, even = kept.astype(np.float32)
        change = np.zeros((len(TEMPOS), len(TEMPOS)), np.float32)  # [to, from]
        count = len(TEMPOS)
        for row in range(1, count):
            change[row, row] = walking * even
            for to in (max(1, row - 1), min(count - 1, row + 1)):
                change[to, row] += walking * (1 - even) / 2
        change[STANDING, 1:] = 1 - walking
        change[STANDING, STANDING] = standing
        change[1:, STANDING] = (1 - standing) * self.tempo[1:]
        np.matmul(staying * change, self.here, out=self._next)
        lost = self.lost
        back = (1 - missing) * lost
        leaving = (1 - staying) * self.here.sum(axis=1)
        np.multiply(lost, missing, out=lost)
        lost += leaving
        anywhere = (1 - HOME) * back.sum(axis=1, keepdims=True) / back.shape[1]
        arriving = HOME * back + anywhere
        self._next += self.tempo[None, :, None] * arriving[:, None, :]
        self._shift(elapsed_s)

    def _shift(self, elapsed_s: float) -> None:
        """Every tempo row moves by its own share of cells; what passes the end stays in the last cell."""
        cells = self.here.shape[2]
        self.here[:, STANDING] = self._next[:, STANDING]
        for row in range(1, len(TEMPOS)):
            steps = float(TEMPOS[row]) * elapsed_s / CELL_S
            whole = min(int(steps), cells - 1)
            part = np.float32(steps - int(steps))
            old, new = self._next[:, row], self.here[:, row]
            new[:, :whole] = 0
            np.multiply(old[:, : cells - whole], 1 - part, out=new[:, whole:])
            new[:, whole + 1 :] += part * old[:, : cells - whole - 1]
            left = old[:, cells - whole :].sum(axis=1) + part * old[:, cells - whole - 1]
            new[:, -1] += left

    def weigh(self, likelihood: F32, unknown: F32) -> None:
        """What was heard: likelihood [layers, cells] of each cell, and [layers] of being lost."""
        self.here *= likelihood[:, None, :]
        self.lost *= unknown[:, None]
        total = float(self.here.sum() + self.lost.sum())
        if not total > LEAST:  # all that was believed is impossible
            self.lost[...] = 1.0 / self.lost.size
            self.here[...] = 0
            return
        self.here /= total
        self.lost /= total

    def remember_tempo(self, elapsed_s: float) -> None:
        """Of what moves; `tempo` follows within seconds."""
        rows = self.here.sum(axis=(0, 2))
        moving = float(rows[1:].sum())
        if moving > LEAST:
            share = np.float32(1.0 - np.exp(-elapsed_s * moving / TEMPO_MEMORY_S))
            self.tempo[1:] += share * (rows[1:] / np.float32(moving) - self.tempo[1:])

    def place(self, cell: int, standing: float, spread_cells: float = 1.0) -> None:
        """All in one place, alike in all layers; `standing` is the share that waits there."""
        distance = (np.arange(self.here.shape[2]) - cell) / spread_cells
        near = np.exp(-0.5 * distance * distance)
        near /= near.sum() * len(self.here)
        self.here[...] = (1 - standing) * self.tempo[None, :, None] * near
        self.here[:, STANDING] = standing * near
        self.lost[...] = 0

    def scatter(self, share: float) -> None:
        """`share` of all goes anywhere, alike in all layers."""
        self.here *= np.float32(1 - share)
        self.lost *= np.float32(1 - share)
        cells, layers = self.here.shape[2], len(self.here)
        self.here += np.float32(share / (cells * layers)) * self.tempo[None, :, None]


def first_tempo() -> F32:
    """Of a score that is about to begin."""
    spread = np.zeros(len(TEMPOS), np.float32)
    spread[1:] = np.exp(-0.5 * (np.log(TEMPOS[1:]) / TEMPO_SPREAD) ** 2)
    spread /= spread.sum()
    return spread

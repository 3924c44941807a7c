"""Where in the score a choir may be: probabilities over position and tempo, moved on and weighed hop by hop.

The forward algorithm of a hidden Markov model whose states are (tempo, cell of the score), one tempo being a
standstill (a fermata, the wait before the start), and "lost": nothing that sounds is written anywhere near.
"""

import math

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels import _core
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
        likelihood: float32 [layers, cells], unknown: float32 [layers]: of what is heard, at each cell and
            lost; written by who calls `step`.
        rows: float32 [layers, tempos]: the sums of `here` after `step`.
        position: float32 [cells]: of the first layer, after `step` and `look`.
        tempo_before: `tempo` as the last `step` took it.
    """

    def __init__(self, layers: int, cells: int) -> None:
        self.here = np.zeros((layers, len(TEMPOS), cells), np.float32)
        self._scratch = np.zeros_like(self.here)
        self.lost = np.zeros((layers, cells), np.float32)
        self.tempo = first_tempo()
        self.likelihood = np.ones_like(self.lost)
        self.unknown = np.ones(layers, np.float32)
        self.rows = np.zeros((layers, len(TEMPOS)), np.float32)
        self.position = np.zeros(cells, np.float32)
        self.tempo_before = self.tempo.copy()
        self._passing = Passing()

    def step(self, elapsed_s: float) -> None:
        """Time passes, and what was heard is weighed."""
        passing = self._passing
        passing.take(elapsed_s)
        self.tempo_before[...] = self.tempo
        possible = _core.belief_forward(
            self.here,
            self.lost,
            self._scratch,
            self.tempo,
            passing.cells,
            passing.rates,
            self.likelihood,
            self.unknown,
            self.rows,
            self.position,
        )
        if not possible:  # all that was believed
            self.give_up()
        moving = float(self.rows[:, 1:].sum())
        if moving > LEAST:  # the tempo follows within seconds
            share = np.float32(1.0 - math.exp(-elapsed_s * moving / TEMPO_MEMORY_S))
            self.tempo[1:] += share * (self.rows[:, 1:].sum(axis=0) / np.float32(moving) - self.tempo[1:])

    @property
    def passing(self) -> tuple[F32, F32]:
        """How far each tempo went in the last `step`, in cells, and its rates, as of `belief_forward`."""
        return self._passing.cells, self._passing.rates

    def give_up(self) -> None:
        """Lost, alike everywhere."""
        self.lost[...] = 1.0 / self.lost.size
        self.here[...] = 0
        self.look()

    def look(self) -> None:
        """What is believed has been changed by hand: `rows` and `position` anew."""
        np.sum(self.here, axis=2, out=self.rows)
        np.sum(self.here[0], axis=0, out=self.position)

    def place(self, cell: int, standing: float, spread_cells: float = 1.0) -> None:
        """All in one place, alike in all layers; `standing` is the share that waits there."""
        distance = (np.arange(self.here.shape[2]) - cell) / spread_cells
        near = np.exp(-0.5 * distance * distance)
        near /= near.sum() * len(self.here)
        self.here[...] = (1 - standing) * self.tempo[None, :, None] * near
        self.here[:, STANDING] = standing * near
        self.lost[...] = 0
        self.look()

    def scatter(self, share: float) -> None:
        """`share` of all goes anywhere, alike in all layers."""
        self.here *= np.float32(1 - share)
        self.lost *= np.float32(1 - share)
        cells, layers = self.here.shape[2], len(self.here)
        self.here += np.float32(share / (cells * layers)) * self.tempo[None, :, None]
        self.look()


class Passing:
    """What a time that passes does, as the kernel takes it; made anew only for another time.

    Attributes:
        cells: float32 [tempos], how far each tempo goes.
        rates: float32 [6], as of `belief_forward`.
    """

    def __init__(self) -> None:
        self.cells = np.zeros(len(TEMPOS), np.float32)
        self.rates = np.zeros(6, np.float32)
        self._elapsed_s = -1.0

    def take(self, elapsed_s: float) -> None:
        """So much time."""
        if elapsed_s == self._elapsed_s:
            return
        self._elapsed_s = elapsed_s
        np.multiply(TEMPOS, elapsed_s / CELL_S, out=self.cells)
        self.rates[:5] = np.exp(-elapsed_s * np.array([LOSSES, RETURNS, STANDS, STARTS, TEMPO_CHANGES]))
        self.rates[5] = HOME


def first_tempo() -> F32:
    """Of a score that is about to begin."""
    spread = np.zeros(len(TEMPOS), np.float32)
    spread[1:] = np.exp(-0.5 * (np.log(TEMPOS[1:]) / TEMPO_SPREAD) ** 2)
    spread /= spread.sum()
    return spread

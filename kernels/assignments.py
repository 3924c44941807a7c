"""Numbers of kernels/src/assignment.cpp, and every assignment of peaks to voices: its twins share them."""

import itertools

SIZE = 8
PEAKS = 8
SILENT, SILENT_PLACE = -1, -1.0
BONUS, MOST_EARNED = 2.0, 6.0
"""Log odds: a likely wrong pitch costs the masks less than none; certainty must not outweigh the past."""
DOUBT = 1.5
"""Odds below even count more: what rings on must not push voices out of place."""
TOGGLE = 0.5
"""Price of entering or leaving."""
ALL_SING = 1.0
"""Bonus where nobody rests: then pitch order alone says who is who."""
STEP, JUMP = 0.25, 3.0
"""Price of moving by one candidate, and the most for any new pitch."""
STRAY, RANGE, MOST_STRAY = 0.2, 20.0, 3.0
"""Price of singing `RANGE` candidates from one's register, and the most."""
FAMILIAR_S, REGISTER_S = 1.0, 10.0
"""Until all have sung together so long registers are guesses; their memory."""
MEMORY_S = 0.1
"""The past fades by e."""


def ways(voices: int) -> list[tuple[int, ...]]:
    """Every assignment of peaks to voices in pitch order, -1 = silent, in the kernel's order."""
    every = itertools.product(range(SILENT, PEAKS), repeat=voices)
    return [way for way in every if _descends([p for p in way if p != SILENT])]


def _descends(peaks: list[int]) -> bool:
    return all(a < b for a, b in itertools.pairwise(peaks))

"""Constants of kernels/src/assignment.cpp and the list of all assignments of peaks to voices: its twins in
NumPy and torch share them.
"""

import itertools

MAX_VOICES = 4
"""Voices that both beam decoders hold at most; of five there would be 1287 assignments of eight peaks instead
of 495."""
SIZE = 8
PEAKS = 8
SILENT, SILENT_PLACE = -1, -1.0
BONUS, MAX_EMISSION = 2.0, 6.0
"""Of an emission score, log odds: to the masks a pitch that is likely wrong does less harm than none;
certainty must not outweigh the past."""
DOUBT = 1.5
"""Log odds below 0 count more: reverberation must not displace voices."""
TOGGLE = 0.5
"""Transition cost of entering or leaving."""
ALL_SING = 1.0
"""Bonus where every voice sings: then pitch order alone tells the voices apart."""
STEP, JUMP = 0.25, 3.0
"""Transition cost of moving by one candidate, and the most for any new pitch."""
REGISTER_COST, RANGE, MAX_REGISTER_COST = 0.2, 20.0, 3.0
"""Cost of singing `RANGE` candidates away from the centre of one's register, and the most."""
FAMILIAR_S, REGISTER_S = 1.0, 10.0
"""Seconds in which all must have sung together before a register counts in full, and the memory of a
register."""
MEMORY_S = 0.1
"""The past fades by e."""


def all_assignments(voices: int, free_order: bool = False) -> list[tuple[int, ...]]:
    """Every assignment of peaks to voices in pitch order, -1 = silent, in the kernel's order. In free order,
    every assignment."""
    every = itertools.product(range(SILENT, PEAKS), repeat=voices)
    if free_order:
        return list(every)
    return [peaks for peaks in every if _descends([p for p in peaks if p != SILENT])]


def _descends(peaks: list[int]) -> bool:
    return all(a < b for a, b in itertools.pairwise(peaks))

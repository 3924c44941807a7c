"""Endless knobs: how far one was turned, in the three encodings that controllers have.

A control change says a difference instead of a place. Right is 1, 2, ... in two of them: an encoding is known
only when the knob has been turned to both sides.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import get_args

from rtsep.rt.control.midi.binding import Encoding

STEPS = 127  # ticks of the whole way, as a seven-bit fader has them
# A hand turns a knob by this many ticks at most between two messages; with more it is a fader.
FASTEST = 15
LEAST_MESSAGES = 3


def ticks(raw: int, encoding: Encoding) -> int:
    """How far a message turns, right positive.

    >>> [ticks(raw, "signed-bit") for raw in (1, 65)]
    [1, -1]
    >>> ticks(127, "twos-complement"), ticks(63, "offset-64")
    (-1, -1)
    """
    match encoding:
        case "twos-complement":
            return raw if raw < 64 else raw - 128
        case "signed-bit":
            return raw if raw < 64 else 64 - raw
        case "offset-64":
            return raw - 64


def is_encoder(raws: Iterable[int]) -> bool:
    """Whether values of one control are differences: small in an encoding, and one of them twice in a row,
    which no fader says.
    """
    values = list(raws)
    if len(values) < LEAST_MESSAGES or not any(a == b for a, b in pairwise(values)):
        return False
    return bool(_possible(values))


def _possible(values: list[int]) -> list[Encoding]:
    return [
        encoding
        for encoding in get_args(Encoding)
        if all(0 < abs(ticks(value, encoding)) <= FASTEST for value in values)
    ]


def encoding_of(raws: Iterable[int]) -> Encoding | None:
    """The only encoding that these values can have; None where there are several, or none."""
    found = _possible(list(raws))
    return found[0] if len(found) == 1 else None

"""The parts of a choir that may cross: their names, and the ranges they are known to sing in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels.assignments import MAX_VOICES
from rtsep.kernels.errors import ModelRefused

# What choirs ask of each part, and a second more on either side: nobody is barred from a note that is sung.
RANGES: dict[str, tuple[str, str]] = {
    "soprano": ("A3", "C6"),
    "mezzo": ("F3", "A5"),
    "alto": ("D3", "F5"),
    "tenor": ("A2", "B4"),
    "baritone": ("E2", "G4"),
    "bass": ("C2", "E4"),
}
LETTERS = {"S": "soprano", "M": "mezzo", "A": "alto", "T": "tenor", "Bar": "baritone", "B": "bass"}
SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
LOWEST, HIGHEST = "C2", "C6"  # of what is tracked


def midi_of(note: str) -> float:
    """The MIDI number of a note such as C4, F#3 or Bb2.

    Raises:
        ModelRefused: no note.
    """
    found = re.fullmatch(r"([A-Ga-g])([#b]?)(-?\d)", note.strip())
    if found is None:
        raise ModelRefused(
            f"{note.strip()!r} is not a note", "give a letter and an octave, such as C4 or Bb3"
        )
    letter, accidental, octave = found.groups()
    return float(SEMITONES[letter.upper()] + {"#": 1, "b": -1, "": 0}[accidental] + 12 * (int(octave) + 1))


@dataclass(frozen=True)
class Parts:
    """Parts that keep their stems where they cross. All JSON types.

    Attributes:
        names: of the parts, which the stems get, the part that is highest for most of the time first.
        ranges: of each part its lowest and its highest note (MIDI numbers); None where that is not known.

    Example:
        >>> from rtsep import Parts
        >>> Parts.parse("S,A", {"alto": "F3-D5"})
        Parts(names=('soprano', 'alto'), ranges=((57.0, 84.0), (53.0, 74.0)))
        >>> Parts.parse(None, {}, voices=2).names
        ('voice-1', 'voice-2')
    """

    names: tuple[str, ...]
    ranges: tuple[tuple[float, float] | None, ...]

    @classmethod
    def parse(cls, parts: str | None, ranges: Mapping[str, str], voices: int | None = None) -> Self:
        """From what a command line names.

        Args:
            parts: such as "S,A,T,B" or "soprano,tenor,tenor"; None for parts without names.
            ranges: of a part by its name, such as "C4-A5"; they replace what the name of the part says.
            voices: how many parts there are where they have no names.

        Raises:
            ModelRefused: an unknown part, too many, no note, or a range that runs backwards.
        """
        kinds = _kinds(parts) if parts is not None else []
        if voices is not None and kinds and voices != len(kinds):
            raise ModelRefused(
                f"--parts {parts} names {len(kinds)} parts, --voices is {voices}",
                "leave --voices out: each part is a voice",
            )
        names = _each_once(kinds) or tuple(f"voice-{i + 1}" for i in range(voices or MAX_VOICES))
        known = [_bounds("-".join(RANGES[kind]), kind) for kind in kinds]
        found: list[tuple[float, float] | None] = [*known] or [None] * len(names)
        for name, text in ranges.items():
            if name not in names:
                raise ModelRefused(
                    f"--range names {name!r}, which is no part", f"the parts are {', '.join(names)}"
                )
            found[names.index(name)] = _bounds(text, name)
        return cls(names, tuple(found))

    @property
    def bounds(self) -> NDArray[np.float32] | None:
        """float32 [parts, 2], lowest and highest note; None where no range is known."""
        if not any(self.ranges):
            return None
        return np.array([found or (-np.inf, np.inf) for found in self.ranges], np.float32)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Back from `dataclasses.asdict`, through JSON: lists become tuples."""
        return cls(
            tuple(values["names"]), tuple(None if r is None else (r[0], r[1]) for r in values["ranges"])
        )


def _kinds(text: str) -> list[str]:
    by_letter = {letter.lower(): name for letter, name in LETTERS.items()}
    kinds = []
    for word in (part.strip().lower() for part in text.split(",")):
        kind = by_letter.get(word, word)
        if kind not in RANGES:
            choices = ", ".join(f"{letter} {name}" for letter, name in LETTERS.items())
            raise ModelRefused(f"--parts {text}: {word!r} is no part", f"choose from {choices}")
        kinds.append(kind)
    if len(kinds) > MAX_VOICES:
        raise ModelRefused(
            f"--parts {text} names {len(kinds)} parts, more than the {MAX_VOICES} voices that are separated",
            f"name {MAX_VOICES} at most",
        )
    return kinds


def _each_once(kinds: list[str]) -> tuple[str, ...]:
    """Two tenors are tenor-1 and tenor-2."""
    return tuple(
        kind if kinds.count(kind) == 1 else f"{kind}-{kinds[: i + 1].count(kind)}"
        for i, kind in enumerate(kinds)
    )


def _bounds(text: str, name: str) -> tuple[float, float]:
    low, dash, high = text.partition("-")
    if not dash:
        raise ModelRefused(f"--range {name}:{text} is no range", "give lowest-highest, such as C4-A5")
    bounds = midi_of(low), midi_of(high)
    if bounds[0] > bounds[1]:
        raise ModelRefused(f"--range {name}:{text} runs backwards", f"give {high}-{low}")
    if bounds[1] < midi_of(LOWEST) or bounds[0] > midi_of(HIGHEST):
        raise ModelRefused(
            f"--range {name}:{text} lies outside {LOWEST}-{HIGHEST}, which is tracked", "give sung notes"
        )
    return bounds

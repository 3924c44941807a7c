"""A written score as the tracker needs it: notes of every part in seconds, where bars and beats are."""

import bisect
from dataclasses import asdict, dataclass
from typing import Any, Self

from rtsep.kernels.errors import InputRefused


@dataclass(frozen=True)
class Score:
    """Up to four parts, the highest first, at the tempo that the score gives. All JSON types.

    Attributes:
        parts: names of the parts, which the stems get: safe as file names, each once.
        notes: of each part (start in s, end in s, MIDI number) in order of time; of notes that overlap the
            highest counts.
        beats: (time in s, number of the bar, beat within it, from 1), in order of time.
        transpose: semitones that the choir sings above what is written; None to find out by listening.
        remarks: what the reader should know: what of the file was not taken.

    Example:
        >>> from rtsep import Score
        >>> score = Score(("soprano",), (((0.0, 1.0, 72.0),),), ((0.0, 1, 1.0), (0.5, 1, 2.0)))
        >>> score.duration_s, score.bar_and_beat(0.75)
        (1.0, (1, 2.5))
    """

    parts: tuple[str, ...]
    notes: tuple[tuple[tuple[float, float, float], ...], ...]
    beats: tuple[tuple[float, int, float], ...] = ()
    transpose: float | None = None
    remarks: tuple[str, ...] = ()

    @property
    def duration_s(self) -> float:
        """Until the last note ends."""
        return max((end for part in self.notes for _, end, _ in part), default=0.0)

    @property
    def bars(self) -> tuple[int, int]:
        """Numbers of the first and the last bar; (1, 1) where the score tells no bars."""
        numbers = [bar for _, bar, _ in self.beats] or [1]
        return min(numbers), max(numbers)

    def bar_and_beat(self, time_s: float) -> tuple[int, float]:
        """The bar at a time and the beat within it, 2.5 in the middle of the second beat."""
        if not self.beats:
            return 1, 1.0
        at = max(0, bisect.bisect_right(self.beats, time_s, key=lambda beat: beat[0]) - 1)
        start, bar, beat = self.beats[at]
        if at + 1 < len(self.beats):
            end = self.beats[at + 1][0]
        else:  # the last beat is as long as the one before
            end = start + (start - self.beats[at - 1][0] if at else max(self.duration_s - start, 1.0))
        return bar, beat + min(max((time_s - start) / max(end - start, 1e-6), 0.0), 0.99)

    def time_of_bar(self, bar: int) -> float:
        """Where a bar begins, in s; where it is repeated, its first time.

        Raises:
            InputRefused: no such bar.
        """
        for start, number, _ in self.beats or ((0.0, 1, 1.0),):
            if number == bar:
                return start
        first, last = self.bars
        raise InputRefused(f"the score has no bar {bar}", f"choose {first} to {last}")

    def nearest_bar(self, bar: float) -> int:
        """The number of a bar that the score has."""
        return min({number for _, number, _ in self.beats} or {1}, key=lambda number: abs(number - bar))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Back from `as_dict`; lists become tuples."""

        def frozen(value: Any) -> Any:
            return tuple(map(frozen, value)) if isinstance(value, list | tuple) else value

        return cls(**{name: frozen(value) for name, value in values.items()})

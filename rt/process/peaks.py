"""Peaks as one reader of the status keeps them: what it has not shown yet, whoever else looks."""

from collections.abc import Sequence
from typing import Any

METERS = ("peak_db", "input_peak_db", "output_peak_db")


class PeakKeeper:
    """The largest peak of every stem, input and output since this reader last took them.

    The engine publishes twenty times a second; each snapshot has the peaks of the last four intervals
    (`levels`), so a keeper that is fed ten times a second misses nothing.

    Example:
        >>> keeper = PeakKeeper()
        >>> levels = {"count": 7, "peak_db": [[-9.0], [-3.0]]}
        >>> keeper.add({"levels": levels})
        >>> keeper.add({"levels": levels | {"count": 8, "peak_db": [[-3.0], [-20.0]]}})
        >>> keeper.take()["peak_db"], keeper.take()["peak_db"]
        ([-3.0], [-20.0])
    """

    def __init__(self) -> None:
        self._count = 0
        self._kept: dict[str, list[float]] = {}  # not taken yet
        self._last: dict[str, list[float]] = {}

    def add(self, snapshot: dict[str, Any]) -> None:
        """A snapshot of the status, old or new."""
        levels = snapshot.get("levels")
        if not levels:
            return
        news = levels["count"] - self._count
        if news == 0:
            return
        self._count = levels["count"]
        for name in METERS:
            recent: Sequence[list[float]] = levels.get(name) or [[]]
            # the first, or another engine's: only what is newest
            fresh = recent[-min(news, len(recent)) :] if 0 < news < self._count else recent[-1:]
            self._last[name] = fresh[-1]
            kept = self._kept.get(name)
            same = kept is not None and len(kept) == len(fresh[-1])
            self._kept[name] = [max(column) for column in zip(*fresh, *([kept] if same else []), strict=True)]

    def take(self) -> dict[str, list[float]]:
        """`peak_db` of the stems, `input_peak_db`, `output_peak_db` since the last time, dBFS; where nothing
        is new, the last ones; nothing before the first snapshot.
        """
        taken = self._last | self._kept
        self._kept = {}
        return taken

"""The tables of a live session's pitches: another one begins where the number of voices changes."""

import itertools
from collections.abc import Callable
from pathlib import Path

from rtsep.rt.pitches.f0_file import F0File
from rtsep.rt.pitches.pitch_hop import PitchHop


class F0Tables:
    """`NAME.csv`, then `NAME-2.csv` and so on, the next number that is free. A table has a column for each
    voice, and all of them count time from the start of the session.

    Args:
        path: of the first, which must not exist yet.
        stems: names of the voices at the start.
        later: names of as many voices as there can be after a change, in order.
        opened: told of each table: its path, and how many voices it has.
        going_on: the table of a process that has died, and how many voices it has: more rows follow.

    Raises:
        RtsepError: as `F0File`.
    """

    def __init__(
        self,
        path: Path,
        stems: tuple[str, ...],
        later: tuple[str, ...],
        opened: Callable[[Path, int], None],
        going_on: tuple[Path, int] | None = None,
    ) -> None:
        self._path, self._stems, self._later, self._opened = path, stems, later, opened
        at, self._voices = (path, len(stems)) if going_on is None else going_on
        self._table = F0File(at, self._names(), growing=True, going_on=going_on is not None)
        opened(at, self._voices)

    def _names(self) -> tuple[str, ...]:
        return self._stems if self._voices == len(self._stems) else self._later[: self._voices]

    def add(self, hop: PitchHop) -> None:
        """See `PitchSink.add`; a hop of a model without pitches is left out."""
        if hop.f0_hz.size not in (0, self._voices):
            self._voices = hop.f0_hz.size
            self._begin_another()
        if hop.f0_hz.size:
            self._table.add(hop)

    def _begin_another(self) -> None:
        self._table.finish()
        for number in itertools.count(2):
            path = self._path.with_name(f"{self._path.stem}-{number}{self._path.suffix}")
            if not path.exists():
                self._table = F0File(path, self._names(), growing=True, after_s=self._table.last_s)
                self._opened(path, self._voices)
                return

    def flush(self) -> None:
        """As `F0File.flush`."""
        self._table.flush()

    def finish(self) -> None:
        """See `PitchSink.finish`."""
        self._table.finish()

    def discard(self) -> None:
        """See `PitchSink.discard`."""
        self._table.discard()

"""F0 contours from a CSV file: pitches known beforehand (score following, close microphones, evaluation)."""

import re
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels.errors import InputRefused

# An octave below and above the range of choir voices (C2..C6): anything else is a wrong column or unit.
MIN_F0_HZ, MAX_F0_HZ = 32.0, 2100.0
# A wider step between rows is a new note and not a glide: sung glides reach about 1.7 semitones in 10 ms.
MAX_GLIDE_OCTAVES = 2.0 / 12.0
# A contour of one row holds that long.
LONE_ROW_S = 0.01
# Rows further apart than this many usual steps frame a hole (some trackers leave unvoiced rows out).
MAX_GAP_STEPS = 3.0
# Times that are all whole numbers, and not just a few, count frames or milliseconds: no pitch is written once
# a second.
MIN_WHOLE_TIMES = 10
# As Hz, the numbers of MIDI notes that choirs sing (36..84) all lie below F#2 (92.5 Hz), where no part stays
# for a whole piece.
MAX_MIDI_NUMBER = 92.0
# At the end of a column's name, it says the unit: `rtsep --f0-out` writes it, as a low voice alone may stay
# below the bound above.
HZ_MARK = "_hz"


class F0Track:
    """F0 of every voice over time.

    Args:
        times_s: [rows], ascending.
        f0_hz: [rows, voices], 0 where unvoiced.

    Example:
        >>> import numpy as np
        >>> from rtsep import F0Track
        >>> glide = F0Track(np.array([0.0, 0.01]), np.array([[440.0], [444.0]]))
        >>> out = np.zeros(1)
        >>> glide.at(0.005, out)
        >>> bool(440 < out[0] < 444)
        True
    """

    def __init__(self, times_s: NDArray[np.floating], f0_hz: NDArray[np.floating]) -> None:
        self.times_s = np.asarray(times_s, np.float64)
        self.f0_hz = np.asarray(f0_hz, np.float64)
        steps = np.diff(self.times_s)
        self._step_s = float(np.median(steps)) if steps.size else LONE_ROW_S
        # NaN where unvoiced: every comparison with it is false
        self._octaves = np.log2(np.where(self.f0_hz > 0, self.f0_hz, np.nan))

    @property
    def voices(self) -> int:
        """Number of contours."""
        return int(self.f0_hz.shape[1])

    @classmethod
    def load(cls, path: str | Path, voices: int) -> Self:
        """Reads `time_s, f0 of voice 1, ..., f0 of voice N` in seconds and Hz; a header line is optional.

        Separators are commas, semicolons or tabs; 0, nan or an empty cell is unvoiced; lines that start with
        `#` are skipped.

        Raises:
            InputRefused: a missing or unreadable file, another number of columns than 1 + `voices`, text
                where a number belongs, times that do not ascend from 0, F0 outside 32..2100 Hz (the line is
                named); times that count frames or milliseconds, F0 that are MIDI numbers.
        """
        text = _text(path)
        table = _fast_table(text, voices)
        if table is None:
            table = _checked_table(path, text, voices)
        _require_units(path, table, said=HZ_MARK in text[: text.find("\n")])
        return cls(np.ascontiguousarray(table[:, 0]), np.ascontiguousarray(table[:, 1:]))

    def require_within(self, duration_s: float) -> None:
        """Raises RtsepError if no row falls into the audio's `duration_s` seconds: it would be silence."""
        if self.times_s[0] >= duration_s:
            raise InputRefused(
                f"the given F0 begin at {self.times_s[0]:g} s, the audio ends at {duration_s:g} s",
                "write times in seconds from the start of the audio",
            )

    def at(self, time_s: float, out: NDArray[np.floating]) -> None:
        """Writes the F0 of every voice at `time_s` into `out` [voices], in Hz, 0 where unvoiced.

        Linear in log F0 between two voiced rows; the nearer row where one of them is unvoiced or a new note
        begins; 0 beyond both ends and inside holes by more than half a usual step.
        """
        times = self.times_s
        after = int(np.searchsorted(times, time_s, side="right"))
        reach = 0.5 * self._step_s
        if after == 0 or after == len(times):
            row = 0 if after == 0 else len(times) - 1
            out[:] = self.f0_hz[row] if abs(time_s - times[row]) <= reach else 0.0
            return
        before = after - 1
        span = times[after] - times[before]
        share = (time_s - times[before]) / span
        nearest = after if share > 0.5 else before
        if span > MAX_GAP_STEPS * 2.0 * reach:
            out[:] = self.f0_hz[nearest] if abs(time_s - times[nearest]) <= reach else 0.0
            return
        octaves = self._octaves
        for voice in range(self.voices):
            low, high = octaves[before, voice], octaves[after, voice]
            if abs(high - low) <= MAX_GLIDE_OCTAVES:
                out[voice] = 2.0 ** (low + share * (high - low))
            else:
                out[voice] = self.f0_hz[nearest, voice]


def _text(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputRefused(
            f"{path} is not text (byte {error.start})", "give a CSV file of F0 in Hz"
        ) from error
    except OSError as error:
        raise InputRefused(f"F0 file {path}: {error.strerror}", "give --f0 a readable CSV file") from error


def _fast_table(text: str, voices: int) -> NDArray[np.float64] | None:
    """The rows [time, f0, ...] if nothing is wrong with them, in a tenth of the time; else None."""
    head = re.match(r"(?:[ \t]*(?:#[^\n]*)?\n)*(?P<first>[^\n]*)", text)
    first = head["first"] if head else ""
    separator = next((s for s in ",;\t" if s in first), None)
    if head is None or separator is None:
        return None
    numbers = text[head.end() :] if not _is_number(first.split(separator)[0].strip('" ')) else text
    if not numbers.strip():
        return None
    empty = re.compile(rf"(?m)(?<={separator})[ \r]*(?={separator}|$)")
    for attempt in range(2):
        if attempt:
            numbers = empty.sub("nan", numbers)
        try:
            table: NDArray[np.float64] = np.loadtxt(numbers.splitlines(), delimiter=separator, ndmin=2)
        except ValueError:
            continue
        times_s, f0 = table[:, 0], table[:, 1:]
        if table.shape[0] == 0 or table.shape[1] != 1 + voices:
            return None
        f0[np.isnan(f0)] = 0.0
        right = np.all((f0 == 0.0) | ((f0 >= MIN_F0_HZ) & (f0 <= MAX_F0_HZ)))
        ascending = np.isfinite(times_s).all() and times_s[0] >= 0 and (np.diff(times_s) > 0).all()
        return table if right and ascending else None
    return None


def _checked_table(path: str | Path, text: str, voices: int) -> NDArray[np.float64]:
    """The rows, line by line: the first that is wrong is named."""
    rows: list[list[float]] = []
    header_allowed = True
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        cells = [cell.strip().strip('"') for cell in re.split(r"[,;\t]", line.rstrip("\r\n"))]
        if len(cells) != 1 + voices:
            raise InputRefused(
                f"{path}, line {number}: {len(cells)} columns, --voices {voices} needs {1 + voices}",
                "write the time in seconds, then one F0 per voice",
            )
        if header_allowed and not _is_number(cells[0]):
            header_allowed = False
            continue
        header_allowed = False
        rows.append(_row(path, number, cells, rows[-1][0] if rows else None))
    if not rows:
        raise InputRefused(
            f"{path} has no rows of F0, at least 1 is needed", "write lines of `time_s, f0_hz, ...`"
        )
    return np.array(rows)


def _require_units(path: str | Path, table: NDArray[np.float64], said: bool) -> None:
    """Seconds and Hz, as far as the numbers themselves can tell where the header has not `said` it."""
    if said:
        return
    times_s, f0_hz = table[:, 0], table[:, 1:]
    if times_s.size >= MIN_WHOLE_TIMES and (times_s == np.floor(times_s)).all():
        raise InputRefused(
            f"{path}: all {times_s.size} times are whole numbers, {times_s[0]:g} to {times_s[-1]:g}, "
            "as frame numbers or milliseconds are",
            "write seconds",
        )
    highest = float(f0_hz.max())
    if 0.0 < highest < MAX_MIDI_NUMBER:
        raise InputRefused(
            f"{path}: no F0 is above {highest:g}, as if they were MIDI numbers",
            "write Hz: 440 * 2 ** ((number - 69) / 12)",
        )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _row(path: str | Path, number: int, cells: list[str], previous_s: float | None) -> list[float]:
    for cell in cells[1:]:
        if cell and not _is_number(cell):
            raise InputRefused(
                f"{path}, line {number}: F0 {cell!r} is not a number", "write Hz, or 0 for unvoiced"
            )
    if not _is_number(cells[0]) or not np.isfinite(float(cells[0])):
        raise InputRefused(f"{path}, line {number}: time {cells[0]!r} is not a number", "write seconds")
    time_s = float(cells[0])
    if time_s < 0:
        raise InputRefused(
            f"{path}, line {number}: time {time_s:g} s is below 0", "count from the start of the audio"
        )
    if previous_s is not None and time_s <= previous_s:
        raise InputRefused(
            f"{path}, line {number}: time {time_s:g} s does not come after {previous_s:g} s",
            "sort the rows by time, each time once",
        )
    row = [time_s]
    for cell in cells[1:]:
        f0 = float(cell) if cell else 0.0
        f0 = 0.0 if np.isnan(f0) else f0
        if f0 != 0.0 and not MIN_F0_HZ <= f0 <= MAX_F0_HZ:
            raise InputRefused(
                f"{path}, line {number}: F0 {f0:g} Hz is outside {MIN_F0_HZ:g}..{MAX_F0_HZ:g} Hz",
                "write Hz, or 0 for unvoiced",
            )
        row.append(f0)
    return row

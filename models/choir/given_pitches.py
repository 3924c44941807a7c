"""F0 contours from a CSV file: pitches known beforehand (score following, close microphones, evaluation)."""

import re
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels.errors import RtsepError

# An octave below and above the range of choir voices (C2..C6): anything else is a wrong column or unit.
MIN_F0_HZ, MAX_F0_HZ = 32.0, 2100.0
# A wider step between rows is a new note and not a glide: sung glides reach about 1.7 semitones in 10 ms.
MAX_GLIDE_OCTAVES = 2.0 / 12.0
# A contour of one row holds that long.
LONE_ROW_S = 0.01
# Rows further apart than this many usual steps frame a hole (some trackers leave unvoiced rows out).
MAX_GAP_STEPS = 3.0


class F0Track:
    """F0 of every voice over time.

    Args:
        times_s: [rows], ascending.
        f0_hz: [rows, voices], 0 where unvoiced.
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
            RtsepError: a missing or unreadable file, another number of columns than 1 + `voices`, text where
                a number belongs, times that do not ascend from 0, F0 outside 32..2100 Hz; the line is named.
        """
        rows: list[list[float]] = []
        header_allowed = True
        for number, line in enumerate(_lines(path), start=1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            cells = [cell.strip().strip('"') for cell in re.split(r"[,;\t]", line.rstrip("\r\n"))]
            if len(cells) != 1 + voices:
                raise RtsepError(
                    f"{path}, line {number}: {len(cells)} columns, --voices {voices} needs {1 + voices}",
                    "write the time in seconds, then one F0 per voice",
                )
            if header_allowed and not _is_number(cells[0]):
                header_allowed = False
                continue
            header_allowed = False
            rows.append(_row(path, number, cells, rows[-1][0] if rows else None))
        if not rows:
            raise RtsepError(
                f"{path} has no rows of F0, at least 1 is needed", "write lines of `time_s, f0_hz, ...`"
            )
        table = np.array(rows)
        return cls(np.ascontiguousarray(table[:, 0]), np.ascontiguousarray(table[:, 1:]))

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


def _lines(path: str | Path) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise RtsepError(f"{path} is not text (byte {error.start})", "give a CSV file of F0 in Hz") from error
    except OSError as error:
        raise RtsepError(f"F0 file {path}: {error.strerror}", "give --f0 a readable CSV file") from error


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _row(path: str | Path, number: int, cells: list[str], previous_s: float | None) -> list[float]:
    for cell in cells[1:]:
        if cell and not _is_number(cell):
            raise RtsepError(
                f"{path}, line {number}: F0 {cell!r} is not a number", "write Hz, or 0 for unvoiced"
            )
    if not _is_number(cells[0]) or not np.isfinite(float(cells[0])):
        raise RtsepError(f"{path}, line {number}: time {cells[0]!r} is not a number", "write seconds")
    time_s = float(cells[0])
    if time_s < 0:
        raise RtsepError(
            f"{path}, line {number}: time {time_s:g} s is below 0", "count from the start of the audio"
        )
    if previous_s is not None and time_s <= previous_s:
        raise RtsepError(
            f"{path}, line {number}: time {time_s:g} s does not come after {previous_s:g} s",
            "sort the rows by time, each time once",
        )
    row = [time_s]
    for cell in cells[1:]:
        f0 = float(cell) if cell else 0.0
        f0 = 0.0 if np.isnan(f0) else f0
        if f0 != 0.0 and not MIN_F0_HZ <= f0 <= MAX_F0_HZ:
            raise RtsepError(
                f"{path}, line {number}: F0 {f0:g} Hz is outside {MIN_F0_HZ:g}..{MAX_F0_HZ:g} Hz",
                "write Hz, or 0 for unvoiced",
            )
        row.append(f0)
    return row

"""F0 of every voice over time as a CSV file that `--f0` reads back."""

import math
import os
from io import FileIO
from pathlib import Path

from rtsep.kernels.errors import RtsepError
from rtsep.models.choir.given_pitches import HZ_MARK
from rtsep.rt.audio.disk_errors import reason, remedy
from rtsep.rt.audio.part_file import create, create_part
from rtsep.rt.pitches.pitch_hop import PitchHop

# Bytes of rows that wait: a second or two of them. A file that grows loses no more in a kill.
WRITE_BYTES = 8192


class F0File:
    """Rows of `time_s, F0 of voice 1, ...` in seconds and Hz, 0 where there is no pitch.

    The pitches are those that the masks follow (`PitchHop.followed_hz`): `--f0` with this file, at the same
    preset, gives the same stems again.

    Args:
        path: file to become; one of the same name is replaced by `finish`.
        stems: names of the voices.
        growing: write `path` itself from the start, which must not exist yet: it holds whole rows however
            the run ends.
        going_on: `path` is that of a growing file whose process has died: more rows follow those it has.
        after_s: rows up to this time are left out.

    Attributes:
        last_s: time of the last row.

    Raises:
        RtsepError: the folder cannot be written, or `growing` and the file is there.
    """

    def __init__(
        self,
        path: Path,
        stems: tuple[str, ...],
        *,
        growing: bool = False,
        going_on: bool = False,
        after_s: float = -math.inf,
    ) -> None:
        self._path = path
        self._growing, self._empty = growing, not going_on
        self.last_s = after_s
        self._file: FileIO
        try:
            if going_on:
                self._part, self._file = path, _behind_whole_rows(path)
            else:
                self._part, self._file = (path, create(path)) if growing else create_part(path)
        except FileExistsError:
            raise RtsepError(f"{path} is there already", "move it away or name another file") from None
        except OSError as error:
            raise RtsepError(f"{path} cannot be written: {reason(error)}", remedy(error)) from error
        head = ",".join(["time_s", *(stem + HZ_MARK for stem in stems)]) + "\n"
        self._rows = [] if self._file.tell() else [head]
        self._bytes = 0
        if growing:
            self.flush()

    def add(self, hop: PitchHop) -> None:
        """See `PitchSink.add`; what lies before the input's start is left out, and what lies before the last
        row: a preset that is changed to may date its first pitches further back.

        Raises:
            RtsepError: the disk does not take it.
        """
        self._empty = False
        if hop.time_s < 0 or hop.time_s <= self.last_s:
            return
        self.last_s = hop.time_s
        row = f"{hop.time_s:.9f}," + ",".join("0" if f <= 0 else f"{f:.5f}" for f in hop.followed_hz) + "\n"
        self._rows.append(row)
        self._bytes += len(row)
        if self._bytes >= WRITE_BYTES:
            self.flush()

    def flush(self) -> None:
        """Writes all rows so far, whole ones.

        Raises:
            RtsepError: the disk does not take it; whole rows are left.
        """
        data = "".join(self._rows).encode()
        self._rows, self._bytes = [], 0
        start = self._file.tell()
        try:
            while data:
                data = data[self._file.write(data) :]
        except OSError as error:
            self._file.truncate(start)
            self._file.seek(start)
            raise RtsepError(f"{self._path} cannot be written: {reason(error)}", remedy(error)) from error

    def finish(self) -> None:
        """See `PitchSink.finish`."""
        if self._file.closed:
            return
        if self._empty:
            self.discard()
            return
        self.flush()
        self._file.close()
        if not self._growing:
            try:
                os.replace(self._part, self._path)
            except OSError as error:
                raise RtsepError(
                    f"{self._path} cannot be written: {reason(error)}",
                    f"its rows are in {self._part.name}; {remedy(error)}",
                ) from error

    def discard(self) -> None:
        """See `PitchSink.discard`; a file that grows keeps what it has."""
        self._file.close()
        if not self._growing:
            self._part.unlink(missing_ok=True)


def _behind_whole_rows(path: Path) -> FileIO:
    """Open for more rows; half a row that a killed process left is taken away."""
    file = FileIO(path, "r+")
    content = file.readall()
    end = content.rfind(b"\n") + 1
    file.truncate(end)
    file.seek(end)
    return file

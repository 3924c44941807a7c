"""Rows of numbers on a disk, or in memory, that are written in any order and read again."""

import io
import shutil
import tempfile
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels.errors import RtsepError
from rtsep.rt.audio.disk_errors import reason, remedy

F32 = NDArray[np.float32]


class Spool:
    """float32 rows of one length; a row that was never written is zero.

    Args:
        numbers: in a row.
        folder: where a file without a name is made, which vanishes with this; None keeps all in memory.

    Raises:
        RtsepError: the folder takes no file; on `write`, the disk does not take it.
    """

    def __init__(self, numbers: int, folder: Path | None) -> None:
        self._numbers = numbers
        self._folder = folder
        self._file: BinaryIO = io.BytesIO()
        if folder is not None:
            try:
                self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed with this
            except OSError as error:
                raise self._failed(reason(error), remedy(error)) from error

    def require_room(self, rows: int) -> None:
        """Raises RtsepError where the disk has no room for so many rows now."""
        if self._folder is None:
            return
        free, needed = shutil.disk_usage(self._folder).free, rows * self._numbers * 4
        if free < needed:
            raise self._failed(
                f"{free / 1e6:.0f} MB are free, {needed / 1e6:.0f} MB are needed while it runs", "make room"
            )

    def write(self, row: int, rows: F32) -> None:
        """Puts rows [any, numbers] where row `row` and the next ones are."""
        try:
            self._file.seek(row * self._numbers * 4)
            self._file.write(np.ascontiguousarray(rows, np.float32).tobytes())
        except OSError as error:
            raise self._failed(reason(error), remedy(error)) from error

    def read(self, row: int, count: int) -> F32:
        """Rows [count, numbers] from `row` on; zeros beyond both ends."""
        found = np.zeros((count, self._numbers), np.float32)
        first = max(row, 0)
        if row + count > first:
            try:
                self._file.seek(first * self._numbers * 4)
                data = self._file.read((row + count - first) * self._numbers * 4)
            except OSError as error:
                raise self._failed(reason(error), remedy(error)) from error
            there = np.frombuffer(data[: len(data) // 4 * 4], np.float32)
            found.reshape(-1)[(first - row) * self._numbers :][: there.size] = there
        return found

    def _failed(self, why: str, what_to_do: str) -> RtsepError:
        return RtsepError(
            f"hearing a file from both ends needs room in {self._folder}: {why}",
            f"{what_to_do}, or use --offline off",
        )

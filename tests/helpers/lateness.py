"""How late the machine itself is while a test of real time runs.

A test of real time on a machine that does other work can say nothing: it is skipped, with the lateness that
was measured. It is measured by a process that has nothing of rtsep in it, so that an rtsep that is late on a
machine that is not still fails.
"""

import subprocess
import sys
from types import TracebackType
from typing import Self

NAPS = """
import select, sys, time
worst_s = 0.0
while not select.select([sys.stdin], [], [], 0)[0]:
    begun = time.monotonic()
    time.sleep(0.001)
    worst_s = max(worst_s, time.monotonic() - begun - 0.001)
print(worst_s)
"""


class Lateness:
    """Measures while it is entered; afterwards `worst_s` is by how much a nap of 1 ms was too long."""

    def __init__(self) -> None:
        self.worst_s = 0.0

    def __enter__(self) -> Self:
        self._napper = subprocess.Popen(
            [sys.executable, "-c", NAPS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        said, _ = self._napper.communicate()
        self.worst_s = float(said)

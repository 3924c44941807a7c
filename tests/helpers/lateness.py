"""Tests of real time on a machine that does other work.

Such a machine steals milliseconds from anyone, rtsep and the clients of the test alike. The counters of the
session and of the audio server tell that a run was disturbed: it says nothing, and is repeated. A test that
has no undisturbed run is skipped, with the lateness that was measured. That is measured by a process that has
nothing of rtsep in it, so that an rtsep that is late on a machine that is not still fails.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import numpy as np
import pytest
from numpy.typing import NDArray

from rtsep.bench.jack_rig import Rig
from rtsep.rt.live.status import Status
from rtsep.rt.session import Session

ATTEMPTS = 4
BLOCK_S = 128 / 48000  # who is late by a block is heard
STATUS_FRAMES = 4800  # more than between two looks at a session
WAIT_S = 60.0
COUNTERS = ("xruns", "late_hops", "skipped_hops", "fallback_samples", "input_lost_frames")

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


def later_status(session: Session) -> Status:
    """One that was certainly written after the call; the engine writes one about every 50 ms."""
    frames = session.status().frames + 2 * STATUS_FRAMES
    deadline = time.monotonic() + WAIT_S
    while (status := session.status()).frames < frames:
        assert time.monotonic() < deadline, f"{status.state}: no blocks come; {status.last_error}"
        time.sleep(0.01)
    return status


class Attempt:
    """One run of a test of real time.

    Attributes:
        number: from 0.
        disturbances: what disturbed it, as far as it has been judged.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.disturbances: list[str] = []
        self._before = Status()
        self._xruns_before = 0

    def watch(self, session: Session, rig: Rig) -> None:
        """From here on it must be undisturbed; from the start of the session, where this is not called."""
        self._before, self._xruns_before = later_status(session), rig.xruns

    def judge(self, session: Session, rig: Rig, signal: NDArray[np.float32]) -> int:
        """Looks at the counters of a session that still runs, and at `signal`, which has been played and must
        be whole in the recording. The frame of the recording at which it begins; it must not begin with 0.
        """
        status = later_status(session)
        for name in COUNTERS:
            if count := getattr(status, name) - getattr(self._before, name):
                self.disturbances.append(f"{count} {name.replace('_', ' ')}")
        if count := rig.xruns - self._xruns_before:
            self.disturbances.append(f"{count} xruns of the server")
        played = rig.recording[:, 0]
        start = int(np.argmax(played != 0))
        if not np.array_equal(played[start : start + len(signal)], signal):
            self.disturbances.append("the input did not arrive whole")
        return start


def attempts() -> Iterator[Attempt]:
    """Runs until one is undisturbed; it is the last one, and what it left is looked at after the loop.

    Skips where the machine itself was late; an rtsep that is late on a machine in time fails.
    """
    machine_late_s = 0.0
    for number in range(ATTEMPTS):
        attempt = Attempt(number)
        with Lateness() as lateness:
            yield attempt
        if not attempt.disturbances:
            return
        machine_late_s = max(machine_late_s, lateness.worst_s)
    words = (
        f"no undisturbed run in {ATTEMPTS} (the last: {', '.join(attempt.disturbances)}); "
        f"the machine was late by {1e3 * machine_late_s:.1f} ms"
    )
    if machine_late_s > BLOCK_S:
        pytest.skip(words)
    pytest.fail(words)

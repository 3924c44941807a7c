"""Tests of real time on a machine that does other work.

Such a machine steals milliseconds from anyone, rtsep and the clients of the test alike. The counters of the
session and of the audio server tell that a run was disturbed: it says nothing, and is repeated. A test that
has no undisturbed run is skipped, with the lateness that was measured. That is measured by processes that
have nothing of rtsep in them, so that an rtsep that is late on a machine that is not still fails.
"""

import os
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

SESSIONS = 4  # runs that each need a session of their own
PLAYS = 20  # runs in one session, of well under a second each
BLOCK_S = 128 / 48000  # who is late by a block is heard
STATUS_FRAMES = 4800  # more than between two looks at a session
WAIT_S = 60.0
COUNTERS = ("xruns", "late_hops", "skipped_hops", "fallback_samples", "input_lost_frames")
SKIPPED = ("skipped_hops", "input_lost_frames")  # after these a take is not what its input gives as a file

NAPS = """
import os, select, sys, time
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {int(sys.argv[1])})
worst_s = 0.0
while True:
    begun = time.monotonic()
    time.sleep(0.001)
    worst_s = max(worst_s, time.monotonic() - begun - 0.001)
    if select.select([sys.stdin], [], [], 0)[0]:
        if not sys.stdin.readline():
            break
        print(worst_s, flush=True)
        worst_s = 0.0
"""


class Lateness:
    """Measures while it is entered, on every processor."""

    def __enter__(self) -> Self:
        self._nappers = [
            subprocess.Popen(
                [sys.executable, "-ISc", NAPS, str(processor)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for processor in (os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else [0])
        ]
        self.worst_s()  # from when all of them nap
        return self

    def worst_s(self) -> float:
        """By how much a nap of 1 ms was too long since the last call."""
        found = []
        for napper in self._nappers:
            assert napper.stdin is not None
            assert napper.stdout is not None
            napper.stdin.write("\n")
            napper.stdin.flush()
            found.append(float(napper.stdout.readline()))
        return max(found)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for napper in self._nappers:
            napper.communicate()


def later_status(session: Session) -> Status:
    """One that was certainly written after the call; the engine writes one about every 50 ms."""
    frames = session.status().frames + 2 * STATUS_FRAMES
    deadline = time.monotonic() + WAIT_S
    while (status := session.status()).frames < frames:
        assert time.monotonic() < deadline, f"{status.state}: no blocks come; {status.last_error}"
        time.sleep(0.02)
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
        self._before = later_status(session)
        self.watch_graph(rig)

    def watch_graph(self, rig: Rig) -> None:
        """As `watch`, where there is no session."""
        self._xruns_before = rig.xruns

    def judge(
        self, session: Session, rig: Rig, signal: NDArray[np.float32], names: tuple[str, ...] = COUNTERS
    ) -> int:
        """Looks at the counters of a session that still runs, and at the graph, as `judge_graph`."""
        self.judge_counters(later_status(session), names)
        return self.judge_graph(rig, signal)

    def judge_counters(self, status: Status, names: tuple[str, ...] = COUNTERS) -> None:
        """Of a session: those that may not have moved."""
        for name in names:
            if count := getattr(status, name) - getattr(self._before, name):
                self.disturbances.append(f"{count} {name.replace('_', ' ')}")

    def was_refused(self, why: str) -> None:
        """A change of engines, which is refused while the next one is late; for any other reason it fails."""
        assert "of its hops were late" in why, why
        self.disturbances.append(why)

    def judge_graph(self, rig: Rig, signal: NDArray[np.float32]) -> int:
        """The graph itself: `signal`, which must not begin with 0, must be whole in the recording. The frame
        of the recording at which it begins.
        """
        if count := rig.xruns - self._xruns_before:
            self.disturbances.append(f"{count} xruns of the server")
        played = rig.recording[:, 0]
        start = int(np.argmax(played != 0))
        if not np.array_equal(played[start : start + len(signal)], signal):
            self.disturbances.append("the input did not arrive whole")
        return start


def place_of(signal: NDArray[np.float32], recording: NDArray[np.float32]) -> int:
    """The frame of `recording` from which on it is `signal`, sample for sample."""
    for start in np.flatnonzero(recording[: len(recording) - len(signal) + 1] == signal[0]):
        if np.array_equal(recording[start : start + len(signal)], signal):
            return int(start)
    raise AssertionError("the signal is not in the recording")


def attempts(most: int = SESSIONS) -> Iterator[Attempt]:
    """Runs until one is undisturbed; it is the last one, and what it left is looked at after the loop.

    Skips where the machine itself was late in all of them; an rtsep that is late on a machine in time fails.
    """
    late_s: list[float] = []
    with Lateness() as lateness:
        for number in range(most):
            attempt = Attempt(number)
            lateness.worst_s()
            yield attempt
            if not attempt.disturbances:
                return
            late_s.append(lateness.worst_s())
    words = f"no undisturbed run in {most} (last: {', '.join(attempt.disturbances)}): the machine was late"
    if min(late_s) > BLOCK_S:
        pytest.skip(f"{words} by {1e3 * min(late_s):.1f} to {1e3 * max(late_s):.1f} ms in all of them")
    pytest.fail(f"{words} by {1e3 * min(late_s):.1f} ms alone in one of them")

"""A room with a microphone and loudspeakers, as a JACK client: what it plays to rtsep, and what it hears.

Every cycle leaves a line in `heard`: when, and how loud voices and residual were. So what an audience hears
of a fault is known to a cycle: stems, the mixture, or silence.

    python -m rtsep.bench.live.faults.room twin-1 recording.npy      # a room that is another process
"""

import contextlib
import itertools
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.signal import iirpeak, lfilter

from rtsep.bench.jack_rig import jack_client, leave
from rtsep.bench.live.teller import running
from rtsep.kernels.errors import RtsepError

AUDIBLE = 1e-6  # -120 dBFS: stems of music never are below it for a whole cycle, a muted output is
AGAIN_S = 0.05
JOINED_WITHIN_S = 60.0  # a machine that does other work starts a process in seconds
LOOKS_APART_S = 0.3  # each costs the server's clients a part of a cycle
APART_S = 0.25  # two gaps closer than this are one
FEEDBACK_HZ, FEEDBACK_Q = 1000.0, 8.0


@dataclass(frozen=True)
class Gap:
    """A stretch of time (of `time.monotonic`) in which no stems were heard: silence, or the mixture."""

    begin: float
    end: float
    silent_s: float
    mixture_s: float


class Room:
    """Plays until it is left; joins the server again when that comes back.

    Args:
        signal: float32 [frames], played over and over.
        name: of the client; its ports are `out`, `voices` and `rest`.

    Attributes:
        heard: (monotonic time, peak of the voices, peak of the residual) of each cycle.
        storm: what every sample is instead of the signal, None for the signal.
        loop_db: what is heard comes back at 1 kHz, so much louder; None for a room without a loop.
    """

    def __init__(self, signal: NDArray[np.float32], name: str = "room") -> None:
        self._signal, self._name = np.concatenate([signal, signal[:8192]]), name
        self._frames, self._at = len(signal), 0
        self.heard: list[tuple[float, float, float]] = []
        self.storm: float | None = None
        self.loop_db: float | None = None
        self._leaving, self._lost = threading.Event(), threading.Event()
        self._client: Any = None
        self._left: list[Any] = []
        self._filter = iirpeak(FEEDBACK_HZ, FEEDBACK_Q, 48000.0)
        self._filtered = np.zeros(2)

    def __enter__(self) -> Self:
        self._switch_interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-4)  # the callback waits for nobody's 5 ms
        self._join()
        self._thread = threading.Thread(target=self._stay, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._leaving.set()
        self._lost.set()
        self._thread.join()
        self._leave()
        sys.setswitchinterval(self._switch_interval)

    def _join(self) -> None:
        client = jack_client(self._name)
        self._out = client.outports.register("out")
        self._voices, self._rest = (client.inports.register(name) for name in ("voices", "rest"))
        client.set_process_callback(self._cycle)
        client.set_shutdown_callback(lambda status, reason: self._lost.set())
        client.activate()
        self._client = client

    def _leave(self) -> None:
        if self._client is not None:
            with contextlib.suppress(Exception):
                leave(self._client)
            self._left.append(self._client)  # its callbacks may still be on their way out: never freed
            self._client = None

    def _stay(self) -> None:
        while True:
            self._lost.wait()
            if self._leaving.is_set():
                return
            self._lost.clear()
            time.sleep(AGAIN_S)  # the callback that told it returns
            self._leave()
            while self._client is None and not self._leaving.wait(AGAIN_S):
                with contextlib.suppress(Exception):
                    self._join()

    def _cycle(self, frames: int) -> None:
        voices, rest = self._voices.get_array(), self._rest.get_array()
        out = self._out.get_array()
        if self.storm is not None:
            out[:] = self.storm
        else:
            out[:] = self._signal[self._at : self._at + frames]
        self._at = (self._at + frames) % self._frames
        if self.loop_db is not None:
            both = np.clip(voices + rest, -1.0, 1.0)
            back, self._filtered = lfilter(*self._filter, both, zi=self._filtered)
            out[:] = 0.003 * out + 10 ** (self.loop_db / 20) * back
        self.heard.append((time.monotonic(), float(np.abs(voices).max()), float(np.abs(rest).max())))

    def gap(self, since: float, until: float) -> Gap:
        """The first stretch after `since` without stems, small ones that follow at once included.

        One that never came is empty and at `since`.
        """
        lines = [line for line in list(self.heard) if since <= line[0] <= until]
        lines = [(since, 1.0, 1.0), *lines, (until, *((0.0, 0.0) if not lines else lines[-1][1:]))]
        begin = end = since
        silent = mixture = 0.0
        for (before, *_), (now, voices, rest) in itertools.pairwise(lines):
            away = now - before > AGAIN_S  # no cycle at all
            if not away and voices > AUDIBLE:
                continue
            if end > begin and before - end > APART_S:
                break
            begin, end = (before if end == begin else begin), now
            if away or not rest > AUDIBLE:
                silent += now - before
            else:
                mixture += now - before
        return Gap(begin, end, silent, mixture)

    def loudest(self, since: float, until: float) -> float:
        """Peak of all outputs, NaN counts as infinite."""
        peaks = [max(line[1:]) if line[1] == line[1] and line[2] == line[2] else np.inf for line in
                 list(self.heard) if since <= line[0] <= until]  # fmt: skip
        return float(max(peaks, default=0.0))


@contextlib.contextmanager
def another_room(signal: NDArray[np.float32], name: str, folder: Path) -> Iterator[None]:
    """A room of which nothing is asked but to play, in a process of its own: libjack ends a process some of
    whose clients are still leaving a server that is gone while others join the next one.

    Args:
        folder: where what it plays is laid down for it.
    """
    path = folder / f"{name}.npy"
    np.save(path, signal)
    with running("rtsep.bench.live.faults.room", name, str(path)):
        deadline = time.monotonic() + JOINED_WITHIN_S
        while time.monotonic() < deadline:
            probe = jack_client("probe")
            found = probe.get_ports(f"{name}:out")
            leave(probe)
            if found:
                yield
                return
            time.sleep(LOOKS_APART_S)
        raise RtsepError(f"no client {name} within {JOINED_WITHIN_S:g} s", "look why")


if __name__ == "__main__":
    with Room(np.load(sys.argv[2]), sys.argv[1]):
        sys.stdin.read()

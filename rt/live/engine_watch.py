"""The process that keeps the engine alive, started by `rtsep.rt.session` in its place as
`python -m rtsep.rt.live.engine_watch` with the settings on stdin.

An engine that ends without being asked, or whose hop loop hangs, is started again with the same settings, on
the same memory, so with the same parameters and counters. One that cannot stay up gives way to the bypass: a
process that plays the delayed mixture and runs no model. A process of its own, because the host of a session
may be busy for seconds or be killed; it imports little, so that it is small and has little to fail by.
"""

import subprocess
import sys
import time
from collections import deque
from typing import Any

from rtsep.rt.live.engines.engine_memory import EngineMemory
from rtsep.rt.live.engines.second_keeper import SecondKeeper
from rtsep.rt.live.engines.spare_keeper import SpareKeeper
from rtsep.rt.process.block import Block
from rtsep.rt.process.child_process import end, spawn
from rtsep.rt.process.parent_watch import ParentWatch
from rtsep.rt.process.scheduling import hurry
from rtsep.rt.process.shared_memory import SharedMemory

ENGINE, BYPASS = "rtsep.rt.live.engine_process", "rtsep.rt.live.bypass_process"
POLL_S = 0.02
# The engine publishes twenty times a second while it runs; a shared machine may stall it for tenths of one.
HANG_S = 3.0
# A fault of a moment is forgiven, one that comes back at once is not: each new start costs half a second of
# silence, so the mixture is better than a fifth one.
CRASHES, CRASH_WINDOW_S = 4, 30.0
END_S = 1.2  # for each step of ending a child: all of them stay under what the session waits for this process
OWN_WORDS = (0, 2)  # exit codes of an engine that was asked to end, or that said what was refused


class EngineWatch:
    """Runs an engine, and another one after it, until told to stop.

    Args:
        settings: the engine's first line on stdin.
        block: the status that the engine publishes.
        shared: memory the engine is given: status, commands, record ring or None, that of engine changes.
        watch: true when to stop.
    """

    def __init__(
        self, settings: str, block: Block, shared: list[SharedMemory | None], watch: ParentWatch
    ) -> None:
        self._settings, self._block, self._shared, self._watch = settings, block, shared, watch
        engines = shared[-1]
        assert engines is not None
        self._seconds = SecondKeeper(EngineMemory(engines))
        self._spare = SpareKeeper(settings, shared)
        self._crashes: deque[float] = deque(maxlen=CRASHES)
        self._restarts = 0
        self._values: dict[str, Any] = {}  # the last whole snapshot: an engine may be killed while it writes

    def run(self) -> int:
        """The exit code: that of an engine that ended by its own words, 1 after a crash at its start."""
        try:
            return self._run()
        finally:
            self._spare.end()

    def _run(self) -> int:
        module = ENGINE
        while True:
            spare = self._spare.take() if module == ENGINE else None
            process = spare or spawn(None, module, self._shared, self._settings)
            if self._restarts:  # there is silence until it plays
                hurry(process.pid)
            try:
                fault = self._await_end(process)
            finally:
                self._seconds.end_all()
            if not fault:
                return process.returncode
            self._values = self._block.peek() or self._values
            if not self._values.get("stream"):  # it has never run
                return 1  # the session reads the engine's own words from the log
            self._crashes.append(time.monotonic())
            self._restarts += 1
            if module == ENGINE and self._cannot_stay_up():
                module = BYPASS
                self._spare.end()
                fault += f", {CRASHES} times within {CRASH_WINDOW_S:.0f} s: the mixture is played as it comes"
            self._tell(fault)

    def _cannot_stay_up(self) -> bool:
        return len(self._crashes) == CRASHES and self._crashes[-1] - self._crashes[0] < CRASH_WINDOW_S

    def _await_end(self, process: "subprocess.Popen[str]") -> str:
        """What went wrong; "" for an engine that was asked to end, or that said itself what was refused."""
        written, changed_at = self._block.written, time.monotonic()
        while True:
            try:
                code = process.wait(POLL_S)
            except subprocess.TimeoutExpired:
                pass
            else:
                return "" if code in OWN_WORDS or self._watch() else f"the engine ended with code {code}"
            if self._watch():
                end(process, END_S)
                return ""
            now = time.monotonic()
            if self._block.written != written:
                written, changed_at = self._block.written, now
                self._values = self._block.peek() or self._values
            elif now - changed_at > HANG_S and self._values.get("state") in ("running", "bypassed"):
                process.kill()
                process.wait()
                return f"the engine hung for {HANG_S:.0f} s"
            self._seconds.look(self._values)
            self._spare.look(self._values)

    def _tell(self, fault: str) -> None:
        """The session and whoever watches see it at once, and the next engine carries it on."""
        values = self._block.peek() or self._values
        told = {"state": "restarting", "engine_restarts": self._restarts, "last_fault": fault}
        self._block.resume()  # the engine has written since
        # the next engine has not run yet: it may take its time without being one that hangs
        self._values = values | told
        self._block.write(self._values)


def main() -> int:
    """argv: descriptors of the status block, of the command block, of the record ring (-1 for none), of the
    memory of engine changes.
    """
    watch = ParentWatch()
    fds = [int(fd) for fd in sys.argv[1:5]]
    shared = [SharedMemory(fd) if fd >= 0 else None for fd in fds]
    assert shared[0] is not None
    return EngineWatch(sys.stdin.readline().rstrip("\n"), Block(shared[0]), shared, watch).run()


if __name__ == "__main__":
    sys.exit(main())

"""`engine_watch` starts again quickly after a fault: an engine in waiting, loaded as that which plays."""

import contextlib
import json
import subprocess
import time
from typing import Any

from rtsep.rt.live.engines.engine_memory import CHANGING
from rtsep.rt.process.child_process import end, spawn
from rtsep.rt.process.shared_memory import SharedMemory

MODULE = "rtsep.rt.live.engines.spare_process"
CALM_S = 3.0  # so long an engine plays before a spare is loaded beside it
END_S = 0.5
ON_THE_PROCESSOR = ("auto", "cpu", "openvino")  # a second model may not fit into the memory of a GPU


class SpareKeeper:
    """Looked after while an engine runs; has one spare at most, for what is played now.

    Args:
        settings: of the session's start, a line of JSON.
        shared: memory that an engine is given.
    """

    def __init__(self, settings: str, shared: list[SharedMemory | None]) -> None:
        self._settings, self._shared = settings, shared
        self._process: subprocess.Popen[str] | None = None
        self._loaded: tuple[str | None, int] | None = None  # settings that were changed to, and the rate
        self._calm_since: float | None = None

    def look(self, status: dict[str, Any]) -> None:
        """Starts a spare once the engine has played for a while, and another one after a change."""
        now = time.monotonic()
        change = (status.get("change") or {}).get("state")
        if status.get("state") != "running" or change in CHANGING:
            self._calm_since = None
            return
        self._calm_since = now if self._calm_since is None else self._calm_since
        if now - self._calm_since < CALM_S:
            return
        wanted = status.get("changed_settings"), status["samplerate"]
        if wanted == self._loaded:
            return  # there, or gone of itself: it would go again
        self.end()
        self._loaded = wanted
        settings = wanted[0] or self._settings
        # read without `LiveSettings`, which would make this small process 20 MB larger
        if json.loads(settings)["backend"] in ON_THE_PROCESSOR:
            asked = json.dumps({"settings": settings, "samplerate": wanted[1]})
            self._process = spawn(None, MODULE, self._shared, asked)

    def take(self) -> "subprocess.Popen[str] | None":
        """The spare as the engine from now on, None where there is none. One that is still loading is some
        way ahead of a new process too.
        """
        process, self._process, self._loaded, self._calm_since = self._process, None, None, None
        if process is None or process.stdin is None or process.poll() is not None:
            return None
        try:
            process.stdin.write("play\n")
            process.stdin.flush()
        except OSError:
            return None
        return process

    def end(self) -> None:
        """Nobody needs it any more."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(OSError):
                process.kill()  # it holds nothing that others see
            end(process, END_S)

"""A live session in a room, to which faults are done: `with Stage(folder) as stage`."""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
import psutil

from rtsep.bench.jack_rig import JackServer
from rtsep.bench.live.faults.room import AUDIBLE, Room
from rtsep.bench.process_tree import modules
from rtsep.kernels.errors import RtsepError
from rtsep.rt.audio.test_signals import synthetic_choir
from rtsep.rt.control.command_model import CommandModel
from rtsep.rt.control.surfaces import Surfaces
from rtsep.rt.drivers.jack_options import JackOptions
from rtsep.rt.live.status import Status
from rtsep.rt.session import Session

SAMPLERATE, PERIOD = 48000, 256
WAIT_S = 60.0  # a machine that does other work starts an engine in seconds
SETTLED_S, SETTLED_BYTES = 1.0, 48000
WIRES = "room:out>in_1; voice-1>room:voices; voice-2>room:voices; residual>room:rest"
# Imported by every Python that is started with its folder on PYTHONPATH: does to an engine what a file says.
ENGINE_FAULTS = """
import os, time
try:
    from rtsep.rt.live import hop_loop
    from rtsep.rt import separator
except ImportError:
    pass
else:
    slow, nan = (os.path.join(os.path.dirname(__file__), name) for name in ("slow", "nan"))
    whole, made = hop_loop.HopLoop.run_hop, separator.Separator.process_hop
    def run_hop(self):
        if os.path.exists(slow):
            time.sleep(0.02)
        whole(self)
    def process_hop(self, hop, out):
        made(self, hop, out)
        if os.path.exists(nan):
            out[...] = float("nan")
    from dataclasses import replace
    from rtsep.rt.drivers import devices
    listed = devices._listed
    def of_one_name(sd):
        found = sorted(listed(sd), key=lambda device: device.name)
        alike = [replace(d, name="USB Audio") if d.name.startswith("twin") else d for d in found]
        return devices.number_twins(alike)
    if os.path.exists(os.path.join(os.path.dirname(__file__), "twins")):
        devices._listed = of_one_name
    hop_loop.HopLoop.run_hop, separator.Separator.process_hop = run_hop, process_hop
"""


class Stage:
    """Server, room and session; everything is away when it is left.

    Args:
        folder: for the take, state and files that injections need.
        takes: where takes go, `folder / "takes"` unless given.
        with_session: or `start` is called later.
        more: for `Session` besides.

    Attributes:
        server, room, session, surfaces, folder: of it; signal: what the room plays.
    """

    def __init__(
        self, folder: Path, takes: Path | None = None, with_session: bool = True, **more: Any
    ) -> None:
        self.folder, self._with_session, self._more = folder, with_session, more
        self.takes = folder / "takes" if takes is None else takes
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            faults = self.folder / "faults"
            faults.mkdir(exist_ok=True)
            (faults / "sitecustomize.py").write_text(ENGINE_FAULTS)
            (self.folder / "state").mkdir(exist_ok=True)
            stack.enter_context(
                environment_with(
                    PYTHONPATH=str(faults),
                    XDG_STATE_HOME=str(self.folder / "state"),
                    XDG_RUNTIME_DIR=str(self.folder / "state"),
                )
            )
            self.server = stack.enter_context(JackServer(samplerate=SAMPLERATE, period=PERIOD, waits=False))
            self.signal = synthetic_choir(SAMPLERATE, 6.0)[:, 0].astype(np.float32)
            self.room = stack.enter_context(Room(self.signal))
            self._stack = stack.pop_all()
        try:
            if self._with_session:
                self.start(**self._more)
        except BaseException:
            self._stack.close()
            raise
        return self

    def start(self, **more: Any) -> None:
        """A session with surfaces; returns when it sounds and its take is being written."""
        settings: dict[str, Any] = {"voices": 2, "latency_ms": 11, "record": self.takes} | more
        if "input" not in settings:
            settings["jack"] = JackOptions(connect=WIRES, restore=False)
        self.session = self._stack.enter_context(Session(**settings))
        model = CommandModel(self.session.control, {}, self.session.snapshot)
        self.surfaces = self._stack.enter_context(Surfaces(model, f"stage-{os.getpid()}", osc="0"))
        self.until(lambda status: self.sounds() and self.take_bytes() > SETTLED_BYTES)
        time.sleep(SETTLED_S)

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def switch(self, name: str, on: bool) -> None:
        """`slow` or `nan` of the engine."""
        path = self.folder / "faults" / name
        path.touch() if on else path.unlink()

    def sounds(self) -> bool:
        """Whether the last cycle had stems."""
        now = time.monotonic()
        return any(line[1] > AUDIBLE and now - line[0] < 0.2 for line in self.room.heard[-1:])

    def mixture_sounds(self) -> bool:
        """Whether the last cycle had something in the residual."""
        now = time.monotonic()
        return any(line[2] > AUDIBLE and now - line[0] < 0.2 for line in self.room.heard[-1:])

    def take_bytes(self) -> int:
        """How much of the input is on the disk, in all parts."""
        return sum(path.stat().st_size for path in self.takes.rglob("input.wav"))

    def until(self, holds: Callable[[Status], bool]) -> tuple[float, Status]:
        """When it held first, and the status of that moment.

        Raises:
            RtsepError: it has not come about.
        """
        deadline = time.monotonic() + WAIT_S
        while not holds(status := self.session.status()):
            if time.monotonic() > deadline:
                raise RtsepError(f"after {WAIT_S:g} s still {status.state}: {status.last_error}", "look why")
            time.sleep(0.01)
        return time.monotonic(), status

    def await_spare(self) -> None:
        """Until the engine in waiting has loaded what it needs, and sleeps.

        Raises:
            RtsepError: there is none.
        """
        deadline, before = time.monotonic() + WAIT_S, -1.0
        while time.monotonic() < deadline:
            time.sleep(SETTLED_S)
            with contextlib.suppress(RtsepError, psutil.Error):
                used = self.process("spare_process").cpu_times()
                now, before = before, used.user + used.system
                if now == before:
                    return
        raise RtsepError(f"after {WAIT_S:g} s no engine waits", "look why")

    def process(self, module: str) -> psutil.Process:
        """That of the session which runs a module, such as `recorder_process`."""
        for pid, name in modules(os.getpid()).items():
            if name == module:
                return psutil.Process(pid)
        raise RtsepError(f"no process runs {module}", "look why")


@contextlib.contextmanager
def environment_with(**variables: str) -> Any:
    """These in the environment of all that is started within."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

"""The engine process, started by `rtsep.rt.live.engine_watch` as
`python -m rtsep.rt.live.engine_process` with the settings on stdin.

It ends when stdin closes (its parent asks, or is gone) and on SIGTERM; SIGINT is the parent's to handle.

A lost device: PortAudio lists devices only when it starts, and its JACK part aborts the process when it is
terminated after the server died. So the process replaces itself (exec: same pid, same shared memory) and
takes its state along. It waits before it looks: every look opens a client of the JACK server, which costs all
other clients a part of a cycle, and a descriptor of the old client that stayed open across exec would make
the server wait for it for ever.
"""

import contextlib
import io
import json
import os
import sys
import time
from dataclasses import dataclass, replace
from typing import NoReturn, Self

import numpy as np

from rtsep.kernels.errors import RtsepError
from rtsep.models.mask_model import State
from rtsep.rt.drivers.device_stream import leave_portaudio
from rtsep.rt.drivers.driver_calls import GaveUp, after, call_driver
from rtsep.rt.live.engines.engine_memory import EngineMemory
from rtsep.rt.live.engines.loading import Loaded
from rtsep.rt.live.hop_loop import HopLoop
from rtsep.rt.live.jack_choice import choose, find_stream
from rtsep.rt.live.settings import LiveSettings
from rtsep.rt.live.status import Status
from rtsep.rt.live.stream_choice import StreamChoice
from rtsep.rt.process.block import Block
from rtsep.rt.process.child_process import run_and_leave
from rtsep.rt.process.parent_watch import ParentWatch
from rtsep.rt.process.scheduling import raise_priority
from rtsep.rt.process.shared_memory import SharedMemory
from rtsep.rt.python_process import environment, module_command
from rtsep.rt.takes.take_memory import TakeMemory

# Before each look for a lost device, the last for all further ones: a cable that is put back is found soon, a
# server that stays away or has changed is disturbed little.
PAUSES_S = (0.5, 1.0, 2.0, 4.0)
OPEN_DESCRIPTORS = "/dev/fd"  # of this process, one name each (Linux, macOS)
STANDARD_DESCRIPTORS = (0, 1, 2)


@dataclass
class Carried:
    """What an engine hands to its successor: settings, stream, everything later output depends on (None after
    an engine that failed: its state may be what made it fail), and how often the device has been looked for.
    """

    settings: LiveSettings
    choice: StreamChoice
    state: State | None
    looks: int = 0

    def save(self) -> SharedMemory:
        """Into memory that outlives exec."""
        file = io.BytesIO()
        text = json.dumps(
            {"settings": self.settings.to_json(), "choice": self.choice.as_dict(), "looks": self.looks}
        )
        arrays: dict[str, np.ndarray] = {f"state/{name}": value for name, value in (self.state or {}).items()}
        np.savez(file, allow_pickle=False, text=np.array(text), **arrays)
        shared = SharedMemory.create(file.tell())
        shared.memory[:] = file.getvalue()
        return shared

    @classmethod
    def load(cls, shared: SharedMemory) -> Self:
        """Back from `save`."""
        with np.load(io.BytesIO(shared.memory[:]), allow_pickle=False) as arrays:
            text = json.loads(str(arrays["text"]))
            state = {name[6:]: arrays[name] for name in arrays.files if name.startswith("state/")}
        settings = LiveSettings.from_json(text["settings"])
        return cls(settings, StreamChoice.from_dict(text["choice"]), state or None, text["looks"])


def keep_open(*passed: int) -> None:
    """Across exec these descriptors and standard input, output and error stay open, all others close:
    libraries leave theirs open (JACK's sockets).
    """
    for descriptor in map(int, os.listdir(OPEN_DESCRIPTORS)):
        with contextlib.suppress(OSError):  # the one that listed them is gone
            os.set_inheritable(descriptor, descriptor in (*STANDARD_DESCRIPTORS, *passed))


class EngineProcess:
    """What this process is given, and the ways to a hop loop on it.

    Args:
        fds: descriptors of the status block, of the command block, of the recorder's memory (-1 for none), of
            the memory of engine changes.
        loaded: what was loaded beforehand, for the first hop loop.
    """

    def __init__(self, fds: list[int], loaded: Loaded | None = None) -> None:
        self._fds, self._loaded = fds, loaded
        self._scheduling = raise_priority()  # before PortAudio starts threads, which inherit it
        self.block = Block(SharedMemory(fds[0]))
        self._commands = SharedMemory(fds[1])
        self.record = TakeMemory(SharedMemory(fds[2])) if fds[2] >= 0 else None
        self._engines = EngineMemory(SharedMemory(fds[3]))
        self._watch = ParentWatch()

    def begin(self, settings: LiveSettings) -> tuple[HopLoop, StreamChoice] | None:
        """The first hop loop of a session, or the one after an engine that failed.

        Returns:
            None when told to stop before there is sound.

        Raises:
            RtsepError: what was asked for cannot be had.
        """
        if stream := self.block.peek().get("stream"):
            settings = self._settings_now(settings)
            return self.resume(Carried(settings, StreamChoice.from_dict(stream), None), pause_s=0.0)
        choice = call_driver(lambda: choose(settings), self._watch)
        loop = self._hop_loop(settings, choice, None)
        call_driver(loop.open, self._watch)
        return loop, choice

    def _settings_now(self, settings: LiveSettings) -> LiveSettings:
        """Those that were changed to while it ran, where there are any."""
        changed = self.block.peek().get("changed_settings")
        return LiveSettings.from_json(changed) if changed else settings

    def resume(self, carried: Carried, pause_s: float | None = None) -> tuple[HopLoop, StreamChoice] | None:
        """The hop loop on its old device, after a pause: that of `PAUSES_S` where left out.

        Returns:
            None when told to stop before the device is back.
        """
        values = self.block.peek()
        pause_over = after(PAUSES_S[min(carried.looks, len(PAUSES_S) - 1)] if pause_s is None else pause_s)
        while not pause_over():
            if self._watch():
                self.block.write(values | {"state": "stopped"})
                return None
            time.sleep(0.02)
        try:
            choice = call_driver(lambda: find_stream(carried.choice), self._watch)
            same_rate = choice.format.samplerate == carried.choice.format.samplerate
            loop = self._hop_loop(carried.settings, choice, carried.state if same_rate else None)
            call_driver(loop.open, self._watch)
            return loop, choice
        except RtsepError as error:
            if "came back" in error.problem:
                values["last_error"] = str(error)
            self.block.write(values | {"state": "device-lost"})
            self.replace_self(replace(carried, looks=carried.looks + 1))

    def run(self, loop: HopLoop, settings: LiveSettings, choice: StreamChoice) -> None:
        """Until told to stop; goes on in a successor when the device is lost."""
        if not loop.run(self._watch):
            lost = f"{choice.format.devices} went away; waiting for it to come back"
            loop.publish("device-lost", lost, device_losses=1)
            loop.leave_device()
            self.replace_self(Carried(self._settings_now(settings), loop.choice, loop.state_dict()))
        if loop.close() and choice.format.jack is None:
            leave_portaudio()

    def replace_self(self, carried: Carried) -> NoReturn:
        """The same process from its beginning, with `carried`."""
        shared = carried.save()
        keep_open(*self._fds, shared.fd)
        command = module_command("rtsep.rt.live.engine_process", *(str(fd) for fd in (*self._fds, shared.fd)))
        os.execve(command[0], command, environment())

    def _hop_loop(self, settings: LiveSettings, choice: StreamChoice, state: State | None) -> HopLoop:
        state = None if state is None else dict(state)
        loaded, self._loaded = self._loaded, None
        return HopLoop(
            settings,
            choice,
            self.block,
            self._commands.memory,
            self.record,
            self._scheduling,
            state,
            self._engines,
            loaded,
        )


def play(process: EngineProcess, given: LiveSettings | Carried) -> int:
    """Until told to stop; the exit code."""
    try:
        if isinstance(given, Carried):
            settings, begun = given.settings, process.resume(given)
        else:
            settings, begun = given, process.begin(given)
        if begun is not None:
            process.run(begun[0], settings, begun[1])
    except GaveUp:  # told to stop while the driver hangs
        process.block.write(process.block.peek() | {"state": "stopped"})
    except RtsepError as error:
        failed = Status(state="failed", last_error=str(error)).as_dict()
        process.block.write({**failed, "error": [type(error).__name__, error.problem, error.remedy]})
        return 2
    return 0


def main() -> int:
    """argv: the descriptors of `EngineProcess`, and that of `Carried` after a lost device."""
    process = EngineProcess([int(fd) for fd in sys.argv[1:5]])
    if len(sys.argv) == 5:
        return play(process, LiveSettings.from_json(sys.stdin.readline()))
    shared = SharedMemory(int(sys.argv[5]))
    carried = Carried.load(shared)
    shared.close()
    return play(process, carried)


if __name__ == "__main__":
    run_and_leave(main)

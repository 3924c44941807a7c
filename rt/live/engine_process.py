"""The engine process, started by `rtsep.rt.session` as `python -m rtsep.rt.live.engine_process` with the
settings on stdin.

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
import select
import signal
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn, Self

import numpy as np

from rtsep.kernels import _core
from rtsep.kernels.errors import RtsepError
from rtsep.models.mask_model import State
from rtsep.rt.drivers.device_stream import leave_portaudio
from rtsep.rt.drivers.driver_calls import GaveUp, after, call_driver
from rtsep.rt.live.hop_loop import HopLoop
from rtsep.rt.live.settings import LiveSettings
from rtsep.rt.live.status import Status
from rtsep.rt.live.stream_choice import StreamChoice, choose_stream, find_again
from rtsep.rt.process.block import Block
from rtsep.rt.process.scheduling import raise_priority
from rtsep.rt.process.shared_memory import SharedMemory
from rtsep.rt.python_process import environment, module_command
from rtsep.rt.takes.recorder_process import TAKE_INPUT, refuse_earlier_files

# Before each look for a lost device, the last for all further ones: a cable that is put back is found soon, a
# server that stays away or has changed is disturbed little.
PAUSES_S = (0.5, 1.0, 2.0, 4.0)
OPEN_DESCRIPTORS = "/dev/fd"  # of this process, one name each (Linux, macOS)
STANDARD_DESCRIPTORS = (0, 1, 2)


@dataclass
class Carried:
    """What an engine hands to its successor: settings, stream, everything later output depends on, and how
    often the device has been looked for.
    """

    settings: LiveSettings
    choice: StreamChoice
    state: State
    looks: int = 0

    def save(self) -> SharedMemory:
        """Into memory that outlives exec."""
        file = io.BytesIO()
        text = json.dumps(
            {"settings": self.settings.to_json(), "choice": self.choice.as_dict(), "looks": self.looks}
        )
        arrays: dict[str, np.ndarray] = {f"state/{name}": value for name, value in self.state.items()}
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
        return cls(settings, StreamChoice.from_dict(text["choice"]), state, text["looks"])


class ParentWatch:
    """True once stdin closes, the parent is another one than at first, or SIGTERM came."""

    def __init__(self) -> None:
        self._terminated = False
        self._parent = os.getppid()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._terminate)
        self._poll = select.poll()
        self._poll.register(0, select.POLLIN | select.POLLHUP)

    def _terminate(self, *_: object) -> None:
        self._terminated = True

    def __call__(self) -> bool:
        return self._terminated or bool(self._poll.poll(0)) or os.getppid() != self._parent


def replace_self(status_fd: int, command_fd: int, record_fd: int, carried: Carried) -> NoReturn:
    """The same process from its beginning, with `carried`."""
    shared = carried.save()
    keep_open(status_fd, command_fd, record_fd, shared.fd)
    fds = [str(fd) for fd in (status_fd, command_fd, record_fd, shared.fd)]
    command = module_command("rtsep.rt.live.engine_process", *fds)
    os.execve(command[0], command, environment())


def keep_open(*passed: int) -> None:
    """Across exec these descriptors and standard input, output and error stay open, all others close:
    libraries leave theirs open (JACK's sockets).
    """
    for descriptor in map(int, os.listdir(OPEN_DESCRIPTORS)):
        with contextlib.suppress(OSError):  # the one that listed them is gone
            os.set_inheritable(descriptor, descriptor in (*STANDARD_DESCRIPTORS, *passed))


def main() -> int:
    """argv: descriptors of the status block, of the command block, of the record ring (-1 for none), of
    `Carried` after a lost device.
    """
    status_fd, command_fd, record_fd = (int(fd) for fd in sys.argv[1:4])
    scheduling = raise_priority()  # before PortAudio starts threads, which inherit it
    block = Block(SharedMemory(status_fd))
    commands = SharedMemory(command_fd)
    record = _core.SampleRing.attach(SharedMemory(record_fd).memory) if record_fd >= 0 else None
    watch = ParentWatch()
    try:
        if len(sys.argv) > 4:
            shared = SharedMemory(int(sys.argv[4]))
            carried = Carried.load(shared)
            shared.close()
            loop = _resume(carried, block, commands, record_fd, record, scheduling, watch)
            if loop is None:
                return 0
            settings, choice = carried.settings, carried.choice
        else:
            settings = LiveSettings.from_json(sys.stdin.readline())
            choice = call_driver(lambda: choose_stream(settings), watch)
            loop = HopLoop(settings, choice, block, commands.memory, record, scheduling)
            if settings.record is not None:
                refuse_earlier_files(Path(settings.record), [TAKE_INPUT, *loop.stems])
            call_driver(loop.open, watch)
        if not loop.run(watch):
            pair = f"{choice.format.input.name!r} -> {choice.format.output.name!r}"
            loop.publish("device-lost", f"{pair} went away; waiting for it to come back", device_losses=1)
            loop.leave_device()
            carried = Carried(settings, choice, loop.state_dict())
            replace_self(status_fd, command_fd, record_fd, carried)
        if loop.close():
            leave_portaudio()
    except GaveUp:  # told to stop while the driver hangs
        block.write(block.peek() | {"state": "stopped"})
    except RtsepError as error:
        failed = Status(state="failed", last_error=str(error)).as_dict()
        block.write({**failed, "error": [type(error).__name__, error.problem, error.remedy]})
        return 2
    finally:
        if record is not None:
            record.close()
    return 0


def _resume(
    carried: Carried,
    block: Block,
    commands: SharedMemory,
    record_fd: int,
    record: _core.SampleRing | None,
    scheduling: str,
    watch: ParentWatch,
) -> HopLoop | None:
    """The hop loop on its old device; None when told to stop before that is back."""
    values = block.peek()
    pause_over = after(PAUSES_S[min(carried.looks, len(PAUSES_S) - 1)])
    while not pause_over():
        if watch():
            block.write(values | {"state": "stopped"})
            return None
        time.sleep(0.02)
    try:
        choice = call_driver(lambda: find_again(carried.choice), watch)
        state = dict(carried.state)
        loop = HopLoop(carried.settings, choice, block, commands.memory, record, scheduling, state)
        call_driver(loop.open, watch)
        return loop
    except RtsepError as error:
        if "came back" in error.problem:
            values["last_error"] = str(error)
        block.write(values)
        again = replace(carried, looks=carried.looks + 1)
        replace_self(block.shared.fd, commands.fd, record_fd, again)


if __name__ == "__main__":
    code = main()
    # Without PortAudio's exit handler: it would abort on a JACK server that has died meanwhile.
    os._exit(code)

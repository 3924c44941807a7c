"""The processes of a session: started with shared memory and one line of settings, ended by closing stdin."""

import contextlib
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import IO, NoReturn

from rtsep.rt.process.shared_memory import SharedMemory
from rtsep.rt.python_process import environment, module_command

STOP_TIMEOUT_S = 5.0


def spawn(
    log: IO[bytes] | None,
    module: str,
    shared: Sequence[SharedMemory | None],
    first_line: str,
    more_fds: Sequence[int] = (),
) -> subprocess.Popen[str]:
    """Starts `python -m module FD ...`, a descriptor for each memory (-1 for None).

    Args:
        log: what it prints goes there.
        module: dotted name.
        shared: memory that it gets.
        first_line: its settings, the first line on its stdin.
        more_fds: descriptors of something else that it gets, behind those of memory.
    """
    fds = [*(memory.fd for memory in shared if memory is not None), *more_fds]
    process = subprocess.Popen(
        module_command(module, *(str(-1 if m is None else m.fd) for m in shared), *map(str, more_fds)),
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        pass_fds=fds,
        env=environment(),
        process_group=0,  # a terminal's Ctrl-C reaches the parent alone, which then ends them in order
        text=True,
    )
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it died at once: its exit code is looked at next
        process.stdin.write(first_line + "\n")
        process.stdin.flush()
    return process


def end(process: subprocess.Popen[str], timeout_s: float = STOP_TIMEOUT_S) -> None:
    """Closing stdin asks; SIGTERM and SIGKILL insist, each `timeout_s` later."""
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    for insist in (process.terminate, process.kill, None):
        try:
            process.wait(timeout_s)
            return
        except subprocess.TimeoutExpired:
            timeout_s = min(timeout_s, STOP_TIMEOUT_S)
            if insist is not None:
                insist()


def run_and_leave(main: Callable[[], int]) -> NoReturn:
    """Ends this process with the exit code of `main`, 1 for a fault, which is printed; at once: PortAudio's
    exit handler would abort on a JACK server that has died meanwhile, and after a fault the next engine waits
    for this one.
    """
    try:
        code = main()
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)

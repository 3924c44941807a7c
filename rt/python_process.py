"""How rtsep starts a Python process: without the current folder on its path, and with one thread.

`python -m` puts the current folder before the standard library: a file `onnxruntime.py` in a folder of
somebody's music would run with the rights of whoever starts a show there.
"""

import multiprocessing
import os
import sys
from multiprocessing.context import SpawnContext

# One thread for every numeric library: more give tail spikes of milliseconds (DESIGN.md, Backends).
ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
    ),
    "1",
)
SAFE_PATH = "PYTHONSAFEPATH"  # the variable that means -P (Python 3.11)


def interpreter() -> str:
    """The Python that runs this: for what starts rtsep from outside, such as a plugin in its host."""
    return sys.executable


def module_command(module: str, *arguments: str) -> list[str]:
    """The command line that runs a module of rtsep, to be started with `environment()`."""
    return [sys.executable, "-P", "-m", module, *arguments]


def environment() -> dict[str, str]:
    """This process's environment, for a Python of one thread that finds no module in the current folder.

    An empty entry of PYTHONPATH, as `PYTHONPATH=$PYTHONPATH:more` leaves it, means the current folder too.
    """
    variables = {**os.environ, **ONE_THREAD, SAFE_PATH: "1"}
    entries = variables.pop("PYTHONPATH", "").split(os.pathsep)
    kept = [entry for entry in entries if os.path.normpath(entry or os.curdir) != os.curdir]
    return variables | ({"PYTHONPATH": os.pathsep.join(kept)} if kept else {})


def spawn_context() -> SpawnContext:
    """For pools of fresh interpreters: they, and all that this process starts from now on, leave the
    current folder off their path.
    """
    os.environ[SAFE_PATH] = "1"
    return multiprocessing.get_context("spawn")


def leave_current_folder() -> None:
    """For a program run by `python -m`: what it has not imported yet never comes from the current folder,
    nor does anything in the processes it starts.
    """
    if not sys.flags.safe_path:
        del sys.path[0]
    os.environ[SAFE_PATH] = "1"

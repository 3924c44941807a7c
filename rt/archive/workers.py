"""Who runs jobs: threads that each watch a process on this machine, or a Dask cluster."""

import contextlib
import importlib
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import rtsep
from rtsep.kernels.errors import RtsepError

CONNECT_S = 10


@dataclass(frozen=True)
class Workers:
    """An executor, how many jobs it runs at a time, and its name for people."""

    executor: Executor
    at_once: int
    name: str


@contextlib.contextmanager
def local_workers(jobs: int) -> Iterator[Workers]:
    """So many processes on this machine."""
    executor = ThreadPoolExecutor(jobs)
    try:
        yield Workers(executor, jobs, f"{jobs} processes" if jobs > 1 else "1 process")
    finally:
        executor.shutdown(cancel_futures=True)


def scheduler_address(text: str) -> str:
    """`dask://HOST:PORT`, `HOST:PORT` or an address as Dask writes it.

    Raises:
        RtsepError: no host or port.
    """
    scheme, separator, place = text.rpartition("://")
    host, colon, port = place.rpartition(":")
    if not (host and colon and port.isdecimal()) or (separator and not scheme):
        raise RtsepError(
            f"--cluster {text!r} is no address", "give dask://HOST:PORT, such as dask://node1:8786"
        )
    return f"{'tcp' if scheme in ('', 'dask') else scheme}://{place}"


@contextlib.contextmanager
def cluster_workers(text: str) -> Iterator[Workers]:
    """The workers of a Dask scheduler, one job for each of their threads.

    Raises:
        RtsepError: no `distributed` here, no scheduler there, none with workers, or another rtsep on one.
    """
    address = scheduler_address(text)
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError:
        raise RtsepError("--cluster needs dask", "install it: pip install 'rtsep[archive]'") from None
    try:
        client = distributed.Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        why = " ".join(str(error).split())[:120]
        raise RtsepError(
            f"--cluster {text} cannot be reached: {why}", "start dask scheduler there"
        ) from error
    with client:
        threads = client.nthreads()
        if not threads:
            raise RtsepError(f"--cluster {text} has no workers", f"start some: dask worker {address}")
        for worker, version in client.run(_version).items():
            if version != rtsep.__version__:
                raise RtsepError(
                    f"worker {worker} has rtsep {version}, this is {rtsep.__version__}",
                    "install the same one there",
                )
        count = sum(threads.values())
        yield Workers(client.get_executor(pure=False, retries=0), count, f"{count} workers at {address}")


def _version() -> str:
    return rtsep.__version__

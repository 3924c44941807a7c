"""Minutes of a live run beside a bare client: is an xrun rtsep's, or the machine's?

    python -m rtsep.bench.live.beside --latency 11 --period 128,256 --seconds 300

A JACK server with the dummy driver runs rtsep and, in the same graph, `jack_thru`: a C program that copies
its input to its output and does nothing else. The server does not wait for late clients, and its log names
those that were not finished when the next cycle began. The same is then run without rtsep, by default for a
fifth of the time: what is counted there is the machine's.
"""

import json
import os
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from rtsep.bench.demo.band import read_band
from rtsep.bench.hop.machine import MEBIBYTE
from rtsep.bench.jack_rig import JackServer, Rig
from rtsep.kernels.errors import RtsepError
from rtsep.rt.cli.option_types import STEMS
from rtsep.rt.session import Session

SAMPLERATE = 48000
BARE = "bare"
BARE_PROGRAM = "jack_thru"
STARTED_S = 3.0  # servers and engines settle: nothing is counted before
UNFINISHED = re.compile(r"client = (\S+) was not finished")
DRIVER_LATE = "JackTimedDriver::Process XRun"  # the server's own thread woke up too late
DRIVER = "server"


@dataclass(frozen=True)
class BesideResult:
    """One run.

    Attributes:
        period: frames of a JACK cycle; seconds: counted; with_rtsep: or the bare client alone.
        rig_xruns: told by the server to the client that plays.
        unfinished: cycles in which a client was not finished, by its name in the server's log (rtsep is
            called PortAudio); `server` where the server itself was late.
        xruns, late_hops, fallback_samples: of rtsep's status.
        hop_time_p50, hop_time_p99, hop_time_max: share of a hop; median, median and largest of what the
            status tells every second of the last seconds.
        resident_mib: memory of the engine at the end.
        load: of the machine over a minute, before and after.
    """

    period: int
    seconds: float
    with_rtsep: bool
    rig_xruns: int
    unfinished: dict[str, int]
    xruns: int
    late_hops: int
    fallback_samples: int
    hop_time_p50: float
    hop_time_p99: float
    hop_time_max: float
    resident_mib: float
    scheduling: str
    load: tuple[float, float]


@contextmanager
def bare_client() -> Iterator[None]:
    """The C program in the graph.

    Raises:
        RtsepError: it is not installed.
    """
    program = shutil.which(BARE_PROGRAM)
    if program is None:
        raise RtsepError(f"{BARE_PROGRAM} is not installed", "apt install jackd2")
    process = subprocess.Popen([program, BARE], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(5)


def run_beside(
    mixture: NDArray[np.float32], stems: tuple[str, ...], latency_ms: int, period: int, with_rtsep: bool
) -> BesideResult:
    """Plays `mixture` float32 [frames] at 48 kHz into rtsep, or into the bare client alone.

    Raises:
        RtsepError: no JACK, or a model that has no such stems.
    """
    load = os.getloadavg()[0]
    with JackServer(samplerate=SAMPLERATE, period=period, waits=False) as server, bare_client():
        if with_rtsep:
            with Session(stems=stems, latency_ms=latency_ms) as session:
                counted = _play(mixture, server, session, None)
        else:
            counted = _play(mixture, server, None, BARE)
    return BesideResult(
        period=period, with_rtsep=with_rtsep, seconds=round(len(mixture) / SAMPLERATE, 1),
        load=(load, os.getloadavg()[0]), **counted,
    )  # fmt: skip


def _play(
    mixture: NDArray[np.float32], server: JackServer, session: Session | None, target: str | None
) -> dict[str, Any]:
    rig = Rig(0, len(mixture) / SAMPLERATE + STARTED_S + 5.0, *([] if target is None else [target]))
    with rig:
        rig.connect(timeout_s=20.0)
        time.sleep(STARTED_S)
        before_log, before_rig = _unfinished(server), rig.xruns
        before = session.status() if session is not None else None
        hops = []
        rig.start(mixture)
        end = time.monotonic() + len(mixture) / SAMPLERATE
        while time.monotonic() < end:
            time.sleep(1.0)
            if session is not None:
                status = session.status()
                hops.append((status.hop_time_p50, status.hop_time_p99, status.hop_time_max))
        after = session.status() if session is not None else None
        found: dict[str, Any] = {
            "rig_xruns": rig.xruns - before_rig,
            "unfinished": dict(_unfinished(server) - before_log),
        }
    if before is None or after is None:
        return found | dict.fromkeys(_OF_RTSEP, 0) | {"scheduling": ""}
    p50, p99, longest = np.array(hops).T
    return found | {
        "xruns": after.xruns - before.xruns,
        "late_hops": after.late_hops - before.late_hops,
        "fallback_samples": after.fallback_samples - before.fallback_samples,
        "hop_time_p50": round(float(np.median(p50)), 4),
        "hop_time_p99": round(float(np.median(p99)), 4),
        "hop_time_max": round(float(np.max(longest)), 4),
        "resident_mib": round(_resident_bytes(after.engine_pid) / MEBIBYTE, 1),
        "scheduling": after.scheduling,
    }


_OF_RTSEP = (
    "xruns", "late_hops", "fallback_samples", "hop_time_p50", "hop_time_p99", "hop_time_max", "resident_mib"
)  # fmt: skip


def _unfinished(server: JackServer) -> Counter[str]:
    """How often the server's log names each client as the one that was late."""
    return late_clients(server.log())


def late_clients(log: str) -> Counter[str]:
    """Cycles by the name of who was late, `server` for the server itself."""
    found = Counter(UNFINISHED.findall(log))
    found[DRIVER] = log.count(DRIVER_LATE)
    return found


def _resident_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return 1024 * int(line.split()[1])
    return 0


def _mixture(path: Path | None, seconds: float) -> NDArray[np.float32]:
    """A file, or the band of the demo, over and over: float32 [frames] at 48 kHz."""
    if path is None:
        band = read_band()
        mono, rate = band.mixture, band.samplerate
    else:
        audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
        mono = audio.mean(axis=1)
    mono = mono if rate == SAMPLERATE else soxr.resample(mono, rate, SAMPLERATE)
    return np.resize(mono, round(seconds * SAMPLERATE)).astype(np.float32)


@click.command()
@click.option("--stems", type=STEMS, default="vocals,drums,bass,other", show_default=True, metavar="LIST")
@click.option("--latency", "latency_ms", default=11, show_default=True, help="Preset in ms.")
@click.option("--period", "periods", default="128,256", show_default=True, help="Frames of a JACK cycle.")
@click.option("--seconds", default=300.0, show_default=True, help="Of each run with rtsep.")
@click.option("--bare-seconds", type=float, help="Of each run without; a fifth unless given.")
@click.option("--input", "path", type=click.Path(exists=True, path_type=Path), help="Music; the demo's band.")
def main(
    stems: tuple[str, ...],
    latency_ms: int,
    periods: str,
    seconds: float,
    bare_seconds: float | None,
    path: Path | None,
) -> None:
    """Runs rtsep beside a bare JACK client, then the bare client alone; one JSON object per run."""
    for period in map(int, periods.split(",")):
        for with_rtsep in (True, False):
            length = seconds if with_rtsep else bare_seconds or seconds / 5.0
            result = run_beside(_mixture(path, length), stems, latency_ms, period, with_rtsep)
            click.echo(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()

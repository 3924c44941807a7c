"""A long live run with everything that can disturb it, beside a bare JACK client:

    python -m rtsep.bench.live.long_show --minutes 30 --clients 5

A choir through a JACK server with the dummy driver, its take being recorded; a thousand OSC messages a
second; somebody who asks the page's server for what is to be refused; a busy process on one core; in turns no
page is open, and several are. In the same graph runs `jack_thru`, a C program that only copies; on a second
server, without rtsep, another one. At the end the take is separated again as a file, skipping the hops that
it says were skipped, and compared sample for sample.
"""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from rtsep.bench.demo.choir import render_choir
from rtsep.bench.jack_rig import JackServer
from rtsep.bench.live.beside import bare_client, late_clients
from rtsep.bench.live.osc_flood import flooding
from rtsep.bench.live.player import playing
from rtsep.bench.live.show_table import say
from rtsep.bench.live.through_jack import load_mixture
from rtsep.bench.live.web_abuse import abusing
from rtsep.bench.live.web_clients import Turn, open_pages
from rtsep.bench.live.windows import Histogram
from rtsep.bench.take_check import replay
from rtsep.rt.cli.session_actions import session_actions, session_name
from rtsep.rt.control.command_model import CommandModel
from rtsep.rt.control.surfaces import Surfaces
from rtsep.rt.drivers.jack_options import JackOptions
from rtsep.rt.process.block import Block
from rtsep.rt.python_process import environment, interpreter
from rtsep.rt.separator import Separator
from rtsep.rt.session import Session

SAMPLERATE = 48000
SETTLE_S = 5.0  # servers, engine and pages settle: nothing is counted before
COUNTERS = (
    "xruns",
    "late_hops",
    "skipped_hops",
    "fallback_samples",
    "input_lost_frames",
    "nonfinite_samples",
)
BUSY = "import os\nos.sched_setaffinity(0, {{{core}}})\nwhile True: pass"


@dataclass(frozen=True)
class Show:
    """What is played, and what disturbs it."""

    voices: int
    latency_ms: int
    period: int
    clients: int
    rate: float
    messages: float
    load_core: int | None


@contextlib.contextmanager
def busy_core(core: int | None) -> Any:
    """A process that never rests, on one core; none without."""
    if core is None:
        yield
        return
    process = subprocess.Popen([interpreter(), "-P", "-c", BUSY.format(core=core)], env=environment())
    try:
        yield
    finally:
        process.kill()
        process.wait()


def resident_kib(pid: int) -> dict[str, int]:
    """Memory of a process and of all that it started, by module (rtsep's own only)."""
    parents, found = {}, {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
    mine = {pid}
    while more := {child for child, parent in parents.items() if parent in mine} - mine:
        mine |= more
    for one in mine:
        with contextlib.suppress(OSError, StopIteration):
            words = Path(f"/proc/{one}/cmdline").read_text().split("\0")
            module = next(
                (word for word in words if word.startswith("rtsep.rt.")), "host" if one == pid else ""
            )
            lines = Path(f"/proc/{one}/status").read_text().splitlines()
            size = int(next(line for line in lines if line.startswith("VmRSS:")).split()[1])
            if module:
                found[module.rpartition(".")[2]] = size
    return found


class Running:
    """A show that runs: what it has counted so far, and turns with and without pages."""

    def __init__(self, show: Show, session: Session, url: str, server: JackServer, alone: JackServer) -> None:
        self.show, self._session, self._url = show, session, url
        self._servers = {"beside": server, "alone": alone}
        self._block = Block(session.memories[0])

    def counted(self) -> dict[str, Any]:
        """Counters, late clients of both servers, all hop times."""
        status = self._session.status()
        late = {name: late_clients(server.log()) for name, server in self._servers.items()}
        return {
            "at": time.monotonic(),
            "counters": {name: getattr(status, name) for name in COUNTERS},
            "late": late,
            "histogram": Histogram.of(self._block.peek()),
        }

    def turn(self, number: int, seconds: float) -> tuple[dict[str, Any], Histogram]:
        """One window; every second one has pages."""
        pages = Turn(self.show.clients * (number % 2))
        with open_pages(self._url, pages.clients, self.show.rate, pages):
            time.sleep(SETTLE_S)
            before = self.counted()
            time.sleep(seconds - SETTLE_S)
            after = self.counted()
        hops = after["histogram"].since(before["histogram"])
        found = difference(before, after)
        found |= {"clients": pages.clients, "frames_per_s": pages.frames_per_s, "hops": hops.hops}
        return found | hops.told() | {"load": round(os.getloadavg()[0], 2)}, hops


def difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """What was counted between two moments."""
    return {
        "seconds": round(after["at"] - before["at"], 1),
        **{name: value - before["counters"][name] for name, value in after["counters"].items()},
        **{f"late_{name}": dict(late - before["late"][name]) for name, late in after["late"].items()},
    }


def run_show(
    show: Show, recording: NDArray[np.float32], windows: int, window_s: float, folder: Path
) -> tuple[dict[str, Any], Histogram]:
    """Plays `recording` float32 [frames] over and over, in `windows` turns; the take lies in `folder`.

    Raises:
        RtsepError: no JACK, or a folder that cannot be had.
    """
    jack = JackOptions(connect="none", restore=False)
    stack = contextlib.ExitStack()
    with stack:
        alone = stack.enter_context(JackServer(samplerate=SAMPLERATE, period=show.period, waits=False))
        stack.enter_context(bare_client())
        server = stack.enter_context(JackServer(samplerate=SAMPLERATE, period=show.period, waits=False))
        stack.enter_context(bare_client())
        session = stack.enter_context(
            Session(voices=show.voices, latency_ms=show.latency_ms, record=folder / "takes", jack=jack)
        )
        model = CommandModel(session.control, session_actions(session), session.snapshot)
        surfaces = Surfaces(model, session_name(None), osc="0", web="0", memories=session.memories)
        stack.enter_context(surfaces)
        assert surfaces.osc is not None
        assert surfaces.web is not None
        stems = session.status().stems
        wires = ["player:out>rtsep:in_1", "player:out>bare:input_1"]
        wires += [f"rtsep:{stem}>system:playback_{k + 1}" for k, stem in enumerate(stems)]
        player = stack.enter_context(playing(recording, folder, wires))
        stack.enter_context(busy_core(show.load_core))
        running = Running(show, session, surfaces.web.url, server, alone)
        with (
            flooding(surfaces.osc.address[1], show.messages, stems) as flood,
            abusing(surfaces.web.url) as abuse,
        ):
            time.sleep(SETTLE_S)
            begin, memory = running.counted(), resident_kib(os.getpid())
            turns = [_told(running.turn(number, window_s)) for number in range(windows)]
            end, memory_end = running.counted(), resident_kib(os.getpid())
            with urllib.request.urlopen(f"{surfaces.web.url}api/status") as answer:
                web = json.loads(answer.read())["web"]
        osc = {name: getattr(surfaces.osc, name) for name in ("accepted", "refused", "malformed")}
    status = session.status()
    everything = {with_pages: Histogram(np.zeros_like(begin["histogram"].counts)) for with_pages in (0, 1)}
    for number, (_, hops) in enumerate(turns):
        everything[number % 2] = everything[number % 2].joined(hops)
    without, with_pages = everything[0].told(), everything[1].told()
    found = {
        "show": asdict(show),
        "hop_us": round(1e6 * status.hop / SAMPLERATE, 1),
        "turns": [told for told, _ in turns],
        "without_clients": without,
        "with_clients": with_pages,
        "p99_ratio": round(with_pages["p99_us"] / without["p99_us"], 3),
        "all": difference(begin, end) | end["histogram"].since(begin["histogram"]).told(),
        "player": player,
        "osc": {"flood": flood, **osc},
        "web": {**web, "abuse": abuse},
        "resident_kib": {name: (memory.get(name), size) for name, size in memory_end.items()},
        "engine_restarts": status.engine_restarts,
        "take": {"state": status.record_state, "seconds": round(status.record_frames / SAMPLERATE, 1)},
        "scheduling": status.scheduling,
    }
    folder_of_take = Path(status.record_take)
    separator = Separator.load(voices=show.voices, samplerate=SAMPLERATE, latency_ms=show.latency_ms)
    click.echo("the take is separated again as a file ...", err=True)
    found["take"] |= asdict(replay(folder_of_take, separator))
    return found, end["histogram"].since(begin["histogram"])


def _told(turn: tuple[dict[str, Any], Histogram]) -> tuple[dict[str, Any], Histogram]:
    click.echo(json.dumps(turn[0]), err=True)
    return turn


@click.command()
@click.option("--minutes", default=30.0, show_default=True)
@click.option(
    "--window", "window_s", default=300.0, show_default=True, help="Seconds without pages, then with."
)
@click.option("--clients", default=5, show_default=True, help="Pages in every second window.")
@click.option("--rate", default=30.0, show_default=True, help="Frames a second of each page.")
@click.option("--messages", default=1000.0, show_default=True, help="OSC messages a second.")
@click.option(
    "--load-core", default=(os.cpu_count() or 1) - 1, show_default=True, help="Kept busy; -1: none."
)
@click.option("--voices", default=4, show_default=True)
@click.option("--latency", "latency_ms", default=11, show_default=True, help="Preset in ms.")
@click.option("--period", default=256, show_default=True, help="Frames of a JACK cycle.")
@click.option(
    "--input", "path", type=click.Path(exists=True, path_type=Path), help="A choir; the demo's own."
)
@click.option(
    "--folder", type=click.Path(path_type=Path), help="Keep the take here; thrown away unless given."
)
@click.option("--hdr", type=click.Path(path_type=Path), help="All hop times as an HDR histogram (.hgrm).")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Everything that was found.")
def main(
    minutes: float,
    window_s: float,
    clients: int,
    rate: float,
    messages: float,
    load_core: int,
    voices: int,
    latency_ms: int,
    period: int,
    path: Path | None,
    folder: Path | None,
    hdr: Path | None,
    json_file: Path | None,
) -> None:
    """A long show with load, flood, take and pages; a table at the end."""
    windows = round(60.0 * minutes / window_s)
    if windows < 2 or window_s <= 2 * SETTLE_S:
        raise click.UsageError(
            f"{minutes:g} min have {windows} windows of {window_s:g} s; give two at least, longer than 10 s"
        )
    recording = render_choir().mixture if path is None else load_mixture(path, _seconds(path))
    show = Show(
        voices, latency_ms, period, clients, rate, messages, load_core if load_core >= 0 else None
    )  # fmt: skip
    place = Path(tempfile.mkdtemp(prefix="rtsep-show-")) if folder is None else folder
    place.mkdir(parents=True, exist_ok=True)
    try:
        found, hops = run_show(show, recording.astype(np.float32), windows, window_s, place)
    finally:
        if folder is None:
            shutil.rmtree(place)
    if json_file is not None:
        json_file.write_text(json.dumps(found, indent=1) + "\n")
    if hdr is not None:
        hops.write(hdr)
    say(found)


def _seconds(path: Path) -> float:
    import soundfile

    return float(soundfile.info(path).duration)


if __name__ == "__main__":
    main()

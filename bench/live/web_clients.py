"""What pages of `--web` cost the engine: `python -m rtsep.bench.live.web_clients --clients 5 --rate 30`.

A choir of four through a JACK server with the dummy driver; in turns no page is open, and several are. Each
page takes every frame at its rate, in a process beside the server's. Shown: p50 and p99 of the hop times in
both, as medians of what the status tells of its last seconds, and their ratio. Turns alternate in one run, so
that both meet the same machine.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Self

import click
import numpy as np

from rtsep.bench.demo.choir import render_choir
from rtsep.bench.jack_rig import JackServer, Rig
from rtsep.rt.cli.session_actions import session_actions, session_name
from rtsep.rt.control.command_model import CommandModel
from rtsep.rt.control.surfaces import Surfaces
from rtsep.rt.drivers.jack_options import JackOptions
from rtsep.rt.live.meters import HOP_TIME_SECONDS
from rtsep.rt.python_process import environment, module_command
from rtsep.rt.session import Session

LEAST = 19  # nice value
SETTLE_S = HOP_TIME_SECONDS + 1.0  # until the status tells nothing of the turn before


@dataclass
class Turn:
    """Hop times as shares of a hop, one for each second; what was counted meanwhile.

    Attributes:
        frames_per_s: that each page got.
    """

    clients: int
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    late_hops: int = 0
    xruns: int = 0
    frames_per_s: float = 0.0


async def _watch(url: str, clients: int) -> None:
    """For every line on standard input: pages that take that many frames a second, none for 0; answers how
    many frames have come so far. Ends when standard input closes.
    """
    import aiohttp

    frames = 0

    async def page(session: aiohttp.ClientSession, rate: float) -> None:
        nonlocal frames
        async with session.ws_connect(f"{url}api/live", max_msg_size=0) as live:
            await live.send_json({"type": "subscribe", "rate": rate})
            async for _ in live:
                frames += 1

    async with aiohttp.ClientSession() as session:
        pages: list[asyncio.Task[None]] = []
        drawn = 0.0
        while line := await asyncio.to_thread(sys.stdin.readline):
            if (rate := float(line)) != drawn:
                for one in pages:
                    one.cancel()
                await asyncio.gather(*pages, return_exceptions=True)
                pages = [asyncio.create_task(page(session, rate)) for _ in range(clients if rate else 0)]
                drawn = rate
            print(frames, flush=True)


class Pages:
    """Pages in a process beside the server's, none open at first.

    They stand for phones, which take no time from the machine that they watch: the process is the least of
    all, or has a core where the engine is not.

    Args:
        url: of the server.
        clients: how many are open when they are.
        core: where they run, anywhere where None.
    """

    def __init__(self, url: str, clients: int, core: int | None = None) -> None:
        self.clients = clients
        command = module_command(
            "rtsep.bench.live.web_clients", "--watch", url, "--clients", str(clients)
        )  # fmt: skip
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
        )
        if core is None:
            os.setpriority(os.PRIO_PROCESS, self._process.pid, LEAST)
        else:
            os.sched_setaffinity(self._process.pid, {core})
        self._told = 0
        self.draw(0.0)

    def draw(self, rate: float) -> float:
        """From now on pages take `rate` frames a second, 0: they are closed; the same rate again changes
        nothing. Returns how many frames each has got since it was told last.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{rate}\n")
        self._process.stdin.flush()
        before, self._told = self._told, int(self._process.stdout.readline())
        return (self._told - before) / self.clients

    def close(self) -> None:
        """Ends the process."""
        self._process.communicate("")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def measure(session: Session, pages: Pages, number: int, rate: float, seconds: float) -> Turn:
    """One turn; every second one has pages."""
    turn = Turn(pages.clients * (number % 2))
    pages.draw(rate * (number % 2))
    started = time.monotonic()
    time.sleep(SETTLE_S)
    before = session.status()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(1.0)
        status = session.status()
        turn.p50.append(status.hop_time_p50)
        turn.p99.append(status.hop_time_p99)
    turn.frames_per_s = round(pages.draw(0.0) / (time.monotonic() - started), 1)
    turn.late_hops, turn.xruns = status.late_hops - before.late_hops, status.xruns - before.xruns
    return turn


def compared(turns: list[Turn]) -> dict[str, float]:
    """Medians with and without pages, and their ratios."""
    found: dict[str, float] = {}
    for name in ("p50", "p99"):
        without, with_pages = (
            statistics.median(v for turn in turns if bool(turn.clients) is some for v in getattr(turn, name))
            for some in (False, True)
        )
        found |= {f"{name}_without": without, f"{name}_with": with_pages}
        found[f"{name}_ratio"] = round(with_pages / without, 3)
    return found


@click.command()
@click.option("--clients", default=5, show_default=True)
@click.option("--rate", default=30.0, show_default=True, help="Frames a second of each page.")
@click.option("--seconds", default=60.0, show_default=True, help="Of each turn.")
@click.option("--rounds", default=2, show_default=True, help="Turns without pages, each with one beside it.")
@click.option("--latency", "latency_ms", default=11, show_default=True)
@click.option("--period", default=128, show_default=True, help="Frames of a JACK cycle.")
@click.option("--watch", hidden=True, help="Only opens pages of this address.")
def main(
    clients: int, rate: float, seconds: float, rounds: int, latency_ms: int, period: int, watch: str | None
) -> None:
    """Hop times with pages and without, in turns."""
    if watch is not None:
        asyncio.run(_watch(watch, clients))
        return
    choir, turns = render_choir().mixture, []
    length_s = (seconds + SETTLE_S + 2.0) * 2 * rounds
    jack = JackOptions(connect="none", restore=False)
    with (
        JackServer(period=period, waits=False),
        Session(voices=4, latency_ms=latency_ms, jack=jack) as session,
        Rig(0, 1.0, "rtsep") as rig,
    ):
        model = CommandModel(session.control, session_actions(session), session.snapshot)
        with Surfaces(model, session_name(None), web="0", memories=session.memories) as surfaces:
            assert surfaces.web is not None
            rig.connect()
            rig.start(np.resize(choir, round(length_s * 48000)))
            with Pages(surfaces.web.url, clients) as pages:
                for number in range(2 * rounds):
                    turn = measure(session, pages, number, rate, seconds)
                    turns.append(turn)
                    told = {name: statistics.median(getattr(turn, name)) for name in ("p50", "p99")}
                    click.echo(json.dumps({**asdict(turn), **told, "load": os.getloadavg()[0]}))
    click.echo(json.dumps(compared(turns)))


if __name__ == "__main__":
    main()

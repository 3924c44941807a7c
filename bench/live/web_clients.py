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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

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


async def _watch(url: str, clients: int, rate: float) -> None:
    """Opens pages until standard input closes; prints how many frames came."""
    import aiohttp

    frames = 0

    async def page(session: aiohttp.ClientSession) -> None:
        nonlocal frames
        async with session.ws_connect(f"{url}api/live", max_msg_size=0) as live:
            await live.send_json({"type": "subscribe", "rate": rate})
            async for message in live:
                json.loads(message.data)
                frames += 1

    async with aiohttp.ClientSession() as session:
        pages = [asyncio.create_task(page(session)) for _ in range(clients)]
        await asyncio.to_thread(sys.stdin.read)
        for one in pages:
            one.cancel()
    print(frames)


@contextmanager
def open_pages(url: str, clients: int, rate: float, turn: Turn) -> Iterator[None]:
    """Pages in a process of their own."""
    if not clients:
        yield
        return
    command = module_command(
        "rtsep.bench.live.web_clients", "--watch", url, "--clients", str(clients), "--rate", str(rate)
    )
    started = time.monotonic()
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
    )
    try:
        yield
    finally:
        out, _ = process.communicate("")
        turn.frames_per_s = round(int(out) / (time.monotonic() - started) / clients, 1)


def measure(session: Session, url: str, clients: int, rate: float, seconds: float) -> Turn:
    """One turn."""
    turn = Turn(clients)
    with open_pages(url, clients, rate, turn):
        time.sleep(SETTLE_S)
        before = session.status()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(1.0)
            status = session.status()
            turn.p50.append(status.hop_time_p50)
            turn.p99.append(status.hop_time_p99)
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
        asyncio.run(_watch(watch, clients, rate))
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
            for number in range(2 * rounds):
                turn = measure(session, surfaces.web.url, clients * (number % 2), rate, seconds)
                turns.append(turn)
                told = {name: statistics.median(getattr(turn, name)) for name in ("p50", "p99")}
                click.echo(json.dumps({**asdict(turn), **told, "load": os.getloadavg()[0]}))
    click.echo(json.dumps(compared(turns)))


if __name__ == "__main__":
    main()

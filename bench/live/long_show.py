"""A long live run with everything that can disturb it, beside a bare JACK client:

    python -m rtsep.bench.live.long_show --minutes 30 --clients 5

A choir through a JACK server with the dummy driver, its take being recorded; a thousand OSC messages a
second; somebody who asks the page's server for what is to be refused; a busy process on one core. In each
window no page is open and several are, in spells of some twenty seconds: two minutes of one machine differ by
more than a page costs. In the same graph runs `jack_thru`, a C program that only copies; on a second
server, without rtsep, another one. At the end the take is separated again as a file, skipping the hops that
it says were skipped, and compared sample for sample.
"""

import contextlib
import json
import os
import shutil
import tempfile
import time
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import click
import numpy as np
import soundfile
from numpy.typing import NDArray

from rtsep.bench.demo.choir import render_choir
from rtsep.bench.jack_rig import JackServer
from rtsep.bench.live.beside import bare_client, late_clients
from rtsep.bench.live.osc_flood import flooding
from rtsep.bench.live.player import playing
from rtsep.bench.live.show_table import say
from rtsep.bench.live.teller import busy_core
from rtsep.bench.live.through_jack import load_mixture
from rtsep.bench.live.web_abuse import abusing
from rtsep.bench.live.web_clients import Pages
from rtsep.bench.live.windows import Histogram, difference, joined, ratio_of_pairs
from rtsep.bench.process_tree import processor_s, resident_kib
from rtsep.bench.take_check import replay
from rtsep.rt.cli.session_actions import session_actions, session_name
from rtsep.rt.control.command_model import CommandModel
from rtsep.rt.control.surfaces import Surfaces
from rtsep.rt.drivers.jack_options import JackOptions
from rtsep.rt.process.block import Block
from rtsep.rt.separator import Separator
from rtsep.rt.session import Session

SAMPLERATE = 48000
SETTLE_S = 5.0  # servers and engine settle: nothing is counted before
SPELL_S, SPELL_SETTLE_S = 20.0, 2.0  # without pages or with; until they are open, or closed
COUNTERS = (
    "xruns",
    "late_hops",
    "skipped_hops",
    "fallback_samples",
    "input_lost_frames",
    "nonfinite_samples",
)


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


@dataclass(frozen=True)
class Spell:
    """Some seconds with pages, or without.

    Attributes:
        counted: as `difference` gives it; frames_per_s: that each page got.
        processor: share of a core by module.
    """

    with_pages: bool
    hops: Histogram
    counted: dict[str, Any]
    frames_per_s: float
    processor: dict[str, float]


class Running:
    """A show that runs: what it has counted so far, and windows with and without pages."""

    def __init__(
        self, show: Show, session: Session, pages: Pages, server: JackServer, alone: JackServer
    ) -> None:
        self.show, self._session, self._pages = show, session, pages
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

    def window(self, seconds: float) -> tuple[dict[str, Any], list[Spell]]:
        """Spells without pages and with, until it is over."""
        pairs = max(1, round(seconds / (2 * SPELL_S)))
        order = [bool((k + k // 2) % 2) for k in range(2 * pairs)]  # 0 1 1 0 0 1 1 0: a drift meets both
        spells = [self._spell(seconds / (2 * pairs), with_pages=one) for one in order]
        told: dict[str, Any] = {"seconds": round(seconds, 1), "load": round(os.getloadavg()[0], 2)}
        for name, some in (("without", False), ("with", True)):
            mine = [spell for spell in spells if spell.with_pages is some]
            told[name] = joined([spell.hops for spell in mine]).told() | {
                key: sum(spell.counted[key] for spell in mine) for key in ("seconds", *COUNTERS)
            }
        told["frames_per_s"] = round(mean(s.frames_per_s for s in spells if s.with_pages), 1)
        told["p99_ratio"] = round(told["with"]["p99_us"] / told["without"]["p99_us"], 3)
        return told, spells

    def _spell(self, seconds: float, *, with_pages: bool) -> Spell:
        self._pages.draw(self.show.rate if with_pages else 0.0)
        time.sleep(SPELL_SETTLE_S)
        self._pages.draw(self.show.rate if with_pages else 0.0)
        before, used = self.counted(), processor_s(os.getpid())
        time.sleep(seconds - SPELL_SETTLE_S)
        after, used_then = self.counted(), processor_s(os.getpid())
        frames = self._pages.draw(0.0)
        passed = after["at"] - before["at"]
        return Spell(
            with_pages,
            after["histogram"].since(before["histogram"]),
            difference(before, after),
            frames / passed,
            {name: (value - used.get(name, 0.0)) / passed for name, value in used_then.items()},
        )


def run_show(
    show: Show, recording: NDArray[np.float32], windows: int, window_s: float, folder: Path
) -> tuple[dict[str, Any], Histogram]:
    """Plays `recording` float32 [frames] over and over, for so many windows; the take lies in `folder`.

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
        pages = stack.enter_context(Pages(surfaces.web.url, show.clients, show.load_core))
        running = Running(show, session, pages, server, alone)
        with (
            flooding(surfaces.osc.address[1], show.messages, stems) as flood,
            abusing(surfaces.web.url) as abuse,
        ):
            time.sleep(SETTLE_S)
            begin, memory = running.counted(), resident_kib(os.getpid())
            found_windows = [_told(running.window(window_s)) for _ in range(windows)]
            end, memory_end = running.counted(), resident_kib(os.getpid())
            with urllib.request.urlopen(f"{surfaces.web.url}api/status") as answer:
                web = json.loads(answer.read())["web"]
        osc = {name: getattr(surfaces.osc, name) for name in ("accepted", "refused", "malformed")}
    status = session.status()
    spells = [spell for _, some in found_windows for spell in some]
    without, with_pages = ([s for s in spells if s.with_pages is some] for some in (False, True))
    found = {
        "show": asdict(show),
        "hop_us": round(1e6 * status.hop / SAMPLERATE, 1),
        "windows": [told for told, _ in found_windows],
        "without_clients": joined([spell.hops for spell in without]).told(),
        "with_clients": joined([spell.hops for spell in with_pages]).told(),
        **{
            f"{name}_ratio": ratio_of_pairs(
                [spell.hops.percentile_us(share) for spell in without],
                [spell.hops.percentile_us(share) for spell in with_pages],
            )
            for name, share in (("p50", 0.5), ("p99", 0.99))
        },
        "processor": {
            name: [round(mean(s.processor.get(name, 0.0) for s in some), 4) for some in (without, with_pages)]
            for name in spells[-1].processor
        },
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


def _told(window: tuple[dict[str, Any], list[Spell]]) -> tuple[dict[str, Any], list[Spell]]:
    click.echo(json.dumps(window[0]), err=True)
    return window


@click.command()
@click.option("--minutes", default=30.0, show_default=True)
@click.option("--window", "window_s", default=300.0, show_default=True, help="Seconds of a row of the table.")
@click.option(
    "--clients",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="Pages in every second spell of a window.",
)
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
    "--folder", type=click.Path(path_type=Path), help="Keep the take here; else it stays only if it differs."
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
    if windows < 1 or window_s < SPELL_S:
        raise click.UsageError(
            f"{minutes:g} min have {windows} windows of {window_s:g} s; give one at least, of 20 s or longer"
        )
    recording = render_choir().mixture if path is None else load_mixture(path, soundfile.info(path).duration)
    show = Show(
        voices, latency_ms, period, clients, rate, messages, load_core if load_core >= 0 else None
    )  # fmt: skip
    place = Path(tempfile.mkdtemp(prefix="rtsep-show-")) if folder is None else folder
    place.mkdir(parents=True, exist_ok=True)
    differ = 0
    try:
        found, hops = run_show(show, recording.astype(np.float32), windows, window_s, place)
        differ = found["take"]["different"]
    finally:
        if folder is None and not differ:
            shutil.rmtree(place)
    if json_file is not None:
        json_file.write_text(json.dumps(found, indent=1) + "\n")
    if hdr is not None:
        hops.write(hdr)
    say(found)
    if differ:
        raise click.ClickException(f"the take is not what the file path gives; it is kept in {place}")


if __name__ == "__main__":
    main()

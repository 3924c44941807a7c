"""What a change of engines costs the hops of a show: `python -m rtsep.bench.live.change_cost`.

A session plays through a JACK server of its own; hop times are read from its status before a change of the
number of voices, while the second process is loaded, warmed up and faded in, and after it, when every hop is
handed over to that process.
"""

import os
import time

import click

from rtsep.bench.jack_rig import JackServer, Rig
from rtsep.rt.audio.test_signals import synthetic_choir
from rtsep.rt.drivers.jack_options import JackOptions
from rtsep.rt.live.engines.engine_memory import CHANGING
from rtsep.rt.live.meters import HOP_TIME_SECONDS
from rtsep.rt.session import Session

SAMPLERATE = 48000


def row(session: Session, hop_ms: float) -> str:
    """Hop times of the last seconds in ms, and what has been late so far."""
    status = session.status()
    times = (status.hop_time_p50, status.hop_time_p99, status.hop_time_max)
    p50, p99, most = (f"{share * hop_ms:6.2f}" for share in times)
    return f"{p50} {p99} {most} ms   late hops {status.late_hops}, xruns {status.xruns}"


@click.command()
@click.option("--voices", default=3, show_default=True)
@click.option("--to", "voices_then", default=4, show_default=True, help="Voices after the change.")
@click.option("--latency", "latency_ms", default=43, show_default=True, help="Preset in ms.")
@click.option("--period", default=256, show_default=True, help="Of the server.")
def main(voices: int, voices_then: int, latency_ms: int, period: int) -> None:
    """Prints p50, p99 and maximum."""
    server = JackServer(samplerate=SAMPLERATE, period=period, waits=False)
    server.start()
    options = JackOptions(connect="system:capture_1>in_1", restore=False)
    sound = synthetic_choir(SAMPLERATE, 60.0, voices=voices_then)[:, 0]
    try:
        with (
            Session(voices=voices, latency_ms=latency_ms, jack=options) as session,
            Rig(voices + 1, 60, "rtsep") as rig,
        ):
            rig.connect()
            rig.start(sound)
            hop_ms = 1e3 * session.status().hop / SAMPLERATE
            time.sleep(2 * HOP_TIME_SECONDS)
            load = f"load of the machine {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores"
            click.echo(f"{load}; hop {hop_ms:.2f} ms")
            click.echo(f"{'':8}   p50    p99    max")
            click.echo(f"before  {row(session, hop_ms)}")
            began, while_loaded = time.monotonic(), ""
            session.changer.order(voices=voices_then)
            while session.changer.told.get("state") in CHANGING:
                while_loaded = row(session, hop_ms)  # of the engine that is heard
                time.sleep(0.05)
            session.changer.wait()
            click.echo(f"change  {while_loaded}   it took {time.monotonic() - began:.1f} s")
            time.sleep(2 * HOP_TIME_SECONDS)
            click.echo(f"after   {row(session, hop_ms)}")
    finally:
        server.stop()


if __name__ == "__main__":
    main()

"""What recording costs the hop thread: `python -m rtsep.bench.live.take_cost`.

Hops of one choir run in turn with and without a take, in one process, so that both meet the same machine.
"""

import time

import click
import numpy as np

from rtsep.rt.audio.test_signals import synthetic_choir
from rtsep.rt.control.commands import BLOCK_BYTES, lay_out
from rtsep.rt.drivers.device_stream import StreamFormat
from rtsep.rt.drivers.devices import Device
from rtsep.rt.hop.presets import Preset
from rtsep.rt.live.hop_loop import HopLoop
from rtsep.rt.live.settings import LiveSettings
from rtsep.rt.live.stream_choice import StreamChoice
from rtsep.rt.process.block import Block
from rtsep.rt.process.shared_memory import SharedMemory
from rtsep.rt.takes.take_memory import TakeMemory

SAMPLERATE, BLOCK, SECONDS = 48000, 128, 6.0


def hop_times(voices: int, latency_ms: int, hops: int) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of each hop, float64 [hops]: without and with a take that somebody empties."""
    stems = voices + 1
    device = Device(0, "bench", "none", 1, stems, float(SAMPLERATE), 0.0, 0.0, True, True)
    fmt = StreamFormat(device, device, SAMPLERATE, BLOCK, 1, stems)
    choice = StreamChoice(fmt, [[0]], list(range(stems)))
    settings = LiveSettings(voices, None, latency_ms, "mic", None, None, None, None, None, "cpu")
    memory = TakeMemory.create(stems + 1)
    loops = []
    for record in (None, memory):
        commands = SharedMemory.create(BLOCK_BYTES)
        lay_out(commands.memory)
        loops.append(HopLoop(settings, choice, Block.create(), commands.memory, record, "normal"))
    mixture = synthetic_choir(SAMPLERATE, SECONDS)[:, :1].astype(np.float32)
    hop = Preset(SAMPLERATE, latency_ms).hop
    out = np.zeros((hop, stems), np.float32)
    drain = np.zeros((4 * hop, stems + 1), np.float32)
    times = np.zeros((2, hops))
    for k in range(hops):
        at = k * hop % (len(mixture) - hop)
        for i, loop in enumerate(loops):
            loop.callback.process(np.ascontiguousarray(mixture[at : at + hop]), out)
            loop.callback.wait_input(k, 0.0)
            started = time.perf_counter()
            loop.run_hop()
            times[i, k] = time.perf_counter() - started
        memory.ring.read(drain)
    return times[0], times[1]


@click.command()
@click.option("--voices", default=4, show_default=True)
@click.option("--latency", "latency_ms", default=11, show_default=True, help="Preset in ms.")
@click.option("--hops", default=5000, show_default=True)
def main(voices: int, latency_ms: int, hops: int) -> None:
    """Hop times with and without a take, and their difference hop by hop."""
    without, recorded = hop_times(voices, latency_ms, hops)
    for name, seconds in (
        ("without", without),
        ("with a take", recorded),
        ("difference", recorded - without),
    ):
        p50, p99 = np.percentile(1e6 * seconds, (50, 99))
        click.echo(f"{name:12} p50 {p50:8.1f} us   p99 {p99:8.1f} us")


if __name__ == "__main__":
    main()

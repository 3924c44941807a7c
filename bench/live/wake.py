"""How soon the hop loop is awake when its input is there: `python -m rtsep.bench.live.wake`.

A thread gives the device callback blocks at a device's pace; the hop loop's thread waits for every hop, in
turns as it does (a futex: the device's thread wakes it) and as it did before (a look, a sleep of a twentieth
of a hop, a look ...). Both have the priorities of a live run where the system grants them. No model runs.
"""

import contextlib
import os
import threading
import time

import click
import numpy as np

from rtsep.kernels import _core
from rtsep.rt.process.scheduling import FIFO_PRIORITY, raise_priority, stop_collecting

SAMPLERATE, LOOKS_PER_HOP = 48000, 20
WAYS = ("futex", "polling")
DEVICE_PRIORITY = FIFO_PRIORITY + 1


def wake_times(hop: int, hops: int) -> dict[str, np.ndarray]:
    """Seconds from a hop's last block to the hop loop's first instruction, float64, for each way."""
    mixing, bypass = np.zeros((1, 2), np.float32), np.zeros((1, 1), np.float32)
    callback = _core.DeviceCallback([0], 1, mixing, 2, hop, 2 * hop, hop, 8 * hop, bypass, 1)
    given, awake = np.zeros(hops), np.zeros(hops)
    grain_s = hop / SAMPLERATE / LOOKS_PER_HOP

    def device() -> None:
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(DEVICE_PRIORITY))
        block, out = np.zeros((hop, 1), np.float32), np.zeros((hop, 1), np.float32)
        due = time.perf_counter()
        for k in range(hops):
            due += hop / SAMPLERATE
            time.sleep(max(0.0, due - time.perf_counter()))
            given[k] = time.perf_counter()
            callback.process(block, out)

    stop_collecting()
    raise_priority()
    thread = threading.Thread(target=device)
    thread.start()
    one, stems = np.zeros((hop, 1), np.float32), np.zeros((2, hop, 1), np.float32)
    for k in range(hops):
        if WAYS[k % 2] == "futex":
            while not callback.wait_input(k, 0.05, grain_s):
                pass
        else:
            while not callback.wait_input(k, 0.0, grain_s):
                time.sleep(grain_s)
        awake[k] = time.perf_counter()
        callback.read_hop(k, one)
        callback.deliver(k, stems)
    thread.join()
    return {way: (awake - given)[i::2] for i, way in enumerate(WAYS)}


@click.command()
@click.option("--hop", default=256, show_default=True, help="Frames, at 48 kHz.")
@click.option("--hops", default=4000, show_default=True)
def main(hop: int, hops: int) -> None:
    """Waking times of both ways, hop by hop in turns."""
    for way, seconds in wake_times(hop, hops).items():
        p50, p99, most = np.percentile(1e6 * seconds, (50, 99, 100))
        click.echo(f"{way:8} p50 {p50:7.1f} us   p99 {p99:7.1f} us   max {most:8.1f} us")


if __name__ == "__main__":
    main()

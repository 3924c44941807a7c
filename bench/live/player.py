"""A recording played into JACK, over and over, by a process that does nothing else.

    python -m rtsep.bench.live.player recording.npy "player:out>rtsep:in_1"

Runs until standard input closes. The sample at JACK's frame n is that of frame n - start: a cycle that was
missed is a gap, never a shift.
"""

import gc
import json
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from rtsep.bench.jack_rig import jack_client, join
from rtsep.bench.live.teller import running
from rtsep.rt.process.scheduling import lock_memory

NAME = "player"
LONGEST_PERIOD = 8192  # JACK's own


def playing(
    recording: NDArray[np.float32], folder: Path, wires: list[str]
) -> AbstractContextManager[dict[str, Any]]:
    """Plays float32 [frames] in a process of its own; the dict gets its `xruns` when it has ended.

    Args:
        folder: where the recording is laid down for it.
        wires: "source>target" with full names; those that exist are connected.
    """
    path = folder / "recording.npy"
    np.save(path, recording)
    return running("rtsep.bench.live.player", str(path), *wires)


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.argument("wires", nargs=-1)
def main(path: Path, wires: tuple[str, ...]) -> None:
    """Plays until standard input closes."""
    recording = np.load(path)
    frames = len(recording)
    looped = np.concatenate([recording, np.resize(recording, LONGEST_PERIOD)])
    client = jack_client(NAME)
    port = client.outports.register("out")
    start: list[int] = []
    counted = {"xruns": 0}

    @client.set_process_callback  # type: ignore[untyped-decorator]
    def play(count: int) -> None:
        now = client.last_frame_time
        if not start:
            start.append(now)
        at = (now - start[0]) % frames
        port.get_array()[:] = looped[at : at + count]

    @client.set_xrun_callback  # type: ignore[untyped-decorator]
    def late(delayed_us: float) -> None:
        counted["xruns"] += 1

    gc.disable()
    lock_memory()
    with client:
        for wire in wires:
            source, _, target = wire.partition(">")
            join(client, source, target)
        sys.stdin.read()
    print(json.dumps(counted))


if __name__ == "__main__":
    main()

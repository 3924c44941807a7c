"""Many choirs at once on one processor core: `BatchSeparator` with a pipeline per stream, or the hop program
over all of them; and where there is a GPU, `BatchSeparator` there, one launch for all of them.

python -m rtsep.bench.hop.many_streams '{"model": "choir", "voices": 4, ...}' prints one JSON object.
"""

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.bench.hop.timed_process import answer
from rtsep.kernels.errors import RtsepError
from rtsep.rt.audio.test_signals import synthetic_choir
from rtsep.rt.batch_separator import BatchSeparator
from rtsep.rt.hop.presets import Preset

STREAMS = (1, 2, 4, 8, 16, 32, 64)
GPU_STREAMS = (*STREAMS, 128, 256, 512)
KNEE = 1.8  # times as long for twice the streams: from there on more streams are no longer nearly free
ON_GPU = "CUDA graph"
EAGER = "hop program on the GPU, no graph"
STACKED = 32  # different hops, stacked beforehand: collecting the streams' audio is the host's work
SIGNAL_S = 3.0
LEAST_ROUNDS, LEAST_S = 10, 1.0  # of every point: medians of fewer jump
F32 = NDArray[np.float32]


def scale_curve(settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Time of one hop of all streams, by number of streams.

    Args:
        settings: model, voices, latency_ms, samplerate, channels as of `rtsep bench`.

    Returns:
        JSON-ready rows: `how`, `streams`, `hop_us` (median of all streams; processor time, on a GPU until
        the results are there), `share` of a hop's time (more than 1 is not in real time) and
        `streams_per_core` (or per GPU).
    """
    preset = Preset(settings["samplerate"], settings["latency_ms"])
    hop_s = preset.hop / preset.samplerate
    rows = []
    for how, build in (("pipeline per stream", partial(_batch, backend="cpu")), ("hop program", _program)):
        for streams in STREAMS:
            hop = build(settings, preset, streams)
            # what others take of the core is no part of it
            rows.append(row(how, streams, _median_s(hop, time.thread_time), hop_s))
    if _has_gpu():
        eager = _program(settings, preset, 1, "cuda")
        rows.append(row(EAGER, 1, _median_s(eager, time.perf_counter), hop_s))
        for streams in GPU_STREAMS:
            hop = _batch(settings, preset, streams, "cuda")
            rows.append(row(ON_GPU, streams, _median_s(hop, time.perf_counter), hop_s))
    return rows


def knee(rows: list[dict[str, Any]]) -> int | None:
    """Streams of the first of these rows after which twice as many take `KNEE` times as long; None where they
    never do."""
    for few, many in pairwise(rows):
        if many["hop_us"] >= KNEE ** np.log2(many["streams"] / few["streams"]) * few["hop_us"]:
            return int(few["streams"])
    return None


def row(how: str, streams: int, seconds: float, hop_s: float) -> dict[str, Any]:
    """One point of the curve: all streams took `seconds` for a hop that lasts `hop_s`."""
    return {
        "how": how,
        "streams": streams,
        "hop_us": 1e6 * seconds,
        "share": seconds / hop_s,
        "streams_per_core": streams * hop_s / seconds,
    }


def _median_s(hop: Callable[[], object], clock: Callable[[], float]) -> float:
    for _ in range(3):
        hop()
    times: list[float] = []
    while len(times) < LEAST_ROUNDS or sum(times) < LEAST_S:
        began = clock()
        hop()
        times.append(clock() - began)
    return float(np.median(times))


def _blocks(settings: dict[str, Any], preset: Preset) -> Iterator[F32]:
    """Hops [H, C] of a synthetic choir, for ever."""
    sound = synthetic_choir(preset.samplerate, SIGNAL_S, settings["channels"], settings["voices"])
    whole = len(sound) // preset.hop * preset.hop
    return cycle(list(sound[:whole].reshape(-1, preset.hop, settings["channels"])))


def _batch(settings: dict[str, Any], preset: Preset, streams: int, backend: str) -> Callable[[], object]:
    batch = BatchSeparator.load(
        settings["model"],
        streams=streams,
        voices=settings["voices"],
        samplerate=preset.samplerate,
        latency_ms=settings["latency_ms"],
        channels=settings["channels"],
        backend=backend,
    )
    blocks = _blocks(settings, preset)
    hops = cycle([np.stack([next(blocks)] * streams) for _ in range(STACKED)])
    out = np.zeros((streams, len(batch.stems), preset.hop, settings["channels"]), np.float32)

    def hop() -> None:
        batch.process_hop(next(hops), out)
        if batch.gpu_lost:  # the mixture is no separation, and takes no time
            raise RtsepError(f"the GPU was lost ({batch.gpu_lost})", "run it again with fewer streams")

    return hop


def _program(
    settings: dict[str, Any], preset: Preset, streams: int, device: str = "cpu"
) -> Callable[[], object]:
    """Operation by operation, as torch runs it; the samples are back on the processor when it returns."""
    import torch

    from rtsep.models.gpu.build_program import build_program

    torch.set_num_threads(1)
    program = build_program(
        settings["model"],
        voices=settings["voices"],
        framing=preset.framing,
        channels=settings["channels"],
    ).to(device)
    _, reset, given_hz = program.example_inputs(streams)
    state = program.initial_state(streams)
    blocks = _blocks(settings, preset)

    @torch.no_grad()
    def hop() -> None:
        nonlocal state
        block = torch.from_numpy(next(blocks)).expand(streams, -1, -1).contiguous().to(device)
        stems, _, _, _, _, *after = program(block, reset, given_hz, *state)
        stems.cpu()
        state = tuple(after)

    return hop


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


if __name__ == "__main__":
    sys.exit(answer(lambda settings: {"streams": scale_curve(settings)}))

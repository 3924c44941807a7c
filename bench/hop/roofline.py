"""The least time a hop can take: bytes and operations counted from the hop program as it runs.

The roofline of Williams, Waterman and Patterson (2009): no hop is shorter than its compulsory bytes over the
memory's bandwidth, nor than its operations over the processor's rate.

python -m rtsep.bench.hop.roofline '{"model": "choir", "voices": 4, ...}' prints one JSON object.
"""

import math
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from rtsep.bench.hop.timed_process import answer
from rtsep.models.gpu.build_program import build_program
from rtsep.models.gpu.hop_program import HopProgram
from rtsep.models.gpu.tracker import TensorTracker
from rtsep.rt.hop.presets import Preset

COPY_FLOATS = 2**26  # 256 MiB: beyond any cache
MATMUL_SIZE = 1024
REPEATS = 20  # the best of which counts: what the machine can do
# NVIDIA's data sheet of the H200 SXM: HBM3e bandwidth, and FP32 outside the tensor cores.
H200 = {"name": "H200 (estimate: data sheet)", "bytes_per_s": 4.8e12, "operations_per_s": 67e12}


@dataclass(frozen=True)
class Work:
    """What one hop of S streams is made of.

    Attributes:
        launches: operations of torch that do something; a CUDA graph holds as many kernels.
        operations: additions and multiplications of products and FFTs, one per value elsewhere.
        product_operations: those of matrix products and convolutions.
        compulsory_bytes: weights, state in and out, audio in and out, each once: what a hop in one kernel
            moves.
        moved_bytes: inputs and outputs of every operation: what the hop moves when each is a kernel.
    """

    launches: int
    operations: float
    product_operations: float
    compulsory_bytes: int
    moved_bytes: int


def count(program: HopProgram, streams: int, fused: bool = False) -> Work:
    """Counts on a device without values: the program's own operations, none of them carried out.

    Args:
        program: any; it is moved to that device.
        streams: S.
        fused: with the tracker's Triton kernel (`models/gpu/triton_tracker.py`), one launch, whose own
            operations are not counted.
    """
    program = program.to("meta")
    if isinstance(program.tracker, TensorTracker):
        program.tracker.fused = fused
    given = (*program.example_inputs(streams), *program.initial_state(streams))
    counter = _Counter()
    with torch.no_grad(), counter:
        results = program(*given)
    weights = (*program.parameters(), *program.buffers())
    return Work(
        counter.launches,
        counter.operations,
        counter.product_operations,
        sum(map(_bytes, (*weights, *given, *results))),
        counter.moved_bytes,
    )


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.launches, self.moved_bytes = 0, 0
        self.operations = self.product_operations = 0.0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        out = func(*args, **(kwargs or {}))
        if func.is_view:
            return out
        found = [x for x in tree_leaves(out) if isinstance(x, Tensor)]
        given = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        self.launches += 1
        self.moved_bytes += sum(map(_bytes, (*given, *found)))
        packet = func.overloadpacket
        if packet in flop_registry:
            products = float(flop_registry[packet](*args, **(kwargs or {}), out_val=out))
            self.product_operations += products
            self.operations += products
        elif "fft" in func.name():
            self.operations += _fft_operations(given[0], found[0])
        elif torch.Tag.pointwise in func.tags:
            self.operations += sum(x.numel() for x in found)
        elif torch.Tag.reduction in func.tags:
            self.operations += max(x.numel() for x in given)
        return out


def _fft_operations(given: Tensor, found: Tensor) -> float:
    """2.5 N log2 N of a real transform (Frigo and Johnson's count, halved), for each of them."""
    size = max(given.shape[-1], found.shape[-1])
    transforms = max(given.numel(), found.numel()) / size
    return 2.5 * size * math.log2(size) * transforms


def _bytes(x: Tensor) -> int:
    return x.numel() * x.element_size()


def measure_machine() -> dict[str, Any]:
    """What one thread reaches here, as the best of a few tries: copying beyond the caches (read and written
    bytes both count), and a product of float32 matrices."""
    source, target = np.ones(COPY_FLOATS, np.float32), np.zeros(COPY_FLOATS, np.float32)
    a = np.ones((MATMUL_SIZE, MATMUL_SIZE), np.float32)
    product = np.empty_like(a)
    copy_s = _best_s(lambda: np.copyto(target, source))
    product_s = _best_s(lambda: np.matmul(a, a, out=product))
    return {
        "name": "one thread here",
        "bytes_per_s": 2 * source.nbytes / copy_s,
        "operations_per_s": 2.0 * MATMUL_SIZE**3 / product_s,
    }


def _best_s(run: Any) -> float:
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return min(times)


def floor_us(work: Work, machine: dict[str, Any]) -> dict[str, float]:
    """The least time of a hop: of its bytes, of its operations, the longer of both, and with the results of
    every operation going through memory."""
    of_bytes = 1e6 * work.compulsory_bytes / machine["bytes_per_s"]
    of_operations = 1e6 * work.operations / machine["operations_per_s"]
    unfused = 1e6 * work.moved_bytes / machine["bytes_per_s"]
    return {
        "bytes": of_bytes,
        "operations": of_operations,
        "floor": max(of_bytes, of_operations),
        "unfused": max(unfused, of_operations),
    }


def roofline(settings: dict[str, Any], streams: tuple[int, ...] = (1, 64)) -> dict[str, Any]:
    """JSON-ready: the machines, and for every number of streams the work of a hop and its floors."""
    preset = Preset(settings["samplerate"], settings["latency_ms"])
    machines = [measure_machine(), H200]
    hops = []
    for number in streams:
        program = build_program(
            settings["model"],
            voices=settings["voices"],
            framing=preset.framing,
            channels=settings["channels"],
        )
        work, launches_fused = count(program, number), count(program, number, fused=True).launches
        floors = {machine["name"]: floor_us(work, machine) for machine in machines}
        hops.append({"streams": number, **asdict(work), "launches_fused": launches_fused, "floor_us": floors})
    return {"machines": machines, "hops": hops}


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(answer(roofline))

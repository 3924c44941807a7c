"""What runs networks on stage: `--backend`."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from rtsep.kernels.errors import GpuMissing, RtsepError
from rtsep.models.framing import Framing
from rtsep.models.gpu.hop_runner import HALF_BOUND, WHOLE_BOUND, HopRunner
from rtsep.models.runtimes.compile import OpenVinoBuilder, PlanBuilder, compiled_plan
from rtsep.models.runtimes.network_step import MakeStep, NetworkStep
from rtsep.models.runtimes.onnx_step import OnnxStep

BACKENDS = ("auto", "cpu", "openvino")  # auto: what needs no preparation and is always there, cpu
CUDA = "cuda"  # needs nothing compiled
# Precision of the plans that each of the others runs.
TENSORRT = {"tensorrt": "fp32", "tensorrt-fp16": "fp16"}
GPU_BACKENDS = (CUDA, *TENSORRT)  # these run the whole hop, not networks
COMPILED = ("openvino", "tensorrt")  # of `rtsep compile`
TENSORRT_BUILDER = "rtsep.models.gpu.tensorrt_builder"  # by name: it imports torch


def step_maker(backend: str) -> MakeStep:
    """Makes steps that run on `backend`, a processor.

    Plans come from the cache, where `rtsep compile` has put them after comparing: nothing is compiled, and
    nothing that was not compared runs, when a show starts.

    Raises:
        RtsepError: an unknown backend, or one that is not installed; making a step: there is no plan for
            it.
    """
    if backend not in BACKENDS:
        raise RtsepError(
            f"backend {backend!r} is not one of {', '.join((*BACKENDS, *GPU_BACKENDS))}", "use --backend auto"
        )
    if backend in ("auto", "cpu"):
        return OnnxStep
    builder = OpenVinoBuilder()

    def make(content: bytes, name: str) -> NetworkStep:
        return builder.load(compiled_plan([builder], content, name, "fp32"), name)

    return make


def plan_builder(backend: str, model: str, precision: str) -> PlanBuilder:
    """What `rtsep compile MODEL --backend` builds with.

    Args:
        backend: of `COMPILED`.
        model: a shipped model's name, or the path of a model's folder.
        precision: "fp32" or "fp16".

    Raises:
        GpuMissing: the backend needs one.
        RtsepError: a backend without plans, an unknown one, or one that is not installed.
    """
    if backend in ("auto", "cpu"):
        raise RtsepError(f"--backend {backend} runs networks as they are", "there is nothing to compile")
    if backend == CUDA:
        raise RtsepError(
            "--backend cuda captures the whole hop and compares it at every start",
            "there is nothing to compile",
        )
    if backend in TENSORRT and backend not in COMPILED:
        precision = TENSORRT[backend]
        raise RtsepError(
            f"--backend {backend} is tensorrt with other plans",
            f"use --backend tensorrt --precision {precision}",
        )
    if backend not in COMPILED:
        raise RtsepError(
            f"--backend {backend!r} is not one of {', '.join(COMPILED)}", f"use --backend {COMPILED[0]}"
        )
    if backend == "openvino":
        return OpenVinoBuilder()
    _cuda(backend).require_gpu(backend)
    builder: PlanBuilder = import_module(TENSORRT_BUILDER).best_builder(model, precision)
    builder.describe()  # what is not installed is said here
    return builder


def gpu_hop(
    backend: str, model: str, *, voices: int, framing: Framing, channels: int, streams: int = 1
) -> HopRunner:
    """The whole hop on a GPU, one launch for all streams.

    Args:
        backend: of `GPU_BACKENDS`; plans of TensorRT come from the cache, as on a processor.
        model, voices, framing, channels, streams: see `graphed_hop`.

    Raises:
        GpuMissing: no torch, no GPU, one too old, or one that refuses.
        RtsepError: a model that cannot run there, a plan that is not compiled, or of more than one stream.
    """
    graph = _cuda(backend)
    shape = {"voices": voices, "framing": framing, "channels": channels, "streams": streams}
    if backend == CUDA:
        runner: HopRunner = graph.graphed_hop(model, **shape)
        return runner
    if streams != 1:
        raise RtsepError(
            f"--backend {backend} runs one stream, {streams} were asked for", "use --backend cuda for many"
        )
    graph.require_gpu(backend)
    precision = TENSORRT[backend]
    bound = WHOLE_BOUND if precision == "fp32" else HALF_BOUND
    replace = import_module(TENSORRT_BUILDER).plans_in_place(model, precision)
    runner = graph.graphed_hop(model, **shape, backend=backend, bound=bound, replace=replace)
    return runner


def _cuda(backend: str) -> Any:
    """`gpu.cuda_graph`, by name: torch takes seconds to import, and nothing on stage may depend on it."""
    if find_spec("torch") is None:
        raise GpuMissing(
            f"--backend {backend} needs an NVIDIA GPU and torch, which is not installed", "use --backend cpu"
        )
    return import_module("rtsep.models.gpu.cuda_graph")

"""What runs networks on stage: `--backend`."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any, NoReturn

from rtsep.kernels.errors import RtsepError
from rtsep.models.compile import EngineBuilder, OpenVinoBuilder, engine_key
from rtsep.models.engine_cache import EngineCache, default_folder
from rtsep.models.framing import Framing
from rtsep.models.hop_runner import GpuMissing, HopRunner
from rtsep.models.network_step import MakeStep, NetworkStep
from rtsep.models.onnx_step import OnnxStep

BACKENDS = ("auto", "cpu", "openvino")  # auto: what needs no preparation and is always there, cpu
CUDA = "cuda"  # runs the whole hop, not networks
GPU_BACKENDS = (CUDA, "tensorrt")  # known by name: who asks for them is told what is missing


def step_maker(backend: str) -> MakeStep:
    """Makes steps that run on `backend`.

    Engines come from the cache, where `rtsep compile` has put them after comparing: nothing is compiled, and
    nothing that was not compared runs, when a show starts.

    Raises:
        RtsepError: an unknown backend, or one that is not installed; making a step: there is no engine for
            it.
    """
    if backend in GPU_BACKENDS:
        _refuse_gpu(backend)
    if backend not in BACKENDS:
        raise RtsepError(f"backend {backend!r} is not one of {', '.join(BACKENDS)}", "use --backend auto")
    if backend in ("auto", "cpu"):
        return OnnxStep
    builder, cache = OpenVinoBuilder(), EngineCache(default_folder())

    def make(content: bytes, name: str) -> NetworkStep:
        key = engine_key(builder, content, "fp32")
        engine = cache.get(key)
        if engine is None:
            raise RtsepError(
                f"{name} is not compiled for {key.device} and {key.runtime}",
                f"run `rtsep compile MODEL --backend {backend}` first, or use --backend cpu",
            )
        return builder.load(engine, name)

    return make


def engine_builder(backend: str) -> EngineBuilder:
    """What `rtsep compile --backend` builds with.

    Raises:
        RtsepError: a backend without engines, an unknown one, or one that is not installed.
    """
    if backend in GPU_BACKENDS:
        _refuse_gpu(backend)
    if backend in ("auto", "cpu"):
        raise RtsepError(f"--backend {backend} runs networks as they are", "there is nothing to compile")
    if backend != "openvino":
        raise RtsepError(f"--backend {backend!r} is not one of openvino", "use --backend openvino")
    return OpenVinoBuilder()


def gpu_hop(model: str, *, voices: int, framing: Framing, channels: int) -> HopRunner:
    """The whole hop of one stream on a GPU: `--backend cuda`.

    Raises:
        GpuMissing: no torch, no GPU, one too old, or one that refuses.
        RtsepError: a model that cannot run there.
    """
    runner: HopRunner = _cuda(CUDA).graphed_hop(model, voices=voices, framing=framing, channels=channels)
    return runner


def _refuse_gpu(backend: str) -> NoReturn:
    """Says what keeps a network alone from running on a GPU here."""
    gpu = _cuda(backend).require_gpu(backend)
    if backend == CUDA:
        raise RtsepError(
            f"--backend cuda runs the whole hop, captured and compared at every start on {gpu}",
            "there is nothing to compile",
        )
    raise RtsepError(
        f"--backend {backend} is not offered yet: its engines have never run on a GPU such as {gpu}",
        "use --backend cuda or cpu",
    )


def _cuda(backend: str) -> Any:
    """`models.cuda_graph`, by name: torch takes seconds to import, and nothing on stage may depend on it."""
    if find_spec("torch") is None:
        raise GpuMissing(
            f"--backend {backend} needs an NVIDIA GPU and torch, which is not installed", "use --backend cpu"
        )
    return import_module("rtsep.models.cuda_graph")

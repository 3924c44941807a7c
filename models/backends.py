"""What runs networks on stage: `--backend`."""

from rtsep.kernels.errors import RtsepError
from rtsep.models.compile import OpenVinoBuilder, engine_key
from rtsep.models.engine_cache import EngineCache, default_folder
from rtsep.models.network_step import MakeStep, NetworkStep
from rtsep.models.onnx_step import OnnxStep

BACKENDS = ("auto", "cpu", "openvino")  # auto: what needs no preparation and is always there, cpu


def step_maker(backend: str) -> MakeStep:
    """Makes steps that run on `backend`.

    Engines come from the cache, where `rtsep compile` has put them after comparing: nothing is compiled, and
    nothing that was not compared runs, when a show starts.

    Raises:
        RtsepError: an unknown backend, or one that is not installed; making a step: there is no engine for
            it.
    """
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

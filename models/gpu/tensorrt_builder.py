"""TensorRT as `rtsep compile` knows it, and what puts its engines into the hop program."""

from importlib.util import find_spec

from rtsep.kernels.errors import RtsepError
from rtsep.models.gpu import tensorrt_engine
from rtsep.models.gpu.build_program import Replace
from rtsep.models.gpu.cuda_graph import describe_gpu
from rtsep.models.gpu.tensorrt_step import EngineNetwork, TensorRtStep
from rtsep.models.networks.step_module import HopNetwork, StepModule
from rtsep.models.runtimes.compile import compiled_engine
from rtsep.models.runtimes.network_step import NetworkStep


class TensorRtBuilder:
    """TensorRT, or TensorRT for RTX, on this machine's GPU: an `EngineBuilder`."""

    backend = "tensorrt"
    precisions: tuple[str, ...] = ("fp32", "fp16")

    def describe(self) -> dict[str, str]:
        """See `EngineBuilder`."""
        return {**describe_gpu(self.backend), "runtime": tensorrt_engine.runtime_name()}

    def build(self, network: bytes, name: str, precision: str) -> bytes:
        """See `EngineBuilder`."""
        if precision == "fp16":
            if find_spec("onnx") is None:
                raise RtsepError(
                    f"{name}: half precision needs onnx, which is not installed",
                    "pip install 'rtsep[tensorrt]'",
                )
            from rtsep.models.gpu.half_precision import half_products

            network = half_products(network)
        return tensorrt_engine.build_engine(network, name)

    def load(self, engine: bytes, name: str) -> NetworkStep:
        """See `EngineBuilder`."""
        return TensorRtStep(engine, name)


def engines_in_place(precision: str) -> Replace:
    """Puts compiled engines of `precision` where the hop program's networks are.

    Raises:
        RtsepError: when called: `rtsep compile` has kept none for this machine.
    """
    builder = TensorRtBuilder()

    def replace(network: StepModule, content: bytes, name: str) -> HopNetwork:
        engine = compiled_engine(builder, content, name, precision)
        return EngineNetwork(tensorrt_engine.Engine(engine, name), network)

    return replace

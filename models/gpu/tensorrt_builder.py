"""TensorRT as `rtsep compile` knows it, and what puts its engines into the hop program."""

from importlib.util import find_spec

from rtsep.kernels.errors import RtsepError
from rtsep.models.gpu import tensorrt_engine, torch_tensorrt_engine
from rtsep.models.gpu.build_program import Replace, trained_network
from rtsep.models.gpu.cuda_graph import describe_gpu
from rtsep.models.gpu.tensorrt_step import EngineNetwork, TensorRtStep
from rtsep.models.networks.step_module import HopNetwork, StepModule
from rtsep.models.runtimes.compile import compiled_engine
from rtsep.models.runtimes.network_step import NetworkStep


class TensorRtBuilder:
    """TensorRT, or TensorRT for RTX, on this machine's GPU, by its ONNX parser: an `EngineBuilder`."""

    backend = "tensorrt"
    precisions: tuple[str, ...] = ("fp32", "fp16")

    def describe(self) -> dict[str, str]:
        """See `EngineBuilder`."""
        return {
            **describe_gpu(self.backend),
            "runtime": tensorrt_engine.runtime_name(),
            "builder": "ONNX parser",
        }

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


class TorchTensorRtBuilder(TensorRtBuilder):
    """TensorRT by torch-tensorrt's converters, from the weights that a model has beside its ONNX files.

    Args:
        model: a shipped model's name, or the path of a model's folder.
    """

    precisions = ("fp32",)  # half precision is a rewriting of the ONNX file

    def __init__(self, model: str) -> None:
        self._model = model

    def describe(self) -> dict[str, str]:
        """See `EngineBuilder`."""
        return super().describe() | {"builder": torch_tensorrt_engine.installed_version() or ""}

    def build(self, network: bytes, name: str, precision: str) -> bytes:
        """See `EngineBuilder`; `network` says which of the model's."""
        return torch_tensorrt_engine.torch_engine(trained_network(self._model, network), name)


def best_builder(model: str, precision: str) -> TensorRtBuilder:
    """torch-tensorrt where it is installed and can do it, else TensorRT's ONNX parser.

    Raises:
        RtsepError: torch-tensorrt is installed and does not load: not to be passed over in silence.
    """
    builder = _builders(model, precision)[0]
    if isinstance(builder, TorchTensorRtBuilder):
        torch_tensorrt_engine.require_torch_tensorrt()
    return builder


def engines_in_place(model: str, precision: str) -> Replace:
    """Puts compiled engines of `precision` where the hop program's networks are.

    Raises:
        RtsepError: when called: `rtsep compile` has kept none for this machine.
    """
    builders = _builders(model, precision)

    def replace(network: StepModule, content: bytes, name: str) -> HopNetwork:
        engine = compiled_engine(builders, content, name, precision)
        return EngineNetwork(tensorrt_engine.Engine(engine, name), network)

    return replace


def _builders(model: str, precision: str) -> list[TensorRtBuilder]:
    """All that engines of `precision` may come from here, the best first; nothing is loaded."""
    parser = TensorRtBuilder()
    torch_too = precision in TorchTensorRtBuilder.precisions and torch_tensorrt_engine.installed_version()
    return [TorchTensorRtBuilder(model), parser] if torch_too else [parser]

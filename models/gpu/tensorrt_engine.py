"""TensorRT: engines from the ONNX files that run on every processor, and their launch on a stream. No torch.

TensorRT or TensorRT for RTX, whichever is installed; the latter builds without a GPU, which is how every
network is known to become one engine. Engines are launched as they are, not wrapped in a module of
torch-tensorrt: a launch inside a CUDA graph is the least that one can cost.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from rtsep.kernels.errors import RtsepError

MODULES = ("tensorrt", "tensorrt_rtx")
INSTALL = "install it (pip install 'rtsep[tensorrt]'), or use --backend cuda"


def require_tensorrt() -> Any:
    """The module, whichever there is.

    Raises:
        RtsepError: none is installed, or its libraries do not load.
    """
    reasons = []
    for name in MODULES:
        try:
            return import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                reasons.append(str(error))
        except Exception as error:  # a missing driver or library shows as whatever it likes
            reasons.append(f"{name}: {error}")
    reason = reasons[0] if reasons else "neither tensorrt nor tensorrt_rtx is installed"
    raise RtsepError(f"--backend tensorrt cannot start: {reason}", INSTALL)


def runtime_name() -> str:
    """Module and version: engines of another one are not run."""
    trt = require_tensorrt()
    return f"{trt.__name__} {trt.__version__}"


def build_engine(network: bytes, name: str) -> bytes:
    """One engine of the whole network.

    Args:
        network: content of an ONNX file; its types are kept (strongly typed).
        name: what to call it in messages.

    Raises:
        RtsepError: an operation that TensorRT lacks, or no engine.
    """
    trt = require_tensorrt()
    builder = trt.Builder(_logger())
    typed = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    definition = builder.create_network(typed)
    parser = trt.OnnxParser(definition, _logger())
    if not parser.parse(network):
        reasons = "; ".join(str(parser.get_error(i).desc()) for i in range(parser.num_errors))
        raise RtsepError(f"{name}: {runtime_name()} cannot read it ({reasons})", "use --backend cuda")
    config = builder.create_builder_config()
    # ten bits of mantissa instead of 23, on by default: 1e-3 instead of 1e-6 from the processor's numbers
    config.clear_flag(trt.BuilderFlag.TF32)
    # one stream: what runs beside it in a graph costs events, and networks of a hop have nothing to overlap
    config.max_aux_streams = 0
    engine = builder.build_serialized_network(definition, config)
    if engine is None:
        raise RtsepError(f"{name}: {runtime_name()} builds no engine of it", "use --backend cuda")
    return bytes(engine)


class Engine:
    """An engine on the GPU.

    Args:
        content: from `build_engine`, for this GPU and this version.
        name: what to call it in messages.

    Attributes:
        inputs, outputs: shapes by name, all float32.

    Raises:
        RtsepError: TensorRT refuses it here.
    """

    def __init__(self, content: bytes, name: str) -> None:
        trt = require_tensorrt()
        self._name = name
        self._runtime = trt.Runtime(_logger())  # the engine needs it for as long as it lives
        self._engine = self._runtime.deserialize_cuda_engine(content)
        self._context: Any = self._engine.create_execution_context() if self._engine else None
        if self._context is None:
            raise RtsepError(
                f"{name}: {runtime_name()} does not run its engine on this GPU",
                "run `rtsep compile` again, or use --backend cuda",
            )
        self.inputs: dict[str, tuple[int, ...]] = {}
        self.outputs: dict[str, tuple[int, ...]] = {}
        for index in range(self._engine.num_io_tensors):
            tensor = self._engine.get_tensor_name(index)
            ports = (
                self.inputs
                if self._engine.get_tensor_mode(tensor) == trt.TensorIOMode.INPUT
                else self.outputs
            )
            ports[tensor] = tuple(self._engine.get_tensor_shape(tensor))

    def launch(self, addresses: Mapping[str, int], stream: int) -> None:
        """Queues one hop; returns before it has run.

        Args:
            addresses: of all inputs and outputs in the GPU's memory, dense.
            stream: CUDA stream, as a number.

        Raises:
            RuntimeError: TensorRT did not take it.
        """
        for tensor, address in addresses.items():
            if not self._context.set_tensor_address(tensor, address):
                raise RuntimeError(f"{self._name}: TensorRT refused the address of {tensor}")
        if not self._context.execute_async_v3(stream):
            raise RuntimeError(f"{self._name}: TensorRT did not run")


_LOGGER: list[Any] = []


def _logger() -> Any:
    """One for all: TensorRT keeps the first it is given, and warns of any other."""
    if not _LOGGER:
        trt = require_tensorrt()
        _LOGGER.append(trt.Logger(trt.Logger.ERROR))
    return _LOGGER[0]

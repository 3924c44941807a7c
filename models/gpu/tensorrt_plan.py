"""TensorRT: plans from the ONNX files that run on every processor, and their launch on a stream. No torch.

TensorRT or TensorRT for RTX, whichever is installed; the latter builds without a GPU, which is how every
network is known to become one plan. Plans are launched as they are, not wrapped in a module of
torch-tensorrt: a launch inside a CUDA graph is the least that one can cost.
"""

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from rtsep.kernels.errors import RtsepError

MODULES = ("tensorrt", "tensorrt_rtx")
# In front of a plan whose ports its builder has named by their place: our names, in the plan's order.
PORTS = b"rtsep-ports/1 "
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
    """Module and version: plans of another one are not run."""
    trt = require_tensorrt()
    return f"{trt.__name__} {trt.__version__}"


def build_plan(network: bytes, name: str) -> bytes:
    """One plan of the whole network.

    Args:
        network: content of an ONNX file; its types are kept (strongly typed).
        name: what to call it in messages.

    Raises:
        RtsepError: an operation that TensorRT lacks, or no plan.
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
    plan = builder.build_serialized_network(definition, config)
    if plan is None:
        raise RtsepError(f"{name}: {runtime_name()} builds no plan of it", "use --backend cuda")
    return bytes(plan)


def with_ports(plan: bytes, inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    """A plan with names for its inputs and outputs, in its own order."""
    return PORTS + json.dumps([list(inputs), list(outputs)]).encode() + b"\n" + plan


def split_ports(content: bytes) -> tuple[list[str], bytes]:
    """Names of all ports in the plan's order, inputs first, and the plan; none where the plan's own count."""
    if not content.startswith(PORTS):
        return [], content
    line, _, plan = content[len(PORTS) :].partition(b"\n")
    inputs, outputs = json.loads(line)
    return [*inputs, *outputs], plan


class Plan:
    """A plan on the GPU.

    Args:
        content: from `build_plan` or `with_ports`, for this GPU and this version.
        name: what to call it in messages.

    Attributes:
        inputs, outputs: shapes by name, all float32.

    Raises:
        RtsepError: TensorRT refuses it here.
    """

    def __init__(self, content: bytes, name: str) -> None:
        trt = require_tensorrt()
        self._name = name
        self._runtime = trt.Runtime(_logger())  # the plan needs it for as long as it lives
        names, plan = split_ports(content)
        self._plan = self._runtime.deserialize_cuda_engine(plan)
        self._context: Any = self._plan.create_execution_context() if self._plan else None
        if self._context is None:
            raise RtsepError(
                f"{name}: {runtime_name()} does not run its plan on this GPU",
                "run `rtsep compile` again, or use --backend cuda",
            )
        self.inputs: dict[str, tuple[int, ...]] = {}
        self.outputs: dict[str, tuple[int, ...]] = {}
        tensors = [self._plan.get_tensor_name(i) for i in range(self._plan.num_io_tensors)]
        # inputs come before outputs, both in the order in which the network was defined
        tensors.sort(key=lambda name: self._plan.get_tensor_mode(name) != trt.TensorIOMode.INPUT)
        self._tensors = dict(zip(names or tensors, tensors, strict=True))
        for port, tensor in self._tensors.items():
            ports = (
                self.inputs if self._plan.get_tensor_mode(tensor) == trt.TensorIOMode.INPUT else self.outputs
            )
            ports[port] = tuple(self._plan.get_tensor_shape(tensor))

    def launch(self, addresses: Mapping[str, int], stream: int) -> None:
        """Queues one hop; returns before it has run.

        Args:
            addresses: of all inputs and outputs in the GPU's memory, dense.
            stream: CUDA stream, as a number.

        Raises:
            RuntimeError: TensorRT did not take it.
        """
        for port, address in addresses.items():
            if not self._context.set_tensor_address(self._tensors[port], address):
                raise RuntimeError(f"{self._name}: TensorRT refused the address of {port}")
        if not self._context.execute_async_v3(stream):
            raise RuntimeError(f"{self._name}: TensorRT did not run")


_LOGGER: list[Any] = []


def _logger() -> Any:
    """One for all: TensorRT keeps the first it is given, and warns of any other."""
    if not _LOGGER:
        trt = require_tensorrt()
        _LOGGER.append(trt.Logger(trt.Logger.ERROR))
    return _LOGGER[0]

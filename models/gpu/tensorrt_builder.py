"""TensorRT as `rtsep compile` knows it, and what puts its plans into the hop program."""

from importlib import import_module, metadata
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

from rtsep.kernels.errors import RtsepError
from rtsep.models.gpu import tensorrt_plan
from rtsep.models.gpu.build_program import Replace, trained_network
from rtsep.models.gpu.cuda_graph import describe_gpu
from rtsep.models.gpu.tensorrt_step import PlanNetwork, TensorRtStep
from rtsep.models.networks.step_module import HopNetwork, StepModule
from rtsep.models.runtimes.compile import compiled_plan
from rtsep.models.runtimes.network_step import NEXT, NetworkStep

# The edition for TensorRT for RTX has a name of its own and the same module.
PACKAGES = ("torch-tensorrt", "torch-tensorrt-rtx")


class TensorRtBuilder:
    """TensorRT, or TensorRT for RTX, on this machine's GPU, by its ONNX parser: a `PlanBuilder`."""

    backend = "tensorrt"
    precisions: tuple[str, ...] = ("fp32", "fp16")

    def describe(self) -> dict[str, str]:
        """See `PlanBuilder`."""
        return {
            **describe_gpu(self.backend),
            "runtime": tensorrt_plan.runtime_name(),
            "builder": "ONNX parser",
        }

    def build(self, network: bytes, name: str, precision: str) -> bytes:
        """See `PlanBuilder`."""
        if precision == "fp16":
            if find_spec("onnx") is None:
                raise RtsepError(
                    f"{name}: half precision needs onnx, which is not installed",
                    "pip install 'rtsep[tensorrt]'",
                )
            from rtsep.models.gpu.half_precision import half_products

            network = half_products(network)
        return tensorrt_plan.build_plan(network, name)

    def load(self, plan: bytes, name: str) -> NetworkStep:
        """See `PlanBuilder`."""
        return TensorRtStep(plan, name)


class TorchTensorRtBuilder(TensorRtBuilder):
    """TensorRT by torch-tensorrt's converters, from the weights that a model has beside its ONNX files.

    Args:
        model: a shipped model's name, or the path of a model's folder.
    """

    precisions = ("fp32",)  # half precision is a rewriting of the ONNX file

    def __init__(self, model: str) -> None:
        self._model = model

    def describe(self) -> dict[str, str]:
        """See `PlanBuilder`."""
        return super().describe() | {"builder": installed_version() or ""}

    def build(self, network: bytes, name: str, precision: str) -> bytes:
        """See `PlanBuilder`; `network` says which of the model's."""
        return torch_plan(trained_network(self._model, network), name)


def best_builder(model: str, precision: str) -> TensorRtBuilder:
    """torch-tensorrt where it is installed and can do it, else TensorRT's ONNX parser.

    Raises:
        RtsepError: torch-tensorrt is installed and does not load: not to be passed over in silence.
    """
    builder = _builders(model, precision)[0]
    if isinstance(builder, TorchTensorRtBuilder):
        require_torch_tensorrt()
    return builder


def plans_in_place(model: str, precision: str) -> Replace:
    """Puts compiled plans of `precision` where the hop program's networks are.

    Raises:
        RtsepError: when called: `rtsep compile` has kept none for this machine.
    """
    builders = _builders(model, precision)

    def replace(network: StepModule, content: bytes, name: str) -> HopNetwork:
        plan = compiled_plan(builders, content, name, precision)
        return PlanNetwork(tensorrt_plan.Plan(plan, name), network)

    return replace


def _builders(model: str, precision: str) -> list[TensorRtBuilder]:
    """All that plans of `precision` may come from here, the best first; nothing is loaded."""
    parser = TensorRtBuilder()
    torch_too = precision in TorchTensorRtBuilder.precisions and installed_version()
    return [TorchTensorRtBuilder(model), parser] if torch_too else [parser]


def installed_version() -> str | None:
    """Package and version, without loading it (seconds, and a GPU's libraries); None where there is none."""
    for package in PACKAGES:
        try:
            return f"{package} {metadata.version(package)}"
        except metadata.PackageNotFoundError:
            continue
    return None


def require_torch_tensorrt() -> Any:
    """The module.

    Raises:
        RtsepError: it is not installed or does not load; then plans are built by TensorRT's ONNX parser.
    """
    try:
        return import_module("torch_tensorrt")
    except Exception as error:  # a missing driver, library or edition of TensorRT shows as whatever it likes
        raise RtsepError(
            f"torch-tensorrt does not load: {error}", "install the edition that fits torch and TensorRT"
        ) from error


def torch_plan(module: StepModule, name: str) -> bytes:
    """One plan of a whole step at batch 1, its types as they are.

    Args:
        module: in `eval` mode.
        name: what to call it in messages.

    Returns:
        The serialized plan behind a line that names its ports; see `tensorrt_plan.with_ports`.

    Raises:
        RtsepError: torch-tensorrt does not load, an operation has no converter, or no plan comes of it.
    """
    dynamo = require_torch_tensorrt().dynamo
    assert isinstance(module, nn.Module)
    arguments = (*module.example_inputs(1), *module.initial_state(1))
    try:
        with torch.no_grad():
            program = torch.export.export(module, arguments)
        plan = dynamo.convert_exported_program_to_serialized_trt_engine(
            program,
            arg_inputs=arguments,
            use_explicit_typing=True,
            min_block_size=1,
            require_full_compilation=True,  # else what has no converter would stay in torch, in silence
            immutable_weights=True,
            disable_tf32=True,  # ten bits of mantissa instead of 23: as for the parser's plans
        )
    except RuntimeError as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise RtsepError(
            f"{name}: torch-tensorrt builds no plan of it ({reason})", "use --backend cuda"
        ) from error
    inputs = (*module.inputs, *module.states)
    outputs = (*module.outputs, *(NEXT + state for state in module.states))
    return tensorrt_plan.with_ports(bytes(plan), inputs, outputs)

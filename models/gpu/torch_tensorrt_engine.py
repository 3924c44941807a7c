"""Engines by torch-tensorrt: a network's step exported from torch and converted without ONNX in between."""

from importlib import import_module, metadata
from typing import Any

import torch
from torch import nn

from rtsep.kernels.errors import RtsepError
from rtsep.models.gpu.tensorrt_engine import with_ports
from rtsep.models.networks.step_module import StepModule
from rtsep.models.runtimes.network_step import NEXT

# The edition for TensorRT for RTX has a name of its own and the same module.
PACKAGES = ("torch-tensorrt", "torch-tensorrt-rtx")


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
        RtsepError: it is not installed or does not load; then engines are built by TensorRT's ONNX parser.
    """
    try:
        return import_module("torch_tensorrt")
    except Exception as error:  # a missing driver, library or edition of TensorRT shows as whatever it likes
        raise RtsepError(
            f"torch-tensorrt does not load: {error}", "install the edition that fits torch and TensorRT"
        ) from error


def torch_engine(module: StepModule, name: str) -> bytes:
    """One engine of a whole step at batch 1, its types as they are.

    Args:
        module: in `eval` mode.
        name: what to call it in messages.

    Returns:
        The serialized plan behind a line that names its ports; see `tensorrt_engine.with_ports`.

    Raises:
        RtsepError: torch-tensorrt does not load, an operation has no converter, or no engine comes of it.
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
            disable_tf32=True,  # ten bits of mantissa instead of 23: as for the parser's engines
        )
    except RuntimeError as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise RtsepError(
            f"{name}: torch-tensorrt builds no engine of it ({reason})", "use --backend cuda"
        ) from error
    inputs = (*module.inputs, *module.states)
    outputs = (*module.outputs, *(NEXT + state for state in module.states))
    return with_ports(bytes(plan), inputs, outputs)

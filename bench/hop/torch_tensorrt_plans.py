"""Every shipped network to a TensorRT plan, by torch-tensorrt and by the ONNX parser: bytes and seconds.

Run as `python -P -m rtsep.bench.hop.torch_tensorrt_plans` where torch-tensorrt is installed; bench/README.md
says how. Without a GPU, stand-ins answer for it: TensorRT for RTX then builds plans all the same, and none is
run.
"""

import sys
import time
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import torch

from rtsep.kernels.errors import RtsepError
from rtsep.models.gpu.tensorrt_builder import TensorRtBuilder, TorchTensorRtBuilder, require_torch_tensorrt
from rtsep.models.registry import shipped_models

CAPABILITY = 9, 0  # of the stand-in
MEMORY = 80 << 30


def stand_in_for_a_gpu() -> None:
    """What torch-tensorrt asks a GPU while it converts is answered; tensors stay on the processor."""
    properties = SimpleNamespace(name="no GPU", major=CAPABILITY[0], minor=CAPABILITY[1], total_memory=MEMORY)
    answers: dict[str, Any] = {
        "get_device_capability": CAPABILITY,
        "current_device": 0,
        "device_count": 1,
        "get_device_name": properties.name,
        "get_device_properties": properties,
        "mem_get_info": (MEMORY, MEMORY),
        "set_device": None,
        "synchronize": None,
        "empty_cache": None,
        "ipc_collect": None,
    }
    for name, answer in answers.items():
        setattr(torch.cuda, name, lambda *_, answer=answer: answer)
    require_torch_tensorrt()
    for name, module in list(sys.modules.items()):
        if name.startswith("torch_tensorrt") and hasattr(module, "to_torch_device"):
            vars(module)["to_torch_device"] = lambda device: torch.device("cpu")
    interpreter = import_module("torch_tensorrt.dynamo.conversion._TRTInterpreter")
    interpreter.trt.Runtime = _NoRuntime


class _NoRuntime:
    """Plans are built and not loaded: there is nothing to load them on."""

    def __init__(self, *_: object) -> None:
        pass

    def deserialize_cuda_engine(self, plan: bytes) -> Any:
        return SimpleNamespace(serialize=lambda: plan)


def main() -> int:
    """Prints a line per network, builder and precision; 1 where one failed."""
    if not torch.cuda.is_available():
        stand_in_for_a_gpu()
    failed = 0
    networks = {network.onnx: model for model in shipped_models().values() for network in model.card.networks}
    for name, model in networks.items():
        builders = TorchTensorRtBuilder(model.card.name), TensorRtBuilder()
        for label, builder in zip(("torch-tensorrt", "ONNX parser"), builders, strict=True):
            for precision in builder.precisions:
                start_s = time.perf_counter()
                try:
                    plan = builder.build(model.read(name), name, precision)
                    found = f"{len(plan) / 1e6:6.2f} MB {time.perf_counter() - start_s:6.1f} s"
                except RtsepError as error:
                    found, failed = str(error), 1
                print(f"{name:26} {label:15} {precision} {found}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())

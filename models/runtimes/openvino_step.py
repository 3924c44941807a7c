"""A network's hop on OpenVINO: the same as on ONNX Runtime (extra `openvino`)."""

from collections.abc import Callable
from typing import Any

import numpy as np

from rtsep.kernels.errors import ModelRefused, RtsepError
from rtsep.models.runtimes.network_step import F32, NetworkStep
from rtsep.models.runtimes.telemetry import openvino_unreported

with openvino_unreported():
    import openvino
    from openvino import properties
    from openvino.properties import hint

DEVICE = "CPU"


class OpenVinoStep(NetworkStep):
    """One hop of a network with the state it carries, in float32 on one thread.

    Args:
        network: content of an ONNX file, or of a plan that `compile_network` made of one.
        name: what to call it in messages.
        compiled: whether `network` is a plan.

    Raises:
        ModelRefused: nothing that OpenVINO can run, or a graph that is no such hop.
    """

    def __init__(self, network: bytes, name: str, compiled: bool = False) -> None:
        core = openvino.Core()
        try:
            if compiled:
                self._model = core.import_model(network, DEVICE, _options())
            else:
                self._model = core.compile_model(core.read_model(network), DEVICE, _options())
        except RuntimeError as error:
            raise _unusable(name, error) from None
        given = {port.any_name: _zeros(port, name) for port in self._model.inputs}
        found = {port.any_name: _zeros(port, name) for port in self._model.outputs}
        super().__init__(name, given, found, self._bind)

    def _bind(self, given: dict[str, F32], found: dict[str, F32]) -> Callable[[], object]:
        request = self._model.create_infer_request()
        for key, array in (given | found).items():
            request.set_tensor(key, openvino.Tensor(array, shared_memory=True))
        run: Callable[[], object] = request.infer
        return run


def compile_network(network: bytes, name: str) -> bytes:
    """A plan for this machine's processor from the content of an ONNX file.

    Raises:
        ModelRefused: nothing that OpenVINO can run.
    """
    core = openvino.Core()
    try:
        model = core.compile_model(core.read_model(network), DEVICE, _options())
    except RuntimeError as error:
        raise _unusable(name, error) from None
    return bytes(model.export_model().getvalue())


def describe_device() -> dict[str, str]:
    """What a plan depends on: the processor and the version of OpenVINO."""
    processor = openvino.Core().get_property(DEVICE, "FULL_DEVICE_NAME")
    abilities = openvino.Core().get_property(DEVICE, "OPTIMIZATION_CAPABILITIES")
    return {
        "device": f"{processor} ({', '.join(sorted(abilities))})",
        "runtime": f"openvino {openvino.__version__}",
    }


def _options() -> dict[Any, Any]:
    return {
        properties.inference_num_threads(): 1,  # more threads give tail spikes of milliseconds
        properties.num_streams(): 1,
        hint.performance_mode(): hint.PerformanceMode.LATENCY,
        hint.inference_precision(): openvino.Type.f32,  # bfloat16, where a processor has it, rounds weights
        hint.enable_cpu_pinning(): False,  # the engine's process chooses its core
    }


def _zeros(port: Any, name: str) -> F32:
    if port.element_type != openvino.Type.f32 or not port.partial_shape.is_static:
        raise ModelRefused(
            f"{name}: {port.any_name} is {port.element_type} {port.partial_shape}, "
            "not float32 of a fixed shape",
            "export it with rtsep.models.networks.export",
        )
    return np.zeros(tuple(port.shape), np.float32)


def _unusable(name: str, error: RuntimeError) -> RtsepError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = lines[-1] if lines else "no reason given"
    return RtsepError(
        f"{name} is no network that OpenVINO {openvino.__version__} can run ({reason})", "use --backend cpu"
    )

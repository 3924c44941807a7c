"""A network's hop on ONNX Runtime: no torch, one thread, no copies of state."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime

from rtsep.kernels.errors import ModelRefused
from rtsep.models.runtimes.network_step import F32, NetworkStep
from rtsep.models.runtimes.telemetry import silence_onnxruntime

silence_onnxruntime()

ERRORS_ONLY = 3


class OnnxStep(NetworkStep):
    """One hop of a network with the state it carries. All arrays are bound once.

    Args:
        model: path of an ONNX file, or its content (when that has been compared with a card).
        name: what to call the model in messages; the path unless given.

    Raises:
        ModelRefused: no such file, or nothing that ONNX Runtime can run, or a graph that is no such hop.
    """

    def __init__(self, model: Path | bytes, name: str | None = None) -> None:
        name = name or (str(model) if isinstance(model, Path) else "network")
        session = self._session = _session(read_network(model), name)
        given = {entry.name: _zeros(entry, name) for entry in session.get_inputs()}
        found = {entry.name: _zeros(entry, name) for entry in session.get_outputs()}
        super().__init__(name, given, found, self._bind)

    def _bind(self, given: dict[str, F32], found: dict[str, F32]) -> Callable[[], object]:
        """Every input and output to its array: pointers, so the arrays must never move."""
        binding = self._session.io_binding()
        for key, array in given.items():
            binding.bind_input(key, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        for key, array in found.items():
            binding.bind_output(key, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        return partial(self._session.run_with_iobinding, binding)


def read_network(model: Path | bytes) -> bytes:
    """An ONNX file's content: a runtime then never looks for other files beside it.

    Raises:
        ModelRefused: no such file.
    """
    if isinstance(model, bytes):
        return model
    try:
        return model.read_bytes()
    except OSError as error:
        raise ModelRefused(
            f"network {model} cannot be read ({error.strerror})", "check the path, or install rtsep again"
        ) from None


def _zeros(entry: onnxruntime.NodeArg, name: str) -> F32:
    if entry.type != "tensor(float)" or not all(isinstance(size, int) for size in entry.shape):
        raise ModelRefused(
            f"{name}: {entry.name} is {entry.type} {entry.shape}, not float32 of a fixed shape",
            "export it with rtsep.models.networks.export",
        )
    return np.zeros(entry.shape, np.float32)


def _session(content: bytes, name: str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # More threads give tail spikes of milliseconds, and spinning ones take the device's core.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = ERRORS_ONLY
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no base of their own
        reason = str(error).splitlines()[0].removeprefix("[ONNXRuntimeError] : ")
        raise ModelRefused(
            f"{name} is no network that ONNX Runtime {onnxruntime.__version__} can run ({reason})",
            "install rtsep again, or export the network again",
        ) from None

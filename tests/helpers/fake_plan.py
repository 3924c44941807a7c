"""TensorRT's plan without TensorRT: ONNX Runtime behind addresses of this processor's memory."""

import ctypes
from collections.abc import Mapping

import numpy as np
import onnxruntime
from numpy.typing import NDArray


class FakePlan:
    """Stands in for a `tensorrt_plan.Plan`; its content is the ONNX file."""

    def __init__(self, content: bytes, name: str) -> None:
        self._session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        self.inputs = {port.name: tuple(port.shape) for port in self._session.get_inputs()}
        self.outputs = {port.name: tuple(port.shape) for port in self._session.get_outputs()}
        self.launches = 0

    def launch(self, addresses: Mapping[str, int], stream: int) -> None:
        assert addresses.keys() == self.inputs.keys() | self.outputs.keys()
        self.launches += 1

        given = {name: at(addresses[name], shape) for name, shape in self.inputs.items()}
        for name, value in zip(self.outputs, self._session.run(None, given), strict=True):
            at(addresses[name], self.outputs[name])[...] = value


def at(address: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The array that lies there."""
    memory = (ctypes.c_float * int(np.prod(shape))).from_address(address)
    return np.ctypeslib.as_array(memory).reshape(shape)

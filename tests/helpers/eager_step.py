"""A network's hop as the stage calls it, computed by torch itself."""

import numpy as np
import torch

from rtsep.models.networks.step_module import StepModule


class EagerStep:
    """Stands in for an `OnnxStep` where exporting the network is not what is tested."""

    def __init__(self, network: StepModule) -> None:
        self._network, self._state = network, network.initial_state(1)
        self._before = self._state
        given = network.example_inputs(1)
        found = network(*given, *self._state)
        self.inputs = {n: np.zeros(v.shape, np.float32) for n, v in zip(network.inputs, given, strict=True)}
        self.outputs = {
            n: np.zeros(v.shape, np.float32) for n, v in zip(network.outputs, found, strict=False)
        }

    def run(self) -> None:
        given = (torch.from_numpy(self.inputs[name]) for name in self._network.inputs)
        found = self._network(*given, *self._state)
        for name, value in zip(self._network.outputs, found, strict=False):
            self.outputs[name][...] = value.numpy()
        self._before, self._state = self._state, found[len(self._network.outputs) :]

    def take_back(self) -> None:
        self._state = self._before

    def reset(self) -> None:
        self._state = self._network.initial_state(1)

"""Plans of TensorRT where networks were: behind arrays of the processor, and inside the hop program."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from rtsep.models.gpu.tensorrt_plan import Plan
from rtsep.models.networks.step_module import StepModule
from rtsep.models.runtimes.network_step import F32, NEXT, NetworkStep


class TensorRtStep(NetworkStep):
    """One hop of a network with the state it carries: what a plan is compared by before it is kept.

    Args:
        content: of a plan for this GPU.
        name: what to call it in messages.

    Raises:
        RtsepError: TensorRT refuses it here, or a graph that is no such hop.
    """

    def __init__(self, content: bytes, name: str) -> None:
        self._plan = Plan(content, name)
        given, found = (
            {tensor: np.zeros(shape, np.float32) for tensor, shape in shapes.items()}
            for shapes in (self._plan.inputs, self._plan.outputs)
        )
        super().__init__(name, given, found, self._bind)

    def _bind(self, given: dict[str, F32], found: dict[str, F32]) -> Callable[[], object]:
        """Copies there and back on every run: for comparing, not for the stage."""
        there = {key: torch.from_numpy(array).cuda() for key, array in (given | found).items()}
        addresses = {key: tensor.data_ptr() for key, tensor in there.items()}

        def run() -> None:
            for key, array in given.items():
                there[key].copy_(torch.from_numpy(array))
            self._plan.launch(addresses, torch.cuda.current_stream().cuda_stream)
            for key, array in found.items():
                torch.from_numpy(array).copy_(there[key])

        return run


class PlanNetwork(nn.Module):
    """A plan in the place of the network it was built from, one stream, one launch.

    Args:
        plan: of the network's ONNX file.
        network: the module that the plan stands for; the file may be of more voices.
    """

    def __init__(self, plan: Plan, network: StepModule) -> None:
        super().__init__()
        self._plan = plan
        self.inputs, self.outputs, self.states = network.inputs, network.outputs, network.states
        self._shapes = {  # of one stream
            **dict(zip(self.inputs, (x.shape for x in network.example_inputs(1)), strict=True)),
            **{state: x.shape for state, x in self._fresh(network).items()},
        }
        with torch.no_grad():
            outputs = network(*network.example_inputs(1), *network.initial_state(1))[: len(self.outputs)]
        self._shapes |= dict(zip(self.outputs, (x.shape for x in outputs), strict=True))
        self._network = (network,)  # in a tuple, it is no part of this module and stays where it is

    def initial_state(self, batch: int) -> tuple[Tensor, ...]:
        """The network's own."""
        return self._network[0].initial_state(batch)

    def forward(self, *args: Tensor) -> tuple[Tensor, ...]:
        """See `StepModule`: one hop, queued on torch's current stream."""
        given = dict(zip((*self.inputs, *self.states), args, strict=True))
        device = args[0].device
        tensors = {key: _padded(value, self._plan.inputs[key]) for key, value in given.items()}
        for key, shape in self._plan.outputs.items():
            tensors[key] = torch.empty(shape, device=device)
        addresses = {key: tensor.data_ptr() for key, tensor in tensors.items()}
        self._plan.launch(addresses, torch.cuda.current_stream(device).cuda_stream)
        return (
            *(_cut(tensors[key], self._shapes[key]) for key in self.outputs),
            *(_cut(tensors[NEXT + key], self._shapes[key]) for key in self.states),
        )

    def _fresh(self, network: StepModule) -> dict[str, Tensor]:
        return dict(zip(self.states, network.initial_state(1), strict=True))


def _padded(value: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Dense, and with silent voices up to what the plan takes: voices do not hear each other there."""
    if tuple(value.shape) == shape:
        return value.contiguous()
    dense = torch.zeros(shape, device=value.device)
    dense[tuple(slice(size) for size in value.shape)] = value
    return dense


def _cut(value: Tensor, shape: torch.Size) -> Tensor:
    return value[tuple(slice(size) for size in shape)]

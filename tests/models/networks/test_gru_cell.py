"""The written-out cell is torch's GRU, step by step and over sequences, forwards and backwards."""

import torch
from torch import Tensor, nn

from rtsep.models.networks.gru_cell import GruCell
from rtsep.models.networks.step_module import StepModule, step_through


def pair() -> tuple[GruCell, nn.GRUCell]:
    torch.manual_seed(3)
    cell, reference = GruCell(5, 7), nn.GRUCell(5, 7)
    reference.load_state_dict(cell.state_dict())  # same names, same shapes
    return cell, reference


def test_step_is_that_of_torch() -> None:
    cell, reference = pair()
    h = expected = torch.zeros(3, 7)
    for _ in range(200):
        x = torch.randn(3, 5)
        h, expected = cell(x, h), reference(x, expected)
    torch.testing.assert_close(h, expected, rtol=0.0, atol=1e-6)
    assert float(h.detach().abs().max()) > 0.1


def test_sequence_is_steps_in_value_and_gradient() -> None:
    cell, reference = pair()
    x = torch.randn(3, 40, 5)
    start = torch.randn(3, 7)
    weights = torch.randn(3, 40, 7)

    states, last = cell.sequence(x, start)
    (states * weights).sum().backward()
    h, by_steps = start, []
    for hop in range(40):
        h = reference(x[:, hop], h)
        by_steps.append(h)
    (torch.stack(by_steps, 1) * weights).sum().backward()

    torch.testing.assert_close(states, torch.stack(by_steps, 1), rtol=0.0, atol=1e-6)
    torch.testing.assert_close(last, h, rtol=0.0, atol=1e-6)
    for name, parameter in cell.named_parameters():
        torch.testing.assert_close(parameter.grad, reference.get_parameter(name).grad, rtol=1e-4, atol=1e-5)


class Echo(nn.Module):
    """The smallest network of the house: one input, one output, one state."""

    inputs, outputs, states = ("x",), ("y",), ("h",)

    def __init__(self) -> None:
        super().__init__()
        self.cell = GruCell(2, 4)

    def initial_state(self, batch: int) -> tuple[Tensor, ...]:
        return (torch.zeros(batch, 4),)

    def example_inputs(self, batch: int) -> tuple[Tensor, ...]:
        return (torch.randn(batch, 2),)

    def forward(self, *args: Tensor) -> tuple[Tensor, ...]:
        h = self.cell(*args)
        return h.square(), h

    def sequence(self, *args: Tensor) -> tuple[Tensor, ...]:
        states, last = self.cell.sequence(*args)
        return states.square(), last


def test_a_network_of_the_house() -> None:
    network = Echo()
    assert isinstance(network, StepModule)
    x, state = torch.randn(3, 20, 2), network.initial_state(3)
    for found, expected in zip(network.sequence(x, *state), step_through(network, x, *state), strict=True):
        torch.testing.assert_close(found, expected, rtol=0.0, atol=1e-6)

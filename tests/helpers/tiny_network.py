"""A small network of the step contract: a recurrent state, a buffer of past frames, two inputs."""

import torch
from torch import Tensor, nn

from rtsep.models.networks.step_module import step_through

BANDS, PAST, HIDDEN = 24, 3, 16


class TinyNetwork(nn.Module):
    """Bands and one number in, a gain out."""

    inputs = ("bands", "level")
    outputs = ("gain",)
    states = ("h", "past")

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.gates = nn.Linear(BANDS + 1 + HIDDEN, 2 * HIDDEN)
        self.head = nn.Linear(HIDDEN, 2)

    def initial_state(self, batch: int) -> tuple[Tensor, ...]:
        return torch.zeros(batch, HIDDEN), torch.zeros(batch, PAST, BANDS)

    def example_inputs(self, batch: int) -> tuple[Tensor, ...]:
        return torch.linspace(-1, 1, BANDS).repeat(batch, 1), torch.full((batch, 1), 0.5)

    def forward(self, bands: Tensor, level: Tensor, h: Tensor, past: Tensor) -> tuple[Tensor, ...]:
        past = torch.cat((past[:, 1:], bands[:, None]), dim=1)
        keep, new = self.gates(torch.cat((past.mean(1), level, h), dim=1)).chunk(2, dim=1)
        keep = torch.sigmoid(keep + 3.0)  # remembers for some twenty hops
        h = keep * h + (1.0 - keep) * torch.tanh(new)
        return torch.sigmoid(self.head(h)), h, past

    def sequence(self, *args: Tensor) -> tuple[Tensor, ...]:
        return step_through(self, *args)

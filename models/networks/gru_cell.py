"""A GRU cell out of two matrix products and elementwise operations.

`torch.nn.GRUCell` does not convert to TensorRT and `torch.nn.GRU` becomes loops there; this cell becomes a
handful of layers. Parameters and results are those of `torch.nn.GRUCell` (Cho et al. 2014 in the form of its
documentation).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class GruCell(nn.Module):
    """One recurrent step [B, I], [B, H] -> [B, H], and many at once for training.

    Args:
        inputs: I, features of the input.
        hidden: H, features of the state.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.inputs = inputs
        self.hidden = hidden
        self.weight_ih = nn.Parameter(torch.empty(3 * hidden, inputs))
        self.weight_hh = nn.Parameter(torch.empty(3 * hidden, hidden))
        self.bias_ih = nn.Parameter(torch.empty(3 * hidden))
        self.bias_hh = nn.Parameter(torch.empty(3 * hidden))
        bound = 1.0 / math.sqrt(hidden)  # as torch.nn.GRUCell draws them
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        """One step: x [B, I], h [B, H] -> the new h [B, H]."""
        reset_x, update_x, new_x = functional.linear(x, self.weight_ih, self.bias_ih).chunk(3, dim=-1)
        reset_h, update_h, new_h = functional.linear(h, self.weight_hh, self.bias_hh).chunk(3, dim=-1)
        reset = torch.sigmoid(reset_x + reset_h)
        update = torch.sigmoid(update_x + update_h)
        new = torch.tanh(new_x + reset * new_h)
        return new + update * (h - new)

    def sequence(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """T steps: x [B, T, I], h [B, H] -> all states [B, T, H] and the last one [B, H].

        Runs in torch's fused recurrent kernel (cuDNN on a GPU), differentiable in everything.
        """
        parameters = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        # has_biases, num_layers, dropout, train, bidirectional, batch_first
        states, last = torch.gru(x, h.unsqueeze(0), parameters, True, 1, 0.0, self.training, False, True)
        return states, last.squeeze(0)

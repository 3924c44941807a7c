"""Layers over the frequency bands of a spectrum, channels last."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class AlongBands(nn.Module):
    """A convolution over frequency, with a bias of its own at every place.

    Low bands are spaced evenly and high ones logarithmically: what is next to a band differs in meaning.

    Shape of `forward(x, beside)`:
        x: [N, bands, inputs], or its first channels: channels last, as a CPU convolves them.
        beside: the other channels. Not put together first: the gradient of that is strided, and all that
            follows it ten times as slow.
        returns [N, bands // stride, outputs].
    """

    def __init__(self, inputs: int, outputs: int, width: int, bands: int, stride: int = 1) -> None:
        super().__init__()
        # in two dimensions, of which one is 1: twice as fast on a CPU as one dimension
        self.weigh = nn.Conv2d(inputs, outputs, (1, width), (1, stride), (0, width // 2), bias=False)
        self.place = nn.Parameter(torch.zeros(bands // stride, outputs))

    def forward(self, x: Tensor, beside: Tensor | None = None) -> Tensor:
        """See the class."""
        weights = self.weigh.weight
        if beside is None:
            out = self._weighed(x, weights)
        else:
            first = x.shape[2]
            out = self._weighed(x, weights[:, :first]) + self._weighed(beside, weights[:, first:])
        return out + self.place.to(out.dtype)  # a sum with all its bits would slow whatever follows

    def _weighed(self, x: Tensor, weights: Tensor) -> Tensor:
        laid_out = x.transpose(1, 2).unsqueeze(2)
        out = functional.conv2d(laid_out, weights, None, self.weigh.stride, self.weigh.padding)
        return out.squeeze(2).transpose(1, 2)


class Upwards(nn.Module):
    """To twice the bands: a convolution gives every band the channels of the two that it becomes.

    Shape of `forward(x, beside)`:
        x and beside: as of `AlongBands`.
        returns [N, 2 * bands, outputs].
    """

    def __init__(self, inputs: int, outputs: int, width: int, bands: int) -> None:
        super().__init__()
        self.outputs = outputs
        self.bands = bands
        self.both = AlongBands(inputs, 2 * outputs, width, bands)

    def forward(self, x: Tensor, beside: Tensor) -> Tensor:
        """See the class."""
        both: Tensor = self.both(x, beside)
        return both.reshape(-1, 2 * self.bands, self.outputs)

"""`LogFilterbank` as a matrix product, for many streams at once."""

import torch
from torch import Tensor, nn

from rtsep.kernels.filterbank import LogFilterbank, band_weights, dense_weights
from rtsep.models.framing import Framing


class TensorFilterbank(nn.Module):
    """Natural log of band magnitudes.

    Args:
        bank: the one to follow.
        framing: of the spectra.
    """

    bands: Tensor

    def __init__(self, bank: LogFilterbank, framing: Framing) -> None:
        super().__init__()
        weights = band_weights(bank.centres_hz, framing.samplerate, framing.window_samples)
        dense = dense_weights(weights, framing.bins)
        self.register_buffer("bands", torch.from_numpy(dense).float(), persistent=False)
        self.floor = bank.floor

    def forward(self, magnitude: Tensor) -> Tensor:
        """Magnitudes [S, bins] -> [S, bands]."""
        return torch.log(magnitude @ self.bands.T + self.floor)

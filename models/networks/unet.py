"""F0-conditioned U-Net, offline: the supervised baseline of papers on choirs, for comparison only.

After Petermann et al. 2020 ("Deep Learning Based Source Separation Applied To Choire Ensembles") as run by
Schulze-Forster et al. 2022: the magnitudes of the mixture, scaled and shifted per bin and frame by what the
pitch of one voice says (FiLM on the input), go through six strided convolutions and six transposed ones with
skips to a mask of that voice. Smaller than the published one, see `CHANNELS` and `PITCH_CHANNELS`, and fed
with compressed magnitudes: linear ones spend the little training on the loudest partials.
"""

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

WINDOW_SAMPLES, HOP = 1024, 256  # at 16 kHz
BINS = WINDOW_SAMPLES // 2 + 1
# The net halves time and frequency six times; the uppermost bin has no place in 512 and its mask is zero.
NET_BINS, FRAME_MULTIPLE = 512, 64
# Of the published 16, 32, 64, 128, 256, 512: an eighth of the work, for hours of one CPU core.
CHANNELS = (16, 24, 48, 64, 96, 128)
# The published pitch encoder begins with 16 channels; it is cheap, and wider it learns in fewer steps.
PITCH_CHANNELS = (64, 96, 256)
PITCH_BINS, BINS_PER_OCTAVE, LOWEST_HZ = 361, 60, 32.703  # C1 and six octaves
PITCH_KERNEL = 10  # frames
DROPOUT = 0.5
COMPRESSION = 0.3  # exponent of the magnitudes the net sees


def pitch_condition(f0_hz: NDArray[np.floating]) -> NDArray[np.float32]:
    """One-hot pitch, blurred by a bin: float32 [..., 361] for F0 [...]; zeros where unvoiced."""
    voiced = f0_hz > 0
    place = BINS_PER_OCTAVE * np.log2(np.where(voiced, f0_hz, LOWEST_HZ) / LOWEST_HZ)
    distance = np.arange(PITCH_BINS) - place[..., None]
    return np.asarray(np.exp(-0.5 * distance**2) * voiced[..., None], np.float32)


class PitchEncoder(nn.Module):
    """From pitches to scale and shift of every bin."""

    def __init__(self) -> None:
        super().__init__()
        sizes = (PITCH_BINS, *PITCH_CHANNELS)
        self.convolutions = nn.ModuleList(nn.Conv1d(a, b, PITCH_KERNEL) for a, b in pairwise(sizes))
        self.out = nn.Linear(PITCH_CHANNELS[-1], 2 * NET_BINS)

    def forward(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """condition [batch, frames, 361] -> scale, shift [batch, frames, 512]."""
        x = condition.transpose(1, 2)
        before = (PITCH_KERNEL - 1) // 2
        for convolution in self.convolutions:
            x = functional.relu(convolution(functional.pad(x, (before, PITCH_KERNEL - 1 - before))))
        scale, shift = self.out(x.transpose(1, 2)).chunk(2, dim=-1)
        return 1.0 + scale, shift


class ConditionedUNet(nn.Module):
    """Mask of the voice that sings a pitch."""

    def __init__(self) -> None:
        super().__init__()
        self.pitch = PitchEncoder()
        sizes = (1, *CHANNELS)
        self.down = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 5, stride=2, padding=2), nn.BatchNorm2d(b), nn.LeakyReLU(0.2))
            for a, b in pairwise(sizes)
        )
        self.up = nn.ModuleList()
        for level in reversed(range(len(CHANNELS))):
            above = CHANNELS[level] * (1 if level == len(CHANNELS) - 1 else 2)  # with the skip
            below = CHANNELS[level - 1] if level else 1
            layers: list[nn.Module] = [
                nn.ConvTranspose2d(above, below, 5, stride=2, padding=2, output_padding=1)
            ]
            if level:
                layers += [nn.BatchNorm2d(below), nn.ReLU()]
            if level >= len(CHANNELS) - 3:
                layers.append(nn.Dropout(DROPOUT))
            self.up.append(nn.Sequential(*layers))

    def forward(self, magnitudes: Tensor, condition: Tensor) -> Tensor:
        """Magnitudes of the voice.

        Shape:
            magnitudes: [batch, frames, 513], of the mixture, at most about 1; frames divide by 64.
            condition: [batch, frames, 361], see `pitch_condition`.
            returns [batch, frames, 513], at most `magnitudes`.
        """
        scale, shift = self.pitch(condition)
        x = (magnitudes[..., :NET_BINS] ** COMPRESSION * scale + shift)[:, None]
        skips = []
        for down in self.down:
            x = down(x)
            skips.append(x)
        for index, up in enumerate(self.up):
            x = up(x if index == 0 else torch.cat([x, skips[-1 - index]], dim=1))
        mask = torch.sigmoid(x[:, 0])
        return magnitudes * functional.pad(mask, (0, BINS - NET_BINS))

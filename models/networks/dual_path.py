"""Layers that look along time in every band, and along the bands in every hop, in turn (a dual path: Luo,
Chen and Yoshioka 2020).

Along time there is no recurrence to learn but averages over fixed times, weighed by what sounds now: a tenth
of the time of a GRU per band in training, and the same at every hop length.
"""

import numpy as np
import torch
from torch import Tensor, nn

from rtsep.models.networks.averages import averages, decays, spans

WIDTH = 48  # channels of every band
TIMES_S = tuple(
    float(t) for t in np.geomspace(0.01, 3.0, WIDTH)
)  # from an onset to the level, a channel each
SPREAD = 2  # times as many values between the layers that mix


class DualPath(nn.Module):
    """One look along time, one along the bands, one at the channels; each adds to what it was given.

    Args:
        bands: of the spectrum, low to high.
    """

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.kept = nn.Linear(WIDTH, WIDTH)
        self.gate = nn.Linear(WIDTH, WIDTH)
        self.remembered = nn.Linear(WIDTH, WIDTH, bias=False)
        self.spread = nn.Linear(bands, SPREAD * bands)  # the same for every channel
        self.gathered = nn.Linear(SPREAD * bands, bands)
        self.wide = nn.Linear(WIDTH, SPREAD * WIDTH)
        self.narrow = nn.Linear(SPREAD * WIDTH, WIDTH, bias=False)

    def mixed(self, x: Tensor, average: Tensor) -> Tensor:
        """[N, bands, WIDTH] and the averages of what it kept -> the same shape."""
        x = x + self.remembered(torch.sigmoid(self.gate(x)) * average)
        along: Tensor = self.gathered(torch.relu(self.spread(x.transpose(1, 2))))
        x = x + along.transpose(1, 2)
        out: Tensor = x + self.narrow(torch.relu(self.wide(x)))
        return out


class DualPaths(nn.Module):
    """Several such looks, one after another, beside a layer of a network.

    The change that they give begins as zeros: a trained network that gets them does what it did.

    Args:
        paths: looks one after another, at least 1.
        channels: of every band, given and returned.
        bands: as of `DualPath`.

    Shape of `forward(x, preset, memory)`:
        x: float32 [N, bands, channels].
        preset: float32 [N, 4], one-hot.
        memory: float32 [N, paths, WIDTH, bands], averages.
        returns the change of x, and the memory.
    """

    decay: Tensor  # [presets, WIDTH]

    def __init__(self, paths: int, channels: int, bands: int) -> None:
        super().__init__()
        self.bands = bands
        self.widen = nn.Linear(channels, WIDTH)
        self.place = nn.Parameter(torch.zeros(bands, WIDTH))  # tells low bands from high ones
        self.paths = nn.ModuleList([DualPath(bands) for _ in range(paths)])
        self.narrow = nn.Linear(WIDTH, channels, bias=False)
        nn.init.zeros_(self.narrow.weight)
        self.register_buffer("decay", decays(TIMES_S), persistent=False)

    def initial_state(self, batch: int) -> Tensor:
        """Zeros: before the first hop."""
        return torch.zeros(batch, len(self.paths), WIDTH, self.bands)

    def forward(self, x: Tensor, preset: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        y = torch.relu(self.widen(x) + self.place)
        decay = (preset @ self.decay)[:, :, None]
        kept = []
        for k, path in enumerate(self._each()):
            now = path.kept(y).transpose(1, 2)
            kept.append(now + decay * (memory[:, k] - now))
            y = path.mixed(y, kept[k].transpose(1, 2))
        return self.narrow(y), torch.stack(kept, dim=1)

    def sequence(self, x: Tensor, preset: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """`forward` over a time axis: x [N, time, bands, channels], the change too; the others as there."""
        y = torch.relu(self.widen(x) + self.place.to(x.dtype))
        over = spans(preset @ self.decay, x.shape[1])
        kept = []
        for k, path in enumerate(self._each()):
            now = path.kept(y).permute(0, 3, 1, 2)  # [N, WIDTH, time, bands]
            found = averages(now, over, memory[:, k])
            kept.append(found[:, :, -1])
            y = path.mixed(y.flatten(0, 1), found.permute(0, 2, 3, 1).flatten(0, 1)).view_as(y)
        return self.narrow(y), torch.stack(kept, dim=1)

    def _each(self) -> list[DualPath]:
        return [path for path in self.paths if isinstance(path, DualPath)]

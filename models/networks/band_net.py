"""The networks of the band model: one encoder of the mixture, one small decoder per stem.

The encoder runs once per hop whatever is asked for; a decoder turns what the encoder gives into the gain of
its stem in every band. A decoder can be trained, run and left out by itself: gains do not compete.

Time enters as averages over fixed times in seconds, not in hops, so that one network serves every latency
preset.
"""

import math
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtsep.models.band.features import BANDS, FLOOR_POWER, band_centres_hz
from rtsep.models.networks.along_bands import AlongBands, Upwards
from rtsep.models.networks.averages import HOP_S, decays, spans
from rtsep.models.networks.averages import averages as averages_of
from rtsep.models.networks.dual_path import DualPaths
from rtsep.models.networks.gru_cell import GruCell
from rtsep.models.networks.partials import at_partials

PRESETS = 4  # 5, 11, 21, 43 ms
# Training databases are recorded at 24 kHz: nothing could be learnt from bands above this. The
# encoder does not get them, and their gains are that of the last band below.
INPUT_TOP_HZ = 11500.0
INPUT_BANDS = int((band_centres_hz() <= INPUT_TOP_HZ).sum())
AVERAGE_S = (
    0.03,
    0.15,
    1.0,
)  # an onset, a note, a chord: a band's distance from its averages tells them apart
# What sounds at these multiples of a band's frequency lies beside it in the input: whether a peak is the
# second partial of a bass or the first of a guitar shows in the bands at half and twice its frequency.
PARTIALS = (1.0 / 3.0, 1.0 / 2.0, 2.0, 3.0)
FEATURES = 1 + len(AVERAGE_S) + len(PARTIALS)
LEVEL_S = 3.0  # the level that is taken off moves this slowly: faster would hide who plays louder
LOWEST_LEVEL = math.log(1e-8)  # -80 dB of full scale: noise is not brought up to the level of music
RANGE = (-15.0, 8.0)  # of log power re the level; below lies nothing audible
SKIP1, SKIP2 = 24, 32  # channels at half and a quarter of the bands
CODE = 240
DECODER = (12, 16, 12)  # channels of a decoder at a quarter, half and all of the bands


class BandEncoder(nn.Module):
    """One hop of the mixture -> what every decoder is given.

    Args:
        paths: looks along time and along the bands (`dual_path`), 0 for a network without them.

    Shape of `forward(bands, preset, level, averages, local, [paths,] first, second)`:
        bands: float32 [batch, BANDS], log power, see `models.band.features`.
        preset: float32 [batch, 4], one-hot: 5, 11, 21, 43 ms.
        level: float32 [batch, 2], averaged power, and the sum of the average's weights so far.
        averages: float32 [batch, 3, INPUT_BANDS] of the features.
        local: float32 [batch, INPUT_BANDS / 2, SKIP1], what every pair of bands remembers.
        paths: as of `DualPaths`; not there if the network has none.
        first, second: float32 [batch, CODE].
        returns code [batch, CODE], skip0 [batch, INPUT_BANDS, FEATURES], skip1 [batch, INPUT_BANDS / 2,
        24], skip2 [batch, INPUT_BANDS / 4, 32], and the states.
    """

    inputs: tuple[str, ...] = ("bands", "preset")
    outputs: tuple[str, ...] = ("code", "skip0", "skip1", "skip2")
    states: tuple[str, ...] = ("level", "averages", "local", "first", "second")

    decay: Tensor  # [PRESETS, averages] and [PRESETS, 1], of a hop
    level_decay: Tensor
    level_share: Tensor
    at_partials: Tensor  # [INPUT_BANDS, partials * INPUT_BANDS]
    mean: Tensor  # [INPUT_BANDS], natural logarithms of power
    deviation: Tensor

    def __init__(self, paths: int = 0) -> None:
        super().__init__()
        self.config = {"paths": paths} if paths else {}  # of the card
        self.paths = DualPaths(paths, SKIP1, INPUT_BANDS // 2) if paths else None
        if paths:
            self.states = (*self.states[:3], "paths", *self.states[3:])
        self.to_half = AlongBands(FEATURES, SKIP1, 7, INPUT_BANDS, stride=2)
        self.local = GruCell(SKIP1, SKIP1)  # the same for every pair of bands
        self.remembered = nn.Linear(SKIP1, SKIP1, bias=False)
        nn.init.zeros_(self.remembered.weight)
        self.to_quarter = AlongBands(SKIP1, SKIP2, 5, INPUT_BANDS // 2, stride=2)
        self.across = nn.Linear(SKIP2 * (INPUT_BANDS // 4), CODE)
        self.preset = nn.Linear(PRESETS, CODE, bias=False)
        self.first = GruCell(CODE, CODE)
        self.second = GruCell(CODE, CODE)
        hops_s = torch.tensor(HOP_S)
        self.register_buffer("decay", decays(AVERAGE_S), persistent=False)
        decay = torch.exp(-hops_s[:, None].double() / LEVEL_S)
        self.register_buffer("level_decay", decay.float(), persistent=False)
        # Not 1 - decay in float32, which would lose four digits: after one hop the level is made of it alone.
        self.register_buffer("level_share", (1.0 - decay).float(), persistent=False)
        self.register_buffer(
            "at_partials", at_partials(band_centres_hz()[:INPUT_BANDS], PARTIALS), persistent=False
        )
        # of log power re the level, over all training data; measured in the first steps, then left alone
        self.register_buffer("mean", torch.full((INPUT_BANDS,), -3.0))
        self.register_buffer("deviation", torch.full((INPUT_BANDS,), 3.0))

    def initial_state(self, batch: int) -> tuple[Tensor, ...]:
        """Zeros: before the first hop."""
        return (
            torch.zeros(batch, 2),
            torch.zeros(batch, len(AVERAGE_S), INPUT_BANDS),
            torch.zeros(batch, INPUT_BANDS // 2, SKIP1),
            *([] if self.paths is None else [self.paths.initial_state(batch)]),
            torch.zeros(batch, CODE),
            torch.zeros(batch, CODE),
        )

    def example_inputs(self, batch: int) -> tuple[Tensor, ...]:
        """Faint noise, the same power in every band, at 11 ms."""
        preset = functional.one_hot(torch.ones(batch, dtype=torch.long), PRESETS).float()
        return torch.full((batch, BANDS), math.log(1e4 * FLOOR_POWER)), preset

    def forward(self, *args: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        bands, preset, level, averages, local, *paths, first, second = args
        inputs = bands[:, :INPUT_BANDS]
        power = torch.exp(inputs).mean(dim=1, keepdim=True)
        now = torch.cat([power, torch.ones_like(power)], dim=1)
        level = (preset @ self.level_decay) * level + (preset @ self.level_share) * now
        x = self._above_level(inputs, level)
        averages = x[:, None] + (preset @ self.decay)[:, :, None] * (averages - x[:, None])
        features = torch.cat([x[:, None], x[:, None] - averages, self._partials(x)], dim=1).transpose(1, 2)
        skip1 = torch.relu(self.to_half(features))
        local = self.local(skip1.reshape(-1, SKIP1), local.reshape(-1, SKIP1)).view_as(local)
        found = self.remembered(local)
        if self.paths is not None:
            change, *paths = self.paths(skip1, preset, *paths)
            found = found + change
        skip1, skip2, code = self._look(skip1 + found, preset)
        first = self.first(code, first)
        code = code + first
        second = self.second(code, second)
        return code + second, features, skip1, skip2, level, averages, local, *paths, first, second

    def sequence(self, *args: Tensor) -> tuple[Tensor, ...]:
        """`forward` over a time axis: bands [batch, time, BANDS], preset [batch, time, 4], results too.

        The preset is that of the first hop throughout.
        """
        bands, preset, level, averages, local, *paths, first, second = args
        batch, time = bands.shape[:2]
        # No parameter is used here that needs a gradient, and half precision would round levels to 1 %.
        with torch.no_grad(), _full_precision(bands.device.type):
            level, averages, features = self._features(bands, preset[:, 0], level, averages)
        skip1 = torch.relu(self.to_half(features.flatten(0, 1)))
        pairs = skip1.view(batch, time, -1, SKIP1).transpose(1, 2).reshape(-1, time, SKIP1)
        remembered, local = self.local.sequence(pairs, local.reshape(-1, SKIP1))
        remembered = remembered.view(batch, -1, time, SKIP1).transpose(1, 2).reshape_as(skip1)
        change = self.remembered(remembered)
        if self.paths is not None:
            added, *paths = self.paths.sequence(skip1.view(batch, time, -1, SKIP1), preset[:, 0], *paths)
            change = change + added.flatten(0, 1)
        skip1, skip2, flat = self._look(skip1 + change, preset.flatten(0, 1))
        code = flat.view(batch, time, CODE)
        found, first = self.first.sequence(code, first)
        code = code + found
        found, second = self.second.sequence(code, second)
        return (
            code + found,
            features,
            skip1.reshape(batch, time, INPUT_BANDS // 2, SKIP1),
            skip2.reshape(batch, time, INPUT_BANDS // 4, SKIP2),
            level,
            averages,
            local.view(batch, -1, SKIP1),
            *paths,
            first,
            second,
        )

    def levelled(self, bands: Tensor, preset: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        """Log power re the level [batch, time, INPUT_BANDS], not yet normalised; and the level's state.

        Args:
            bands: [batch, time, BANDS].
            preset: [batch, 4].
            level: state before the first hop.
        """
        inputs = bands[..., :INPUT_BANDS]
        power = torch.exp(inputs).mean(dim=2, keepdim=True)
        now = torch.cat([power, torch.ones_like(power)], dim=2)
        over = spans(preset @ self.level_decay, now.shape[1])
        levels = averages_of(now[:, None], over, level[:, None])[:, 0]
        return self._re_level(inputs, levels), levels[:, -1]

    def _features(
        self, bands: Tensor, preset: Tensor, level: Tensor, averages: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        above, level = self.levelled(bands, preset, level)
        x = (above - self.mean) / self.deviation
        over = spans(preset @ self.decay, x.shape[1])
        means = averages_of(x[:, None].expand(-1, len(AVERAGE_S), -1, -1), over, averages)
        partials = self._partials(x.flatten(0, 1)).view(*x.shape[:2], len(PARTIALS), INPUT_BANDS)
        features = torch.cat([x[:, None], x[:, None] - means, partials.transpose(1, 2)], dim=1)
        features = features.permute(0, 2, 3, 1)
        return level, means[:, :, -1], features

    def _above_level(self, inputs: Tensor, level: Tensor) -> Tensor:
        return (self._re_level(inputs, level) - self.mean) / self.deviation

    def _re_level(self, inputs: Tensor, level: Tensor) -> Tensor:
        # bounded after the logarithm: a sum with 1e-8 before it is a sum with 0 to the exporter's optimiser
        log_level = torch.log(level[..., :1] / level[..., 1:]).clamp(min=LOWEST_LEVEL)
        return torch.clamp(inputs - log_level, *RANGE)

    def _partials(self, x: Tensor) -> Tensor:
        """[N, INPUT_BANDS] -> [N, partials, INPUT_BANDS]."""
        return (x @ self.at_partials).view(-1, len(PARTIALS), INPUT_BANDS)

    def _look(self, skip1: Tensor, preset: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        skip2 = torch.relu(self.to_quarter(skip1))
        code = torch.relu(self.across(skip2.flatten(1)) + self.preset(preset))
        return skip1, skip2, code


class BandDecoder(nn.Module):
    """What the encoder gives -> the gain of one stem in every band.

    Shape of `forward(code, skip0, skip1, skip2)`: as `BandEncoder` gives them -> gain [batch, BANDS], 0..1.
    """

    inputs: tuple[str, ...] = ("code", "skip0", "skip1", "skip2")
    outputs: tuple[str, ...] = ("gain",)
    states: tuple[str, ...] = ()

    power: Tensor

    def __init__(self) -> None:
        super().__init__()
        quarter, half, full = DECODER
        self.quarter = quarter
        self.spread = nn.Linear(CODE, quarter * (INPUT_BANDS // 4))
        self.to_half = Upwards(quarter + SKIP2, half, 3, INPUT_BANDS // 4)
        self.to_full = Upwards(half + SKIP1, full, 3, INPUT_BANDS // 2)
        self.judge = AlongBands(full + FEATURES, full, 5, INPUT_BANDS)
        self.gain = nn.Linear(full, 1, bias=False)
        # Without a bias of its own in every band, a bass's gain stays at 0.4 where nearly all is bass.
        self.bias = nn.Parameter(torch.full((INPUT_BANDS,), -1.0))
        # Of the gain, set once after training: where a stem is hard to find, the loss is least with gains
        # that are too low for what is heard (`rtsep-train band --power`).
        self.register_buffer("power", torch.ones(()))

    def initial_state(self, batch: int) -> tuple[Tensor, ...]:
        """None: a decoder has no state."""
        return ()

    def example_inputs(self, batch: int) -> tuple[Tensor, ...]:
        """Zeros."""
        return (
            torch.zeros(batch, CODE),
            torch.zeros(batch, INPUT_BANDS, FEATURES),
            torch.zeros(batch, INPUT_BANDS // 2, SKIP1),
            torch.zeros(batch, INPUT_BANDS // 4, SKIP2),
        )

    def forward(self, *args: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        gains = torch.sigmoid(self.log_odds(*args)) ** self.power
        above = gains[:, -1:].expand(-1, BANDS - INPUT_BANDS)
        return (torch.cat([gains, above], dim=1),)

    def sequence(self, *args: Tensor) -> tuple[Tensor, ...]:
        """`forward` over a time axis, which every input and the result have as axis 1."""
        batch, time = args[0].shape[:2]
        (gain,) = self.forward(*(x.flatten(0, 1) for x in args))
        return (gain.view(batch, time, BANDS),)

    def log_odds(self, code: Tensor, skip0: Tensor, skip1: Tensor, skip2: Tensor) -> Tensor:
        """Before the sigmoid, [N, INPUT_BANDS]."""
        y = torch.relu(self.spread(code)).view(-1, INPUT_BANDS // 4, self.quarter)
        y = torch.relu(self.to_half(y, skip2))
        y = torch.relu(self.to_full(y, skip1))
        y = torch.relu(self.judge(y, skip0))
        out: Tensor = self.gain(y).squeeze(2).float() + self.bias
        return out


def _full_precision(device_type: str) -> AbstractContextManager[None]:
    """Float32 products in here, also where training has asked for half precision."""
    if torch.amp.is_autocast_available(device_type):
        return torch.autocast(device_type, enabled=False)
    return nullcontext()

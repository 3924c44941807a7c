"""The network of the streaming pitch tracker: how likely each candidate pitch is sung, hop by hop.

A network over *candidates*, not over voices: the same weights look at every candidate pitch, so what is
learnt of one pitch holds for all, and nothing is learnt about which voice sings it. `NetworkTracker` assigns
the pitches to voices.

Each candidate sees the log spectrum at its own partials and at half its pitch (slices of the log-frequency
axis, as harmonic constant-Q transforms are stacked), its neighbours, the candidates at musical intervals, of
which it may be an overtone or which may be overtones of it, and what was there before (a GRU per candidate).
A second look, where a network has one, judges the first judgement over time: whether a pitch that is still
heard is still sung depends on what became of it and of all others.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from rtsep.models.choir.pitch_grid import (
    BANDS,
    BANDS_PER_CANDIDATE,
    CANDIDATE_CENTS,
    CANDIDATES,
    PARTIALS,
    first_band,
)
from rtsep.models.networks.gru_cell import GruCell

PRESETS = 4  # 5, 11, 21, 43 ms: windows fall differently and hops are of other lengths
CHANNELS = 32
FRONT = 7  # spectral shapes told apart before partials are gathered: peak, slope, valley, ...
FRONT_BANDS = 7  # 140 cents: the lobe of a partial at 500 Hz
NEIGHBOURS = 5  # candidates, 80 cents to either side
# Pitch ratios at which partials coincide: two octaves, twelfth, octave, fifth, fourth; both ways.
RATIOS = (4.0, 3.0, 2.0, 1.5, 4.0 / 3.0)
INTERVAL_CHANNELS = 8
CONTEXT = 32
# Bands are natural logarithms from log(1e-5) = -11.5 (silence) to about -1; this brings them to about -1..2.
BAND_OFFSET, BAND_SCALE = 8.0, 1.0 / 3.0
# A second look begins with hardly a say: a network that has learnt without it goes on from where it was. Not
# with none at all: a ReLU at exactly zero learns nothing.
FIRST_SAY = 0.05


class NeighbourLayer(nn.Module):
    """What is going on at the candidates next to each.

    A convolution, written as a matrix product: with so few channels that trains twice as fast on a CPU.

    Shape:
        [N, CANDIDATES, inputs] -> [N, CANDIDATES, outputs].
    """

    def __init__(self, inputs: int, outputs: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.gather = nn.Linear(inputs * width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        reach = self.width // 2
        padded = functional.pad(x, (0, 0, reach, reach))
        out: Tensor = self.gather(
            torch.cat([padded[:, k : k + CANDIDATES] for k in range(self.width)], dim=2)
        )
        return out


class IntervalLayer(nn.Module):
    """What is going on at the pitches a candidate may be confused with.

    Shape:
        [N, CANDIDATES, CHANNELS] -> the same, added to.
    """

    def __init__(self) -> None:
        super().__init__()
        up = [round(1200.0 / CANDIDATE_CENTS * math.log2(ratio)) for ratio in RATIOS]
        self.shifts = tuple(-s for s in up) + tuple(up)
        self.reach = max(up)
        self.narrow = nn.Linear(CHANNELS, INTERVAL_CHANNELS)
        self.gather = nn.Linear(CHANNELS + INTERVAL_CHANNELS * len(self.shifts), CHANNELS)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        padded = functional.pad(self.narrow(x), (0, 0, self.reach, self.reach))
        at = [padded[:, self.reach + s : self.reach + s + CANDIDATES] for s in self.shifts]
        return x + torch.relu(self.gather(torch.cat([x, *at], dim=2)))


class SecondLook(nn.Module):
    """The judgement of every candidate, judged again with a memory of its own.

    Its two memories are stepped by `PitchNet`, hop by hop or all at once.

    Shape of `forward(y, memory, context)`:
        y: float32 [N, CANDIDATES, CHANNELS], the first judgement.
        memory: float32 [N, CANDIDATES, CHANNELS]; context: float32 [N, CONTEXT]; both after this hop.
        returns [N, CANDIDATES, CHANNELS].
    """

    def __init__(self) -> None:
        super().__init__()
        self.memory = GruCell(2 * CHANNELS, CHANNELS)
        self.context = GruCell(2 * CHANNELS, CONTEXT)
        self.remembered = nn.Linear(CHANNELS, CHANNELS)
        self.spread = nn.Linear(CONTEXT, CHANNELS)
        self.near = NeighbourLayer(CHANNELS, CHANNELS, NEIGHBOURS)
        self.interval = IntervalLayer()
        with torch.no_grad():
            for layer in (self.remembered, self.spread, self.near.gather, self.interval.gather):
                layer.weight.mul_(FIRST_SAY)
                layer.bias.mul_(FIRST_SAY)

    def forward(self, y: Tensor, memory: Tensor, context: Tensor) -> Tensor:
        """See the class."""
        y = y + self.remembered(memory.view_as(y)) + self.spread(context)[:, None]
        y = y + torch.relu(self.near(y))
        out: Tensor = self.interval(y)
        return out


class PitchNet(nn.Module):
    """One hop: log bands -> salience, offset and unison of every candidate.

    Args:
        looks: 2 judges twice (see the module), for about as many products again.

    Shape of `forward(bands, preset, memory, context)`:
        bands: float32 [batch, BANDS], natural log of amplitude (a full-scale sine is 1), see `pitch_grid`.
        preset: float32 [batch, 4], one-hot: 5, 11, 21, 43 ms.
        memory: float32 [batch, CANDIDATES, CHANNELS]; context: float32 [batch, CONTEXT].
        returns salience [batch, CANDIDATES] (log odds that a voice sings within half a step), offset
        [batch, CANDIDATES] (of the voice from the candidate, in candidates of 40 cents), unison [batch,
        CANDIDATES] (log odds that two voices or more sing there), memory, context; with a second look its
        memory and context follow, in and out.
    """

    inputs: tuple[str, ...] = ("bands", "preset")
    outputs: tuple[str, ...] = ("salience", "offset", "unison")
    states: tuple[str, ...] = ("memory", "context")

    def __init__(self, looks: int = 1) -> None:
        super().__init__()
        self.front = nn.Conv1d(1, FRONT, FRONT_BANDS, padding=FRONT_BANDS // 2)
        self.partials = nn.Linear((FRONT + 1) * len(PARTIALS), CHANNELS)
        self.preset = nn.Linear(PRESETS, CHANNELS, bias=False)
        self.place = nn.Linear(3, CHANNELS, bias=False)
        self.near = NeighbourLayer(CHANNELS, CHANNELS, NEIGHBOURS)
        self.interval = IntervalLayer()
        self.memory = GruCell(CHANNELS, CHANNELS)
        self.context = GruCell(2 * CHANNELS, CONTEXT)
        self.spread = nn.Linear(CONTEXT, CHANNELS)
        self.near_after = NeighbourLayer(CHANNELS, CHANNELS, NEIGHBOURS)
        self.interval_after = IntervalLayer()
        self.judge = NeighbourLayer(2 * CHANNELS, CHANNELS, 3)
        self.heads = nn.Linear(CHANNELS, 3)
        self.again = SecondLook() if looks == 2 else None
        if looks == 2:
            self.states = (*self.states, "memory_again", "context_again")
        # a low pitch has fewer bins per semitone: the one thing that is not the same everywhere
        position = torch.linspace(-1.0, 1.0, CANDIDATES)
        self.register_buffer(
            "position", torch.stack([position, position**2, position**3], dim=1), persistent=False
        )
        # one candidate in twenty is sung
        with torch.no_grad():
            self.heads.bias.copy_(torch.tensor([-3.0, 0.0, -6.0]))

    def initial_state(self, batch: int) -> tuple[Tensor, ...]:
        """Zeros: before any input."""
        like = self.heads.weight
        sizes = ((batch, CANDIDATES, CHANNELS), (batch, CONTEXT))
        # an array each: one that stands for two states is one input to the exporter
        return tuple(like.new_zeros(size) for size in (sizes if self.again is None else sizes + sizes))

    def example_inputs(self, batch: int) -> tuple[Tensor, ...]:
        """Silence at 11 ms."""
        preset = functional.one_hot(torch.ones(batch, dtype=torch.long), PRESETS).float()
        return torch.full((batch, BANDS), math.log(1e-5)), preset

    def forward(self, *args: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        bands, preset, memory, context, *again = args
        seen = self._look(bands, preset)
        memory = self.memory(seen, memory)
        context = self.context(_pool(seen), context)
        y = self._first(memory, context)
        if self.again is not None:
            again = [
                self.again.memory(torch.cat([y, seen], dim=2), again[0]),
                self.again.context(_pool(y), again[1]),
            ]
            y = self.again(y, *again)
        return *self._judge(y, seen), memory, context, *again

    def sequence(self, *args: Tensor) -> tuple[Tensor, ...]:
        """`forward` over a time axis: bands [batch, time, BANDS], preset [batch, time, 4], results too."""
        bands, preset, memory, context, *again = args
        batch, time = bands.shape[:2]
        seen = self._look(bands.flatten(0, 1), preset.flatten(0, 1))
        remembered, memory = _by_candidate(self.memory, seen, memory)
        around, context = self.context.sequence(_pool(seen).view(batch, time, -1), context)
        y = self._first(remembered, around.flatten(0, 1))
        if self.again is not None:
            remembered, again[0] = _by_candidate(self.again.memory, torch.cat([y, seen], dim=2), again[0])
            around, again[1] = self.again.context.sequence(_pool(y).view(batch, time, -1), again[1])
            y = self.again(y, remembered, around.flatten(0, 1))
        judged = self._judge(y, seen)
        return *(x.view(batch, time, CANDIDATES) for x in judged), memory, context, *again

    def _look(self, bands: Tensor, preset: Tensor) -> Tensor:
        x = ((bands + BAND_OFFSET) * BAND_SCALE)[:, None]
        x = torch.cat([x, torch.relu(self.front(x))], dim=1)
        reach = BANDS_PER_CANDIDATE * CANDIDATES
        x = functional.pad(x, (0, first_band(PARTIALS[-1]) + reach - BANDS)).transpose(1, 2)
        gathered = [x[:, first_band(p) : first_band(p) + reach : BANDS_PER_CANDIDATE] for p in PARTIALS]
        y = (
            self.partials(torch.cat(gathered, dim=2))
            + self.preset(preset)[:, None]
            + self.place(self.position)
        )
        y = torch.relu(y)
        y = y + torch.relu(self.near(y))
        out: Tensor = self.interval(y)
        return out

    def _first(self, remembered: Tensor, context: Tensor) -> Tensor:
        y = remembered + self.spread(context)[:, None]
        y = y + torch.relu(self.near_after(y))
        out: Tensor = self.interval_after(y)
        return out

    def _judge(self, y: Tensor, seen: Tensor) -> tuple[Tensor, ...]:
        salience, offset, unison = self.heads(torch.relu(self.judge(torch.cat([y, seen], dim=2)))).unbind(
            dim=2
        )
        return salience, offset, unison


def _pool(x: Tensor) -> Tensor:
    return torch.cat([x.mean(dim=1), x.amax(dim=1)], dim=1)


def _by_candidate(cell: GruCell, x: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    """A memory for each candidate over time: x [batch * time, CANDIDATES, I], memory [batch, CANDIDATES, H]
    -> the memory at every time, in the order of x, and the last."""
    batch, candidates, hidden = memory.shape
    over_time = x.view(batch, -1, candidates, x.shape[2]).transpose(1, 2).flatten(0, 1)
    states, last = cell.sequence(over_time, memory.flatten(0, 1))
    states = states.view(batch, candidates, -1, hidden).transpose(1, 2).flatten(0, 1)
    return states, last.view(batch, candidates, hidden)

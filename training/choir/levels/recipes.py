"""Three ways to teach the source-filter network, by one loop: see `rtsep.training.loop.fit`.

`SynthesisTask` on mixtures alone (*unsupervised*) or on one voice at a time (*solo*): the voices' synthesis
in the time domain shall sound like the mixture (Schulze-Forster et al., arXiv 2201.09592). `MaskTask`
(*masks*) with stems, through the stage's masks at its real latencies.
"""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from rtsep.kernels.errors import RtsepError
from rtsep.models.networks.source_filter_net import SourceFilterNet
from rtsep.training.choir.levels.batches import WARM_S, LevelBatch, LevelBatches
from rtsep.training.choir.levels.mask_loss import MaskLoss
from rtsep.training.choir.levels.mixtures import MixtureAugment
from rtsep.training.choir.levels.multi_resolution import multi_resolution_loss
from rtsep.training.choir.levels.synthesis import harmonics, synthesise
from rtsep.training.choir.render.item import ChoirItem, Items
from rtsep.training.files.toml_settings import FREE_LENGTH
from rtsep.training.loop.checkpoint import load_best
from rtsep.training.loop.processes import beside
from rtsep.training.loop.settings import FitSettings
from rtsep.training.loop.task import Carried, Draw, Loss
from rtsep.training.measures.protocol import SAMPLERATE
from rtsep.training.seeds import generator, torch_seed

# About 21 ms at every preset, as the published 16 ms: frames that hold several periods of the lowest voice.
SYNTHESIS_STRIDE = {5: 8, 11: 4, 21: 2, 43: 1}
HELD_OUT = 0.05  # of the items, the last ones: validation
VALIDATION_STREAMS = 8


@dataclass(frozen=True)
class LevelsConfig:
    """Every number of a run.

    Attributes:
        fit: the loop's.
        augment: of stems and pitches.
        latencies_ms: presets to learn.
        hidden: states of encoder and decoders.
        read_share: *masks* only: with how much of the envelope read off the mixture, against the
            source-filter model, the levels
            begin (`SourceFilterNet.lean_on_the_mixture`).
    """

    fit: FitSettings = field(
        default=FitSettings(
            minutes=60.0, batch=4, ema_decay=0.995, warmup_steps=30, validate_every=200, checkpoint_every=200
        )
    )
    augment: MixtureAugment = field(default=MixtureAugment())
    latencies_ms: tuple[int, ...] = field(default=(5, 11, 21, 43), metadata=FREE_LENGTH)
    hidden: int = 128
    read_share: float = 0.9


def level_task(
    recipe: str,
    items: Items,
    config: LevelsConfig,
    start: Path | None = None,
    limit: int | None = None,
) -> "SynthesisTask | MaskTask":
    """The task of a recipe: "unsupervised", "solo" or "masks".

    Args:
        recipe: its name.
        items: rendered choirs at 16 kHz.
        config: of the run.
        start: folder of a run whose best weights are the first ones.
        limit: only so many items are learnt from; validation keeps its own.
    """
    torch.manual_seed(torch_seed(config.fit.seed, "weights"))
    net = SourceFilterNet(1 if recipe == "solo" else 4, config.hidden)
    if start is not None:
        load_best(net, start)
    if recipe == "masks" and not net.partial_out.weight.any():  # untouched by the other recipes
        net.lean_on_the_mixture(config.read_share)
    task = MaskTask if recipe == "masks" else SynthesisTask
    return task(net, items, config.augment, config.latencies_ms, limit)


class _Part:
    """Some of the items in a row."""

    def __init__(self, items: Items, rows: range) -> None:
        self._items, self._rows = items, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> ChoirItem:
        return self._items[self._rows[index]]


class _LevelTask:
    """What both tasks share."""

    def __init__(
        self,
        net: SourceFilterNet,
        items: Items,
        augment: MixtureAugment,
        latencies_ms: tuple[int, ...],
        limit: int | None = None,
    ) -> None:
        learnt = len(items) - max(1, round(HELD_OUT * len(items)))
        if learnt < 1:
            raise RtsepError(f"{len(items)} item is too few", "render more: some are held out to validate by")
        self.net = net
        self._latencies = latencies_ms
        training = _Part(items, range(learnt if limit is None else min(learnt, limit)))
        held_out = _Part(items, range(learnt, len(items)))
        self._batches = LevelBatches(training, net.voices, augment, latencies_ms)
        self._validation = LevelBatches(held_out, net.voices, augment, latencies_ms, megabytes=500)

    @property
    def module(self) -> nn.Module:
        """The network."""
        return self.net

    def carried(self, streams: int) -> Carried:
        """Nothing: every excerpt begins anew."""
        return ()

    def batch(self, draw: Draw) -> LevelBatch:
        """See `Task`."""
        return self._batches.draw(draw)

    def _held_out(self, latency_ms: int) -> LevelBatch:
        rngs = [generator(0, "excerpt to validate by", latency_ms, n) for n in range(VALIDATION_STREAMS)]
        return beside(self.net, self._validation.at(latency_ms, rngs))


class SynthesisTask(_LevelTask):
    """Voices synthesised from the network's parameters against the mixture they are in."""

    def loss(self, module: nn.Module, batch: LevelBatch, carried: Carried) -> Loss:
        return Loss(self._loss(batch), {})

    def _loss(self, batch: LevelBatch) -> Tensor:
        streams, hops = batch.inputs.bands.shape[:2]
        x, h, loudness, _ = self.net.decode_sequence(*batch.inputs, *self.net.initial_state(streams))
        stride = SYNTHESIS_STRIDE[batch.latency_ms]
        parameters = self.net.source_filter(x[:, ::stride], h[:, ::stride], loudness[:, ::stride])[1:]
        controls = parameters[0].shape[1]
        hop = batch.mixture.shape[-1] // hops
        # controls belong to the middles of synthesis windows: samples 0, hop, 2 hop, ...
        amplitude, gain, bands, lsf = (p.transpose(1, 2).flatten(0, 1) for p in parameters)
        f0_hz = batch.inputs.f0_hz.transpose(1, 2).flatten(0, 1)[:, : (controls - 1) * stride + 1]
        excitation = torch.from_numpy(harmonics(f0_hz.cpu().numpy(), hop)).to(f0_hz.device)
        noise = 2.0 * torch.rand_like(excitation) - 1.0
        synthesised = synthesise(excitation, amplitude, gain, bands, lsf, noise)
        voices = synthesised.reshape(streams, -1, synthesised.shape[-1])
        warm = int(WARM_S * SAMPLERATE)
        found = voices.sum(dim=1)[:, warm:]
        target = batch.mixture[:, warm : warm + found.shape[-1]]
        # as published, every excerpt at a peak of one
        level = 1.0 / target.abs().amax(dim=-1, keepdim=True).clamp(min=1e-3)
        return multi_resolution_loss(level * target, level * found)

    def validate(self, module: nn.Module) -> dict[str, float]:
        losses = {f"loss_{ms}ms": float(self._loss(self._held_out(ms))) for ms in self._latencies}
        return {"score": -sum(losses.values()) / len(losses), **losses}


class MaskTask(_LevelTask):
    """Voices out of the stage's masks against their stems."""

    def __init__(
        self,
        net: SourceFilterNet,
        items: Items,
        augment: MixtureAugment,
        latencies_ms: tuple[int, ...],
        limit: int | None = None,
    ) -> None:
        super().__init__(net, items, augment, latencies_ms, limit)
        self._masked = MaskLoss(net, latencies_ms)

    def estimates(self, batch: LevelBatch) -> Tensor:
        """See `MaskLoss`."""
        return self._masked.estimates(batch)

    def loss(self, module: nn.Module, batch: LevelBatch, carried: Carried) -> Loss:
        return self._masked.loss(batch)

    def validate(self, module: nn.Module) -> dict[str, float]:
        measures = {f"si_sdr_db_{ms}ms": self._masked.si_sdr_db(self._held_out(ms)) for ms in self._latencies}
        return {"score": sum(measures.values()) / len(measures), **measures}

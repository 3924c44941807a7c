"""Three ways to teach the source-filter network, by one loop: see `rtsep.training.loop`.

`SynthesisTask` on mixtures alone (*unsupervised*) or on one voice at a time (*solo*): the voices' synthesis
in the time domain shall sound like the mixture (Schulze-Forster et al., arXiv 2201.09592). `MaskTask`
(*masks*) with stems, through the engine's masks at its real latencies.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from rtsep.kernels.errors import RtsepError
from rtsep.models.source_filter_net import SourceFilterNet
from rtsep.training.checkpoint import load_best
from rtsep.training.choir_item import ChoirItem
from rtsep.training.choir_mixtures import MixtureAugment
from rtsep.training.config_file import FREE_LENGTH
from rtsep.training.fit_settings import FitSettings
from rtsep.training.level_batches import SAMPLERATE, WARM_S, LevelBatch, LevelBatches, MaskedVoices
from rtsep.training.multi_resolution import magnitudes, multi_resolution_loss
from rtsep.training.pitch_data import Items
from rtsep.training.protocol import MIN_TARGET_ENERGY
from rtsep.training.task import Carried, Draw, Loss
from rtsep.training.torch_synth import harmonics, synthesise

# About 21 ms at every preset, as the published 16 ms: frames that hold several periods of the lowest voice.
SYNTHESIS_STRIDE = {5: 8, 11: 4, 21: 2, 43: 1}
HELD_OUT = 0.05  # of the items, the last ones: validation
MASK_WINDOWS = (1024, 256)
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
        rngs = [np.random.default_rng((latency_ms, n)) for n in range(VALIDATION_STREAMS)]
        return self._validation.at(latency_ms, rngs)


class SynthesisTask(_LevelTask):
    """Voices synthesised from the network's parameters against the mixture they are in."""

    def loss(self, module: nn.Module, batch: LevelBatch, carried: Carried) -> Loss:
        return Loss(self._loss(batch), {})

    def _loss(self, batch: LevelBatch) -> Tensor:
        streams, hops = batch.inputs[0].shape[:2]
        x, h, loudness, _ = self.net.decode_sequence(*batch.inputs, *self.net.initial_state(streams))
        stride = SYNTHESIS_STRIDE[batch.latency_ms]
        parameters = self.net.source_filter(x[:, ::stride], h[:, ::stride], loudness[:, ::stride])[1:]
        controls = parameters[0].shape[1]
        hop = batch.mixture.shape[-1] // hops
        # controls belong to the middles of synthesis windows: samples 0, hop, 2 hop, ...
        amplitude, gain, bands, lsf = (p.transpose(1, 2).flatten(0, 1) for p in parameters)
        f0_hz = batch.inputs[3].transpose(1, 2).flatten(0, 1)[:, : (controls - 1) * stride + 1]
        excitation = torch.from_numpy(harmonics(f0_hz.numpy(), hop))
        noise = 2.0 * torch.rand(excitation.shape) - 1.0
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
    """Voices out of the engine's masks against their stems."""

    def __init__(
        self,
        net: SourceFilterNet,
        items: Items,
        augment: MixtureAugment,
        latencies_ms: tuple[int, ...],
        limit: int | None = None,
    ) -> None:
        super().__init__(net, items, augment, latencies_ms, limit)
        self._masked = {ms: MaskedVoices(ms) for ms in latencies_ms}

    def estimates(self, batch: LevelBatch) -> Tensor:
        """The voices [B, V, (T - 1) hop] that the engine would give."""
        net, masked = self.net, self._masked[batch.latency_ms]
        streams = batch.mixture.shape[0]
        x, h, loudness, _ = net.decode_sequence(*batch.inputs, *net.initial_state(streams))
        _, partials, envelope, f0_hz, _ = (tensor.flatten(0, 1) for tensor in batch.inputs)
        loudness = loudness.flatten(0, 1)
        y, amplitude, gain, bands, lsf = (
            t.flatten(0, 1) for t in net.source_filter(x, h, loudness.reshape(*x.shape[:2], 1))
        )
        lobes = masked.lobes(batch)
        voice = (lobes.frame, lobes.voice)
        level, trust = net.levels(
            partials[lobes.frame, lobes.voice, lobes.partial].unsqueeze(-2),
            lobes.number.unsqueeze(-1), f0_hz[voice], net.context(y)[voice], loudness[lobes.frame, 0],
            amplitude[voice], lsf[voice],
        )  # fmt: skip
        noise = net.noise(y, envelope, loudness, gain, bands, lsf)
        power = batch.spectrum.real.square() + batch.spectrum.imag.square()
        masks = masked.renderer.masks(power, lobes, level.squeeze(-1), trust.squeeze(-1), noise)
        return masked.voices(batch.spectrum, masks, streams)

    def loss(self, module: nn.Module, batch: LevelBatch, carried: Carried) -> Loss:
        found, target = self._scored(self.estimates(batch), batch)
        ratio_db = _mean_si_sdr_db(target, found)
        peak = target.sum(dim=1).abs().amax(dim=-1).clamp(min=1e-3)[:, None, None]
        spectral = sum(
            (magnitudes((target / peak).flatten(0, 1), n) - magnitudes((found / peak).flatten(0, 1), n))
            .abs()
            .mean()
            / magnitudes((target / peak).flatten(0, 1), n).mean()
            for n in MASK_WINDOWS
        )
        return Loss(spectral - ratio_db, {"si_sdr_db": ratio_db, "spectral": spectral})

    def validate(self, module: nn.Module) -> dict[str, float]:
        measures = {}
        for ms in self._latencies:
            batch = self._held_out(ms)
            found, target = self._scored(self.estimates(batch), batch)
            measures[f"si_sdr_db_{ms}ms"] = float(_mean_si_sdr_db(target, found))
        return {"score": sum(measures.values()) / len(measures), **measures}

    @staticmethod
    def _scored(voices: Tensor, batch: LevelBatch) -> tuple[Tensor, Tensor]:
        """Estimates and stems, the warming up and what does not fill a second left out."""
        warm = int(WARM_S * SAMPLERATE)
        whole = (voices.shape[-1] - warm) // (SAMPLERATE // 2) * (SAMPLERATE // 2)
        return voices[..., warm : warm + whole], batch.stems[..., warm : warm + whole]


def _mean_si_sdr_db(target: Tensor, estimate: Tensor) -> Tensor:
    """Mean SI-SDR [B, V, samples] over the half seconds in which a voice is heard by the protocol's rule, in
    dB."""
    block = SAMPLERATE // 2
    peak = target.sum(dim=1).abs().amax(dim=-1).clamp(min=1e-3)
    s, found = (x.reshape(*x.shape[:-1], -1, block) for x in (target, estimate))
    energy = s.square().sum(dim=-1)
    heard = energy / peak.square()[:, None, None] >= MIN_TARGET_ENERGY * block / SAMPLERATE
    alpha = (s * found).sum(dim=-1) / energy.clamp(min=1e-9)
    signal = alpha.square() * energy
    error = (alpha.unsqueeze(-1) * s - found).square().sum(dim=-1)
    # floors 30 dB down: a nearly silent or a nearly perfect voice has no endless gradient
    ratio_db = 10.0 * torch.log10((signal + 1e-3 * energy + 1e-9) / (error + 1e-3 * energy + 1e-9))
    return torch.where(heard, ratio_db, 0.0).sum() / heard.sum().clamp(min=1)

"""Training of the band model: one step of each way to train it, and its measures."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rtsep.models.band.features import band_centres_hz
from rtsep.models.framing import Framing
from rtsep.models.networks.band_net import INPUT_BANDS, PRESETS
from rtsep.rt.hop.presets import OVERLAP_AT_48K, Preset
from rtsep.training.band.band_config import ONE, BandConfig
from rtsep.training.band.loss import improvement_db, stem_loss
from rtsep.training.band.mixture_settings import KNOTS_HZ, Row
from rtsep.training.band.mixtures import Mixer
from rtsep.training.band.moments import MomentsPerTask
from rtsep.training.band.networks import INDEPENDENT, INTERLEAVED, SIMULTANEOUS, BandNet
from rtsep.training.band.spectra import BandPowers, BandSpectra
from rtsep.training.databases.stem_folder import SAMPLERATE, StemFolder
from rtsep.training.loop.settings import FitSettings
from rtsep.training.loop.task import Carried, Draw, Loss
from rtsep.training.seeds import generator

LATENCIES_MS = tuple(sorted(OVERLAP_AT_48K))
VALIDATION_MS = 43


class BandTask:
    """See `task.Task`.

    Args:
        databases: to learn from.
        stems: of the model, in order.
        config: of the run.
        encoder: weights of an encoder that is not to learn; all of it learns if None.
        beside: stems that are mixed in and not learnt.
        validates: databases whose songs held out validate; `databases` if None. They must know the stems.
    """

    def __init__(
        self,
        databases: Sequence[StemFolder],
        stems: Sequence[str],
        config: BandConfig,
        *,
        encoder: Mapping[str, Tensor] | None = None,
        beside: Sequence[str] = (),
        validates: Sequence[StemFolder] | None = None,
    ) -> None:
        torch.manual_seed(config.fit.seed)
        self.config, self.stems = config, tuple(stems)
        self.module = BandNet(stems, len(stems) if config.mode == INDEPENDENT else 1, config.paths)
        self._frozen = encoder is not None
        if encoder is not None:
            for frozen in self.module.each_encoder():
                frozen.load_state_dict(dict(encoder))
                frozen.requires_grad_(False)
        self._mixer = Mixer(databases, stems, config.mixtures, beside=beside)
        held_out = databases if validates is None else validates
        self._held_out = Mixer(held_out, stems, config.mixtures, held_out=True, beside=beside)
        self._spectra = {ms: BandSpectra(Preset(SAMPLERATE, ms).framing) for ms in LATENCIES_MS}
        self._validation: list[dict[str, Any]] | None = None
        self._moments: MomentsPerTask | None = None

    def carried(self, streams: int) -> Carried:
        """See `Task`."""
        return tuple(s for e in self.module.each_encoder() for s in e.initial_state(streams))

    def optimizer(self, learnt: list[nn.Parameter], settings: FitSettings) -> torch.optim.Optimizer:
        """See `loop.task.BringsOptimizer`."""
        rate, decay = settings.learning_rate, settings.weight_decay
        if self.config.mode != INTERLEAVED or self.config.encoder_moments == ONE:
            return torch.optim.AdamW(learnt, lr=rate, weight_decay=decay)
        shared = [p for p in self.module.encoders.parameters() if p.requires_grad]
        self._moments = MomentsPerTask(learnt, shared, len(self.stems), lr=rate, weight_decay=decay)
        return self._moments

    def batch(self, draw: Draw) -> dict[str, Any]:
        """See `Task`."""
        config = self.config
        segment = draw.step % config.hold
        ms = self._preset(draw)
        stem = None if config.mode == SIMULTANEOUS else self._stem(draw)
        wanted = None if stem is None else self.stems[stem]
        spectra = self._spectra[ms]
        second = self._second(spectra.framing)
        hops = second * self._seconds(ms)
        rows = [
            self._mixer.row(
                draw.rng("mixture", row, config.hold),
                spectra.samples(hops),
                segment * hops * spectra.framing.hop,
                wanted,
            )
            for row in draw.streams
        ]
        return self._seen(rows, ms, stem) | {
            "first": segment == 0,
            "stem": -1 if stem is None else stem,
            "step": draw.step,
        }

    def _preset(self, draw: Draw) -> int:
        """The latency of a step, the same for all streams and while mixtures are held."""
        rng = replace(draw, step=draw.step // self.config.hold).step_rng("preset")
        shares = np.array(self.config.presets) / sum(self.config.presets)
        return LATENCIES_MS[int(rng.choice(PRESETS, p=shares))]

    def _stem(self, draw: Draw) -> int:
        """The stem of a step: every one once in a round, in another order each round, as long as mixtures
        are held: the database of a mixture is one that knows the stem."""
        held, stems = draw.step // self.config.hold, len(self.stems)
        order = replace(draw, step=held // stems).step_rng("order of stems").permutation(stems)
        return int(order[held % stems])

    def _seen(self, rows: Sequence[Row], ms: int, stem: int | None = None) -> dict[str, Any]:
        """What the networks and the loss see; of one stem alone, or of all."""
        spectra = self._spectra[ms]
        framing = spectra.framing
        sources = np.stack([row.sources for row in rows])
        # `read` takes the first sources for stems; three more stems would be a twentieth of a step's time
        order = np.roll(np.arange(sources.shape[1]), -(stem or 0))
        powers = spectra.read(
            torch.from_numpy(sources[:, order]),
            _equalisers(rows, framing)[:, order],
            len(self.stems) if stem is None else 1,
        )
        counted = band_centres_hz()[None, :] <= np.array([row.limit_hz for row in rows])[:, None]
        counted[:, INPUT_BANDS:] = False
        return {
            "powers": tuple(powers),
            "known": torch.from_numpy(np.stack([row.known for row in rows])).float(),
            "counted": torch.from_numpy(counted.copy()).float(),
            "preset": LATENCIES_MS.index(ms),
            "second": self._second(framing),
        }

    def _seconds(self, ms: int) -> int:
        hop, longest = (self._spectra[at].framing.hop for at in (ms, LATENCIES_MS[-1]))
        return max(1, round(self.config.seconds * hop / longest))

    def _second(self, framing: Framing) -> int:
        return round(self.config.second_s * framing.samplerate / framing.hop)

    def loss(self, module: nn.Module, batch: dict[str, Any], carried: Carried) -> Loss:
        """Mean over the stems of the step; the decoders of all others get no gradient."""
        assert isinstance(module, BandNet)
        if module.training and not self._frozen and batch["step"] < self.config.statistics_steps:
            self._observe(batch)
        powers = BandPowers(*batch["powers"])
        encoders = len(module.encoders)
        per_encoder = len(carried) // encoders
        preset = _one_hot(batch["preset"], powers.bands)
        keep = 0.0 if batch["first"] else 1.0
        stems = range(len(self.stems)) if batch["stem"] < 0 else [batch["stem"]]
        if self._moments is not None and module.training:
            self._moments.select(batch["stem"])
        state = [s * keep for s in carried]
        encoded: dict[int, tuple[Tensor, ...]] = {}
        losses, logs = [], {}
        half = (
            torch.autocast(powers.bands.device.type, torch.bfloat16)
            if self.config.bfloat16
            else nullcontext()
        )
        for stem in stems:
            place = stem if encoders > 1 else 0
            with half:
                if place not in encoded:
                    encoder = module.encoder(stem)
                    own = slice(place * per_encoder, (place + 1) * per_encoder)
                    encoded[place] = encoder.sequence(powers.bands, preset, *state[own])
                    state[own] = [s.float() for s in encoded[place][len(encoder.outputs) :]]
                gain = module.gain(stem, encoded[place])
            row = 0 if len(stems) == 1 else stem  # of the powers
            found = stem_loss(gain, powers, row, batch["known"][:, stem], batch["counted"], batch["second"])
            losses.append(found.loss)
            logs[f"error_db/{self.stems[stem]}"] = found.error_db
        return Loss(torch.stack(losses).mean(), logs, tuple(state))

    @torch.no_grad()
    def _observe(self, batch: dict[str, Any]) -> None:
        """The first steps measure the mean and deviation of every band; later steps keep them.

        Batch statistics would drift with the database that a batch is from.
        """
        bands = batch["powers"][0]
        for encoder in self.module.each_encoder():
            preset = _one_hot(batch["preset"], bands)[:, 0]
            level, *_ = encoder.initial_state(len(bands))
            above, _ = encoder.levelled(bands, preset, level.to(bands.device))
            share = 1.0 / (1.0 + batch["step"])
            encoder.mean.lerp_(above.mean(dim=(0, 1)), share)
            encoder.deviation.lerp_(above.std(dim=(0, 1)).clamp(min=0.5), share)

    def validate(self, module: nn.Module) -> dict[str, float]:
        """Improvement in dB per stem on songs held out, at 43 ms; `score` is their mean."""
        assert isinstance(module, BandNet)
        if self._validation is None:
            self._validation = [self._validation_batch(k) for k in range(self.config.validation_rows)]
        found: dict[str, list[Tensor]] = {stem: [] for stem in self.stems}
        device = next(module.parameters()).device
        for batch in self._validation:
            powers = BandPowers(*(x.to(device) for x in batch["powers"]))
            counted = batch["counted"].to(device)
            preset = _one_hot(batch["preset"], powers.bands)
            for place, stem in enumerate(self.stems):
                if not batch["known"][0, place]:
                    continue
                encoder = module.encoder(place)
                encoded = encoder.sequence(
                    powers.bands, preset, *(s.to(device) for s in encoder.initial_state(1))
                )
                gain = module.gain(place, encoded)
                found[stem].append(improvement_db(gain, powers, place, counted, batch["second"]).cpu())
        measures = {f"{stem}_db": float(torch.cat(values).mean()) for stem, values in found.items()}
        return measures | {"score": float(np.mean(list(measures.values())))}

    def _validation_batch(self, place: int) -> dict[str, Any]:
        spectra = self._spectra[VALIDATION_MS]
        second = self._second(spectra.framing)
        hops = second * round(self.config.validation_s / self.config.second_s)
        rng = generator(self.config.fit.seed, "validation", place)
        return self._seen([self._held_out.row(rng, spectra.samples(hops), 0)], VALIDATION_MS)


def _one_hot(preset: int, bands: Tensor) -> Tensor:
    out = torch.zeros(bands.shape[0], bands.shape[1], PRESETS, device=bands.device)
    out[..., preset] = 1.0
    return out


def _equalisers(rows: Sequence[Row], framing: Framing) -> Tensor:
    """float32 [batch, sources, bins], amplitude: curves between their knots, and cuts of 24 dB per octave."""
    hz = np.maximum(np.arange(framing.bins) * framing.bin_hz, 1.0)
    at = np.clip(np.interp(np.log(hz), np.log(KNOTS_HZ), np.arange(len(KNOTS_HZ))), 0, len(KNOTS_HZ) - 1)
    lower = np.minimum(at.astype(int), len(KNOTS_HZ) - 2)
    share = (at - lower).astype(np.float32)
    curves = np.stack([row.curves_db for row in rows])
    db = curves[..., lower] * (1.0 - share) + curves[..., lower + 1] * share
    cuts_hz = np.stack([row.cuts_hz for row in rows])[..., None]
    low = 1.0 / np.sqrt(1.0 + (cuts_hz[:, :, 0] / hz) ** 8)
    high = 1.0 / np.sqrt(1.0 + (hz / cuts_hz[:, :, 1]) ** 8)
    below = hz <= np.array([row.ceiling_hz for row in rows])[:, None, None]
    return torch.from_numpy(10.0 ** (db / 20.0) * low * high * below).float()

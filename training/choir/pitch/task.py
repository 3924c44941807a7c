"""Training of the pitch network: its config, its loss and its measures."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from rtsep.kernels.errors import RtsepError
from rtsep.models.choir.pitch_grid import CANDIDATE_CENTS
from rtsep.models.networks.pitch_net import PitchNet
from rtsep.training.choir.pitch.streams import CHUNKS, Chunk, PitchStreams
from rtsep.training.choir.render.item import ChoirItem, Items
from rtsep.training.loop.processes import beside
from rtsep.training.loop.settings import FitSettings
from rtsep.training.loop.task import Carried, Draw, Loss
from rtsep.training.seeds import torch_seed

OFFSET_BETA = 0.1  # candidates (4 cents): errors below are squared, above absolute
SUNG = 0.5  # salience target from which a candidate counts as sung, in measures


@dataclass(frozen=True)
class PitchConfig:
    """Everything about a run of `rtsep-train pitch`."""

    frames: int = 128  # hops per step and stream: 0.7 s at 5.3 ms, 2.7 s at 21.3 ms; six of them carry state
    held_out: int = 24  # items at the folder's beginning that are only validated on
    offset_weight: float = 2.0  # of the losses beside that of salience
    unison_weight: float = 0.5
    looks: int = 1  # of `PitchNet`: 2 for twice the products, for tails and rests
    fit: FitSettings = field(
        default=FitSettings(
            minutes=60.0,
            batch=8,
            learning_rate=3e-3,
            weight_decay=1e-3,
            warmup_steps=100,
            checkpoint_every=200,
            validate_every=200,
            ema_decay=0.995,
        )
    )

    def __post_init__(self) -> None:
        if self.looks not in (1, 2):
            raise RtsepError(f"looks = {self.looks} is neither 1 nor 2", "choose one of them")
        if self.frames < 16 or self.held_out < 1:
            raise RtsepError(
                f"frames = {self.frames}, held_out = {self.held_out}: the bounds are 16 and 1", "choose more"
            )


def to_batch(chunks: Sequence[Chunk], keep: Sequence[bool]) -> dict[str, Tensor]:
    """Stacks chunks: float32 [streams, frames, ...], and `keep` [streams], 0 where a pass begins."""
    frames = len(chunks[0].bands)
    targets = {
        name: torch.from_numpy(np.stack([getattr(c.targets, name) for c in chunks]))
        for name in ("salience", "weight", "offset", "unison")
    }
    return targets | {
        "bands": torch.stack([c.bands for c in chunks]),
        "preset": torch.stack([c.preset for c in chunks])[:, None].expand(-1, frames, -1).contiguous(),
        "keep": torch.tensor(keep, dtype=torch.float32),
    }


class PitchTask:
    """See `task.Task`.

    Args:
        items: rendered choirs at 16 kHz; the first `config.held_out` of them validate.
        config: of the run.
    """

    def __init__(self, items: Items, config: PitchConfig) -> None:
        if len(items) <= config.held_out:
            raise RtsepError(
                f"{len(items)} items leave nothing to train on beside {config.held_out} held out",
                "render more, or lower held_out",
            )
        torch.manual_seed(torch_seed(config.fit.seed, "weights"))
        self.module = PitchNet(looks=config.looks)
        self._config = config
        seed, frames = config.fit.seed, config.frames
        self._streams = PitchStreams(_Slice(items, config.held_out, len(items)), seed, frames)
        self._held_out = PitchStreams(_Slice(items, 0, config.held_out), seed, frames, augment=False)

    def carried(self, streams: int) -> Carried:
        """See `Task`."""
        return self.module.initial_state(streams)

    def batch(self, draw: Draw) -> dict[str, Tensor]:
        """See `Task`."""
        return self._heard(self._streams, draw.streams, draw.step)

    def _heard(self, streams: PitchStreams, rows: Sequence[int], step: int) -> dict[str, Tensor]:
        return to_batch(
            [streams.chunk(row, step) for row in rows], [not streams.starts_pass(row, step) for row in rows]
        )

    def loss(self, module: nn.Module, batch: dict[str, Tensor], carried: Carried) -> Loss:
        """Cross entropy of salience where something can be said; of unison, and the offset's distance, where
        somebody sings."""
        assert isinstance(module, PitchNet)
        return self._measure(_listen(module, batch, carried), batch)

    def _measure(self, outputs: tuple[Tensor, ...], batch: dict[str, Tensor]) -> Loss:
        salience, offset, unison, *state = outputs
        entropy = functional.binary_cross_entropy_with_logits
        at = batch["salience"] * batch["weight"]
        sung = at.sum().clamp(min=1.0)
        by_salience = (
            (entropy(salience, batch["salience"], reduction="none") * batch["weight"]).sum(-1).mean()
        )
        apart = functional.smooth_l1_loss(offset, batch["offset"], reduction="none", beta=OFFSET_BETA)
        by_offset = (apart * at).sum() / sung
        by_unison = (entropy(unison, batch["unison"], reduction="none") * at).sum() / sung
        config = self._config
        return Loss(
            by_salience + config.offset_weight * by_offset + config.unison_weight * by_unison,
            {"salience": by_salience, "offset": by_offset, "unison": by_unison},
            tuple(state),
        )

    def validate(self, module: nn.Module) -> dict[str, float]:
        """Passes over held-out items as they are; `score` is minus the loss.

        Returns:
            the losses; recall and precision of sung candidates at even odds; the median error of pitch where
            one is found, in cents.
        """
        assert isinstance(module, PitchNet)
        rows = [CHUNKS * k for k in range(2 * self._config.fit.batch)]  # all in step: no pass is cut off
        carried = module.initial_state(len(rows))
        sums: dict[str, list[float]] = {}
        errors, found, sung, claimed = [], 0.0, 0.0, 0.0
        for step in range(CHUNKS):
            batch = beside(module, self._heard(self._held_out, rows, step))
            salience, offset, *_ = outputs = _listen(module, batch, carried)
            result = self._measure(outputs, batch)
            carried = result.carried
            for name, value in {**result.logs, "loss": result.loss}.items():
                sums.setdefault(name, []).append(float(value))
            true, said = batch["salience"] >= SUNG, salience > 0.0
            counted = batch["weight"] > 0
            found += float((true & said & counted).sum())
            sung += float((true & counted).sum())
            claimed += float((said & counted & (batch["salience"] == 0)).sum())
            hit = (batch["salience"] == 1.0) & said & counted
            errors.append((offset - batch["offset"])[hit].abs())
        cents = torch.cat(errors)
        measures = {name: float(np.mean(values)) for name, values in sums.items()}
        return measures | {
            "score": -measures["loss"],
            "recall": found / max(sung, 1.0),
            "false_share": claimed / max(found + claimed, 1.0),
            "median_cents": CANDIDATE_CENTS * float(cents.median()) if cents.numel() else float("nan"),
        }


def _listen(module: PitchNet, batch: dict[str, Tensor], carried: Carried) -> tuple[Tensor, ...]:
    """The network over a batch, its state forgotten where a pass begins."""
    state = (s * batch["keep"].view(-1, *[1] * (s.dim() - 1)) for s in carried)
    return module.sequence(batch["bands"], batch["preset"], *state)


class _Slice:
    """Items first .. last - 1, read when asked for."""

    def __init__(self, items: Items, first: int, last: int) -> None:
        self._items, self._first, self._last = items, first, last

    def __len__(self) -> int:
        return self._last - self._first

    def __getitem__(self, place: int) -> ChoirItem:
        return self._items[self._first + place]

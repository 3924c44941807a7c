"""Training of the U-Net baseline: one voice of a rendered choir at a time, L1 on its magnitudes.

As published (Schulze-Forster et al. 2022): a random target per item, mean absolute error of magnitudes. Here
the items are rendered choirs with their exact F0 in place of multitrack recordings, and the magnitudes are
compressed before they are compared, as the network sees them.
"""

from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from rtsep.kernels.errors import RtsepError
from rtsep.models.networks.unet import COMPRESSION, HOP, WINDOW_SAMPLES, ConditionedUNet, pitch_condition
from rtsep.training.baselines.centred_stft import centred_stft
from rtsep.training.choir.render.dataset import ChoirFolder
from rtsep.training.choir.render.f0_labels import LABEL_S
from rtsep.training.choir.render.item import ChoirItem
from rtsep.training.loop.processes import beside
from rtsep.training.loop.task import Carried, Draw, Loss
from rtsep.training.measures.contours import Contours
from rtsep.training.measures.protocol import EXCERPT_SAMPLES, SAMPLERATE, Audio
from rtsep.training.seeds import generator

PATCH_FRAMES = 64
HOLD_STEPS = 8  # patches drawn from an item before the next: reading one costs as much as two steps
HELD_OUT, VALIDATION_PATCHES = 24, 2
# Compressed magnitudes have an infinite slope at zero.
FLOOR = 1e-4

Patch = tuple[Audio, Audio, Audio]  # mixture and target [frames, 513], condition [frames, 361]


class UNetTask:
    """See `rtsep.training.loop.task.Task`.

    Args:
        folder: rendered choirs at 16 kHz; its first items validate and are not learnt from.

    Raises:
        RtsepError: another sample rate, or too few items.
    """

    def __init__(self, folder: Path) -> None:
        choirs = ChoirFolder(folder)
        if len(choirs) < 4 * HELD_OUT:
            raise RtsepError(
                f"{folder} holds {len(choirs)} items, fewer than {4 * HELD_OUT}", "render more hours"
            )
        rate = choirs[0].samplerate
        if rate != SAMPLERATE:
            raise RtsepError(
                f"{folder} has {rate} Hz, the U-Net works at {SAMPLERATE} Hz",
                "render with samplerate = 16000 in --config",
            )
        self._choirs = choirs
        self.learnt_items = len(choirs) - HELD_OUT
        self._items: OrderedDict[int, ChoirItem] = OrderedDict()
        self.module = ConditionedUNet()

    def carried(self, streams: int) -> Carried:
        """Nothing."""
        return ()

    def batch(self, draw: Draw) -> tuple[Tensor, ...]:
        """Mixtures, targets, conditions, each [streams, 64, ...]."""
        patches = []
        for stream in draw.streams:
            place = HELD_OUT + int(draw.rng("item", stream, hold=HOLD_STEPS).integers(self.learnt_items))
            patches.append(random_patch(self._item(place, len(draw.streams)), draw.rng("patch", stream)))
        return _stacked(patches)

    def loss(self, module: nn.Module, batch: tuple[Tensor, ...], carried: Carried) -> Loss:
        """Mean absolute error of compressed magnitudes."""
        mixture, target, condition = batch
        estimate = module(mixture, condition)
        loss = ((estimate + FLOOR) ** COMPRESSION - (target + FLOOR) ** COMPRESSION).abs().mean()
        return Loss(loss, {})

    def validate(self, module: nn.Module) -> dict[str, float]:
        """`score`: by how many dB masking lowers the error of magnitudes, on the first items."""
        before = after = 0.0
        for place in range(HELD_OUT):
            rng = generator(0, "patches to validate by", place)
            item = self._choirs[place]
            mixture, target, condition = _stacked(
                [random_patch(item, rng) for _ in range(VALIDATION_PATCHES)]
            )
            before += float((mixture - target).square().sum())
            estimate = module(*beside(module, (mixture, condition))).cpu()
            after += float((estimate - target).square().sum())
        return {"score": 10.0 * float(np.log10(before / max(after, 1e-12)))}

    def _item(self, place: int, streams: int) -> ChoirItem:
        if place not in self._items:
            self._items[place] = self._choirs[place]
            while len(self._items) > 2 * streams:
                self._items.popitem(last=False)
        return self._items[place]


def random_patch(item: ChoirItem, rng: np.random.Generator) -> Patch:
    """64 frames of a random voice, normalised like a 4 s excerpt of the evaluation."""
    first = int(rng.integers(item.stems.shape[1] - EXCERPT_SAMPLES + 1))
    voice = int(rng.integers(len(item.stems)))
    span = slice(first, first + EXCERPT_SAMPLES)
    target = item.stems[voice, span]
    mixture = item.stems[:, span].sum(axis=0) + item.noise[span]
    spectra = np.abs(centred_stft(np.stack([mixture, target]), WINDOW_SAMPLES, HOP))
    spectra /= max(float(spectra[0].max()), 1e-6)
    start = int(rng.integers(spectra.shape[1] - PATCH_FRAMES + 1))
    frames = np.arange(start, start + PATCH_FRAMES)
    times_s = (first + frames * HOP) / SAMPLERATE
    f0 = Contours(
        LABEL_S * np.arange(item.f0_hz.shape[1], dtype=np.float64),
        np.asarray(item.f0_hz[voice, :, None], np.float64),
    )
    cut = spectra[:, frames].astype(np.float32)
    return cut[0], cut[1], pitch_condition(f0.at(times_s)[:, 0])


def _stacked(patches: list[Patch]) -> tuple[Tensor, ...]:
    return tuple(torch.from_numpy(np.stack(part)) for part in zip(*patches, strict=True))

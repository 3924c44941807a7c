"""A run of the U-Net baseline: settings, the loop, its weights and card."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rtsep.kernels.errors import RtsepError
from rtsep.models.networks.export import save_weights
from rtsep.training.baselines.unet import CARD_FILE, WEIGHTS_FILE
from rtsep.training.baselines.unet_task import UNetTask
from rtsep.training.files.atomic_write import place
from rtsep.training.files.toml_settings import read_config
from rtsep.training.loop import checkpoint
from rtsep.training.loop.fit import fit
from rtsep.training.loop.settings import FitSettings
from rtsep.training.seeds import torch_seed

FORMAT = "rtsep-unet/1"


# Adam with 1e-3, as published. A validation costs as much as five steps.
FIT = FitSettings(
    minutes=240.0, batch=16, warmup_steps=50, ema_decay=0.99, validate_every=100, checkpoint_every=100
)


@dataclass(frozen=True)
class UNetConfig:
    """Settings of a run: the table [fit] of its TOML."""

    fit: FitSettings = FIT


def train(data: Path, out: Path, minutes: float, config_file: Path | None) -> dict[str, float]:
    """Trains until `minutes` of this run are over, all its parts together; gives the best measures.

    Raises:
        RtsepError: data, settings or folder cannot be used.
        Stopped: by a signal, after a checkpoint; run again to go on.
    """
    config = read_config(UNetConfig, config_file)
    settings = dataclasses.replace(config.fit, minutes=minutes)
    torch.manual_seed(torch_seed(settings.seed, "weights"))
    task = UNetTask(data)
    fitted = fit(task, settings, out)
    measures = checkpoint.load_best(task.module, out)
    save_weights(task.module, out / WEIGHTS_FILE)
    content = json.dumps(_card(task, data, settings, fitted.step, measures), indent=1) + "\n"
    try:
        place(out / CARD_FILE, content.encode())
    except OSError as error:
        raise RtsepError(f"--out {out} cannot be written ({error.strerror})", "make room") from None
    return measures


def _card(
    task: UNetTask, data: Path, settings: FitSettings, steps: int, measures: dict[str, float]
) -> dict[str, Any]:
    choirs = json.loads((data / "choir.json").read_text(encoding="utf-8"))
    return {
        "format": FORMAT,
        "what": "F0-conditioned U-Net after Petermann et al. 2020, supervised, offline: a baseline",
        "parameters": sum(p.numel() for p in task.module.parameters()),
        "data": {key: choirs.get(key) for key in ("seed", "config_digest", "donors")},
        "items": task.learnt_items,
        "settings": dataclasses.asdict(settings),
        "steps": steps,
        "measures": measures,
    }

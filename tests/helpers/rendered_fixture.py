"""A folder like those of `render-choir`, of voices that cost nothing to render."""

from pathlib import Path

import numpy as np

from rtsep.training.choir.render.dataset import write_item
from rtsep.training.choir.render.item import ChoirItem

SAMPLERATE = 16000
FRAME_S = 0.005


def write_choirs(folder: Path, items: int, seconds: float = 5.0) -> None:
    """Items of two voices with vibrato, the second written first and resting in the last second."""
    folder.mkdir(exist_ok=True)
    (folder / "choir.json").write_text('{"donors": [], "seed": 1, "config_digest": "none"}')
    for index in range(items):
        times_s = np.arange(round(seconds / FRAME_S)) * FRAME_S
        sways = 2 ** (20 / 1200 * np.sin(2 * np.pi * 5.5 * times_s))
        f0_hz = np.stack([196.0 * sways, 440.0 * sways]) * 2 ** (index / 12)
        f0_hz[0, times_s >= seconds - 1.0] = 0
        stems = np.stack([_sung(f0) for f0 in f0_hz])
        level_db = np.where(f0_hz > 0, -20.0, -120.0).astype(np.float32)
        item = ChoirItem(
            samplerate=SAMPLERATE,
            stems=stems,
            noise=np.zeros_like(stems[0]),
            f0_hz=f0_hz.astype(np.float32),
            merged=np.zeros(f0_hz.shape, np.bool_),
            order=np.tile(np.array([[1], [0]], np.int8), (1, len(times_s))),
            level_db=level_db,
            facts={"index": index},
        )
        write_item(folder, index, item)


def _sung(f0_hz: np.ndarray) -> np.ndarray:
    fine = np.repeat(f0_hz, round(FRAME_S * SAMPLERATE))
    phase = 2 * np.pi * np.cumsum(fine) / SAMPLERATE
    voice = sum(np.sin(k * phase) / k for k in range(1, 12))
    return (0.1 * voice * (fine > 0)).astype(np.float32)

"""Rendered choirs as a sequence: on the fly, or from a folder.

A folder holds, for item 12, `00000012.flac` (16 bit; one channel per stem, the last channel is the noise:
the mixture is the sum of all channels, so that it can never disagree with the stems), `00000012.npz` (f0_hz,
merged, order, level_db; see `ChoirItem`) and `00000012.json` (facts). The JSON is written last: an item
without it is not there. `choir.json` tells config, seed, materials and versions.
"""

import dataclasses
import importlib.metadata
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from rtsep.kernels.errors import RtsepError
from rtsep.training.choir.render.item import ChoirItem, Materials, render_item
from rtsep.training.choir.render.settings import ChoirConfig
from rtsep.training.files.atomic_write import place

FORMAT = "rtsep-choir/2"  # counts up when the same seed renders other choirs
PACKAGES = ("rtsep", "numpy", "scipy", "soundfile", "soxr", "pyworld-prebuilt")
LABELS = ("f0_hz", "merged", "order", "level_db")


class RenderedChoir:
    """Item i, rendered when asked for, the same in any order, process or machine (but for rounding).

    Args:
        config: what choirs are like.
        materials: donors, scores, rooms.
        seed: another seed, other choirs.
        items: length of the sequence.
    """

    def __init__(self, config: ChoirConfig, materials: Materials, seed: int, items: int) -> None:
        self._config, self._materials, self._seed, self._items = config, materials, seed, items

    def __len__(self) -> int:
        return self._items

    def __getitem__(self, index: int) -> ChoirItem:
        if not 0 <= index < self._items:
            raise IndexError(index)
        return render_item(self._config, self._materials, self._seed, index)


class ChoirFolder:
    """The finished items of a folder, in order of their numbers.

    Raises:
        RtsepError: no such folder, or none of its items is complete.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.indices = sorted(int(f.stem) for f in folder.glob("*.json") if f.stem.isdigit())
        if not self.indices:
            raise RtsepError(
                f"{folder} holds no rendered choir", "render one with python -m rtsep.training render-choir"
            )

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, place: int) -> ChoirItem:
        return read_item(self.folder, self.indices[place])


def training_choirs(folder: Path, samplerate: int) -> ChoirFolder:
    """A folder to train a network on.

    Raises:
        RtsepError: no finished items, or another sample rate than the network's front end has.
    """
    items = ChoirFolder(folder)
    if items[0].samplerate != samplerate:
        raise RtsepError(
            f"{folder} is rendered at {items[0].samplerate} Hz, training needs {samplerate}",
            f"render with samplerate = {samplerate} in render-choir's --config",
        )
    return items


def is_complete(folder: Path, index: int) -> bool:
    """Whether item `index` is on disk, whole."""
    return (folder / f"{index:08d}.json").exists()


def write_item(folder: Path, index: int, item: ChoirItem) -> None:
    """Writes one item so that a kill at any time leaves it whole or not there.

    Raises:
        RtsepError: the folder cannot be written, or the disk is full.
    """
    signals = np.concatenate([item.stems, item.noise[None]]).T
    audio, labels = io.BytesIO(), io.BytesIO()
    soundfile.write(audio, signals, item.samplerate, format="FLAC", subtype="PCM_16")
    np.savez_compressed(labels, **{name: getattr(item, name) for name in LABELS})
    try:
        place(folder / f"{index:08d}.flac", audio.getvalue())
        place(folder / f"{index:08d}.npz", labels.getvalue())
        place(folder / f"{index:08d}.json", _json_bytes(item.facts))
    except OSError as error:
        raise RtsepError(
            f"item {index} cannot be written to {folder} ({error.strerror})",
            "make room, then run again: finished items are kept",
        ) from None


def read_item(folder: Path, index: int) -> ChoirItem:
    """Reads one item; audio comes back within 2^-15.

    Raises:
        RtsepError: it is not there or cannot be read.
    """
    try:
        facts = json.loads((folder / f"{index:08d}.json").read_text(encoding="utf-8"))
        signals, samplerate = soundfile.read(folder / f"{index:08d}.flac", dtype="float32", always_2d=True)
        with np.load(folder / f"{index:08d}.npz") as stored:
            labels = {name: stored[name] for name in LABELS}
    except (OSError, ValueError, KeyError, soundfile.LibsndfileError) as error:
        raise RtsepError(
            f"item {index} of {folder} cannot be read ({error})", "delete its files and render again"
        ) from None
    tracks = np.ascontiguousarray(signals.T)
    return ChoirItem(samplerate=samplerate, stems=tracks[:-1], noise=tracks[-1], facts=facts, **labels)


def describe(config: ChoirConfig, materials: Materials, seed: int) -> dict[str, Any]:
    """What a folder's choirs are made of and with: for `choir.json` and for model cards."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "format": FORMAT,
        "seed": seed,
        "config": dataclasses.asdict(config),
        "config_digest": config.digest(),
        "voicebanks": [{"name": b.name, "digest": b.digest} for b in materials.banks],
        "scores": len(materials.scores),
        "donors": materials.donors(),
        "solo_voices": [v.name for v in materials.solos],
        "responses": [r.name for r in materials.responses],
        "versions": versions,
    }


def open_folder(folder: Path, description: dict[str, Any]) -> None:
    """Creates an output folder, or checks that it was begun with the same config, seed and materials.

    Raises:
        RtsepError: it holds other choirs, or cannot be written.
    """
    file = folder / "choir.json"
    wanted = json.loads(json.dumps(description))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if file.exists():
            begun = json.loads(file.read_text(encoding="utf-8"))
            # other versions render the same choirs but for rounding
            differing = [key for key in wanted if key != "versions" and begun.get(key) != wanted[key]]
            if differing:
                raise RtsepError(
                    f"{folder} was begun with other {', '.join(differing)}",
                    "resume with the same, or choose another folder",
                )
            return
        place(file, _json_bytes(wanted))
    except (OSError, ValueError) as error:
        raise RtsepError(f"--out {folder} cannot be used ({error})", "choose a writable folder") from None


def _json_bytes(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode()

"""Folders that hold a model, as a user would bring one."""

import hashlib
import json
from pathlib import Path
from typing import Any

from rtsep.models.card import CHOIR
from rtsep.models.registry import CARD_FILE, CARD_FOLDER, shipped_models

CHOIRS = [name for name, model in shipped_models().items() if model.card.family == CHOIR]


def network_entry(role: str, name: str, onnx: bytes, weights: bytes = b"weights") -> dict[str, Any]:
    """What a card says of a network whose files hold `onnx` and `weights`."""
    return {
        "role": role,
        "architecture": "tiny",
        "config": {},
        "latency_presets_ms": [5, 11, 21, 43],
        "onnx": f"{name}.onnx",
        "onnx_sha256": hashlib.sha256(onnx).hexdigest(),
        "weights": f"{name}.safetensors",
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "parameters": 1000,
        "seed": 1,
        "recipe": "rtsep-train tiny --seed 1",
    }


def write_model(folder: Path, networks: list[tuple[str, str, bytes]], /, **changes: Any) -> Path:
    """A model folder with networks (role, name, ONNX content); a comb where no levels network is."""
    folder.mkdir(exist_ok=True)
    card = json.loads((CARD_FOLDER / "choir.json").read_text())
    levels = any(role == "levels" for role, _, _ in networks)
    card |= {"name": folder.name, "comb": None if levels else "adaptive"}
    card["networks"] = [network_entry(*network) for network in networks]
    for _, name, onnx in networks:
        (folder / f"{name}.onnx").write_bytes(onnx)
        (folder / f"{name}.safetensors").write_bytes(b"weights")
    card |= changes
    (folder / CARD_FILE).write_text(json.dumps({k: v for k, v in card.items() if v != "absent"}))
    return folder

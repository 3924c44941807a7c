"""From a trained network to the files of a model, ONNX and safetensors, and to what its card says of them."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn

from rtsep.models.card import NetworkCard
from rtsep.models.networks.export import export_onnx, save_weights
from rtsep.models.networks.step_module import StepModule


def write_network(
    module: StepModule,
    folder: Path,
    name: str,
    *,
    role: str,
    architecture: str,
    config: dict[str, Any],
    latency_presets_ms: Sequence[int],
    seed: int,
    recipe: str,
    stem: str | None = None,
) -> NetworkCard:
    """Writes `name`.onnx and `name`.safetensors into `folder`; returns what the card says of them.

    Args:
        module: the trained network, moved to the CPU; the exported hop is run against it before it counts.
        folder: exists.
        name: of the files, without suffix.
        role, architecture, config, latency_presets_ms, seed, recipe, stem: see `NetworkCard`.

    Raises:
        RuntimeError: the exported hop is not the module's.
        OSError: the folder cannot be written.
    """
    assert isinstance(module, nn.Module)
    module.cpu()  # where ONNX Runtime, which it is compared with, computes
    onnx, weights = folder / f"{name}.onnx", folder / f"{name}.safetensors"
    export_onnx(module, onnx)
    save_weights(module, weights)
    return NetworkCard(
        role=role,
        architecture=architecture,
        config=config,
        latency_presets_ms=tuple(latency_presets_ms),
        onnx=onnx.name,
        onnx_sha256=_sha256(onnx),
        weights=weights.name,
        weights_sha256=_sha256(weights),
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        seed=seed,
        recipe=recipe,
        stem=stem,
    )


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()

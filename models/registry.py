"""Which models there are: one JSON card each, checked when read."""

import hashlib
import json
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from rtsep.kernels.errors import RtsepError

CARD_FOLDER = Path(__file__).parent / "cards"
FAMILIES = ("choir", "band")


@dataclass(frozen=True)
class ModelCard:
    """What a user should know before going on stage with a model.

    Attributes:
        name: as in `--model NAME`.
        family: "choir" (voices, highest first) or "band" (named stems).
        summary: one line.
        stems: outputs in order, the residual left out; a choir model gives the first `--voices` of them.
        latency_presets_ms: values of `--latency` it works at.
        samplerate_hz: lowest and highest sample rate.
        licence: SPDX name of the licence of weights and code.
        training_data: what it learned from.
        measured_quality: what was measured, on what and how; one line each.
        limits: what it cannot do; one line each.
        weights: file name beside the card, None for a model without weights.
        sha256: of the weights file.
    """

    name: str
    family: str
    summary: str
    stems: tuple[str, ...]
    latency_presets_ms: tuple[int, ...]
    samplerate_hz: tuple[int, int]
    licence: str
    training_data: str
    measured_quality: tuple[str, ...]
    limits: tuple[str, ...]
    weights: str | None
    sha256: str | None

    def verify(self, folder: Path = CARD_FOLDER) -> None:
        """Compares the weights file, where there is one, with the card.

        Raises:
            RtsepError: the file is missing or another one than the card describes.
        """
        if self.weights is None:
            return
        path = folder / self.weights
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise RtsepError(
                f"weights {path} of model {self.name}: {error.strerror}", "install rtsep again"
            ) from error
        if found != self.sha256:
            raise RtsepError(
                f"weights {path} of model {self.name} have SHA-256 {found[:12]}..., "
                f"the card says {str(self.sha256)[:12]}...",
                "install rtsep again",
            )


def read_card(path: Path) -> ModelCard:
    """Reads one card.

    Raises:
        RtsepError: no JSON, or fields that are missing, unknown or of the wrong kind.
    """
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RtsepError(f"model card {path} cannot be read ({error})", "install rtsep again") from error
    names = {field.name for field in fields(ModelCard)}
    if data.keys() != names:
        odd = ", ".join(sorted(data.keys() ^ names))
        raise RtsepError(f"model card {path} has missing or unknown fields: {odd}", "see ModelCard")
    for key in ("stems", "latency_presets_ms", "samplerate_hz", "measured_quality", "limits"):
        if not isinstance(data[key], list):
            raise RtsepError(f"model card {path}: {key} is {data[key]!r}, not a list", "see ModelCard")
        data[key] = tuple(data[key])
    if data["family"] not in FAMILIES:
        raise RtsepError(
            f"model card {path}: family {data['family']!r} is not one of {', '.join(FAMILIES)}",
            "see ModelCard",
        )
    if (data["weights"] is None) != (data["sha256"] is None):
        raise RtsepError(f"model card {path} names weights or sha256 alone", "give both or neither")
    return ModelCard(**data)


@cache
def cards() -> dict[str, ModelCard]:
    """All cards by name, in the order of their names."""
    found = [read_card(path) for path in sorted(CARD_FOLDER.glob("*.json"), key=lambda path: path.stem)]
    return {card.name: card for card in found}

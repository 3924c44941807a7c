"""`rtsep models`: the cards, and whether the files are those the cards describe."""

import json
from dataclasses import asdict

from rtsep.models.card import TRACKER, ModelCard
from rtsep.models.registry import find_model, shipped_models
from rtsep.rt.hop.presets import LATER_HOPS, LATER_WINDOWS_MS


def model_lines(folders: tuple[str, ...], as_json: bool) -> list[str]:
    """A paragraph per model, or one JSON list; the shipped models where no folders are named.

    Raises:
        RtsepError: a card or a file that is damaged or missing.
    """
    models = [find_model(folder) for folder in folders] or list(shipped_models().values())
    for model in models:
        model.verify()
    if as_json:
        return [json.dumps([asdict(model.card) for model in models])]
    return [line for model in models for line in _paragraph(model.card)]


def _presets(card: ModelCard) -> str:
    found = f"{', '.join(map(str, card.latency_presets_ms))} ms"
    trackers = [network for network in card.networks if network.role == TRACKER]
    if any(LATER_WINDOWS_MS in network.latency_presets_ms for network in trackers):
        found += f"; {', '.join(map(str, LATER_HOPS))} ms, decided later"
    return found


def _paragraph(card: ModelCard) -> list[str]:
    low, high = card.samplerate_hz
    rows = [
        ("stems", f"{', '.join(card.stems)}, residual"),
        ("latency", _presets(card)),
        ("sample rates", f"{low}..{high} Hz"),
        ("licence", card.licence),
        *(("training data", line) for line in card.training_data or ("none",)),
        *(("credit", line) for line in card.credits),
        *(("quality", line) for line in card.measured_quality or ("not measured",)),
        *(("limit", line) for line in card.limits),
    ]
    for network in card.networks:
        presets = ", ".join(map(str, network.latency_presets_ms))
        text = f"{network.architecture}, {network.parameters} parameters, {presets} ms"
        role = network.role if network.stem is None else f"{network.role} {network.stem}"
        rows.append((role, f"{text}, seed {network.seed}: {network.recipe}"))
        rows += [("file", f"{name}, SHA-256 {sha256}, verified") for name, sha256 in network.files.items()]
    if card.encoder_sha256 is not None:
        rows.append(("add-on to", f"the encoder of SHA-256 {card.encoder_sha256}"))
    if card.parent_sha256 is not None:
        rows.append(("adapted from", f"the card of SHA-256 {card.parent_sha256}"))
    return [f"{card.name} ({card.family}): {card.summary}", *(f"  {k:<13}  {v}" for k, v in rows)]

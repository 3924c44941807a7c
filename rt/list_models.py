"""`rtsep models`: the cards, and whether the files are those the cards describe."""

import json
from dataclasses import asdict

from rtsep.models.registry import ModelCard, cards


def model_lines(as_json: bool) -> list[str]:
    """A paragraph per model, or one JSON list.

    Raises:
        RtsepError: a card or a weights file that is damaged.
    """
    for card in cards().values():
        card.verify()
    if as_json:
        return [json.dumps([asdict(card) for card in cards().values()])]
    return [line for card in cards().values() for line in _paragraph(card)]


def _paragraph(card: ModelCard) -> list[str]:
    low, high = card.samplerate_hz
    rows = [
        ("stems", f"{', '.join(card.stems)}, residual"),
        ("latency", f"{', '.join(map(str, card.latency_presets_ms))} ms"),
        ("sample rates", f"{low}..{high} Hz"),
        ("licence", card.licence),
        ("training data", card.training_data),
        ("weights", f"{card.weights}, SHA-256 {card.sha256}, verified" if card.weights else "none"),
        *(("quality", line) for line in card.measured_quality or ("not measured",)),
        *(("limit", line) for line in card.limits),
    ]
    return [f"{card.name} ({card.family}): {card.summary}", *(f"  {k:<13}  {v}" for k, v in rows)]

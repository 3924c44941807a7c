"""A model's card as a file."""

import json
from dataclasses import asdict
from pathlib import Path

from rtsep.models.card import ModelCard
from rtsep.training.files.atomic_write import place


def write_card(card: ModelCard, file: Path) -> None:
    """The card as JSON, one field a line.

    Raises:
        OSError: the file cannot be written.
    """
    place(file, (json.dumps(asdict(card), indent=2, ensure_ascii=False) + "\n").encode())

"""Model cards: complete, true to the code, and checked."""

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from rtsep.kernels.errors import RtsepError
from rtsep.models.build import MODELS
from rtsep.models.registry import CARD_FOLDER, cards, read_card
from rtsep.rt.presets import MAX_SAMPLERATE, MIN_SAMPLERATE, OVERLAP_AT_48K
from rtsep.rt.separator import RESIDUAL, Separator


def test_every_model_has_a_card_and_every_card_a_model() -> None:
    assert set(cards()) == set(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_a_card_says_what_the_model_does(name: str) -> None:
    card = cards()[name]
    card.verify()
    assert Separator.load(name, voices=4).stems == (*card.stems, RESIDUAL)
    assert set(card.latency_presets_ms) == set(OVERLAP_AT_48K)
    assert card.samplerate_hz == (MIN_SAMPLERATE, MAX_SAMPLERATE)


def write_card(folder: Path, **changes: object) -> Path:
    data = json.loads((CARD_FOLDER / "choir.json").read_text())
    data.update(changes)
    path = folder / "card.json"
    path.write_text(json.dumps({k: v for k, v in data.items() if v != "absent"}))
    return path


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"licence": "absent"}, "licence"),
        ({"colour": "red"}, "colour"),
        ({"family": "brass"}, "'brass' is not one of choir, band"),
        ({"stems": "voice-1"}, "not a list"),
        ({"weights": "a.safetensors"}, "weights or sha256 alone"),
    ],
)
def test_a_bad_card_is_refused(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    with pytest.raises(RtsepError, match=words):
        read_card(write_card(tmp_path, **changes))


def test_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text("{")
    with pytest.raises(RtsepError, match="cannot be read"):
        read_card(tmp_path / "card.json")


def test_weights_are_those_the_card_describes(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(b"weights")
    card = replace(cards()["choir"], weights="w", sha256=hashlib.sha256(b"weights").hexdigest())
    card.verify(tmp_path)
    (tmp_path / "w").write_bytes(b"other weights")
    with pytest.raises(RtsepError, match="SHA-256"):
        card.verify(tmp_path)
    (tmp_path / "w").unlink()
    with pytest.raises(RtsepError, match="No such file"):
        card.verify(tmp_path)


def test_a_card_survives_json() -> None:
    assert json.loads(json.dumps(asdict(cards()["choir"])))["name"] == "choir"

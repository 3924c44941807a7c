"""Networks that training runs left behind become one model folder."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers.model_folder import network_entry

from rtsep.kernels.errors import RtsepError
from rtsep.models.registry import find_model
from rtsep.training.commands.assemble import command


def left_behind(folder: Path, role: str, name: str) -> Path:
    """A training run's folder; returns its JSON."""
    folder.mkdir()
    entry = network_entry(role, name, name.encode())
    (folder / entry["onnx"]).write_bytes(name.encode())
    (folder / entry["weights"]).write_bytes(b"weights")
    (folder / f"{name}.json").write_text(json.dumps({"network": entry, "measures": {"score": 1.0}}))
    return folder / f"{name}.json"


def assemble(*arguments: object) -> str:
    result = CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_two_networks_become_a_model(tmp_path: Path) -> None:
    pitch = left_behind(tmp_path / "run1", "tracker", "pitch")
    levels = left_behind(tmp_path / "run2", "levels", "levels")
    out = tmp_path / "mine"
    text = "--training-data", "rendered choirs, CC0", "--credit", "Anna Alt", "--quality", "4.2 dB"
    assert "tracker, levels" in assemble(out, "--network", pitch, "--network", levels, *text)
    model = find_model(str(out))
    model.verify()
    assert [network.role for network in model.card.networks] == ["tracker", "levels"]
    assert (model.card.name, model.card.comb) == ("mine", None)
    assert model.card.training_data == ("rendered choirs, CC0",)
    assert model.card.credits == ("Anna Alt",)
    assert model.read("levels.onnx") == b"levels"


def test_a_tracker_alone_keeps_the_comb(tmp_path: Path) -> None:
    pitch = left_behind(tmp_path / "run", "tracker", "pitch")
    assemble(tmp_path / "mine", "--network", pitch, "--like", "choir-fixed")
    assert find_model(str(tmp_path / "mine")).card.comb == "fixed"


def test_mistakes_leave_nothing(tmp_path: Path) -> None:
    pitch = left_behind(tmp_path / "run", "tracker", "pitch")
    out = tmp_path / "mine"
    cases = [
        ((out, "--network", tmp_path / "none.json"), "No such file"),
        ((out, "--network", pitch, "--network", pitch), r"two networks have a file pitch\.onnx"),
        ((out, "--network", pitch, "--like", "chior"), "'chior' is not one of"),
        ((tmp_path / "run", "--network", pitch), "exists; name a new folder"),
        ((tmp_path / "no" / "mine", "--network", pitch), "is not a folder"),
    ]
    for arguments, words in cases:
        with pytest.raises(RtsepError, match=words):
            assemble(*arguments)
    (tmp_path / "run" / "pitch.onnx").write_bytes(b"damaged")
    with pytest.raises(RtsepError, match="SHA-256"):
        assemble(out, "--network", pitch)
    pitch.write_text('{"network": {"role": "tracker"}}')
    with pytest.raises(RtsepError, match="missing or unknown fields"):
        assemble(out, "--network", pitch)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]

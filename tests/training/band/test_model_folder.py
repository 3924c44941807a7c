"""A trained model becomes a folder that the stage runs, and another stem an add-on of it."""

import dataclasses
import json
from pathlib import Path

import click.testing
import numpy as np
import pytest
import torch
from helpers.stem_databases import STEMS, sound, vocals_database, whole_database
from helpers.weights_only import without_onnx

from rtsep.kernels.errors import RtsepError
from rtsep.models.registry import find_model
from rtsep.rt.separator import Separator
from rtsep.training.band.model_folder import Origin, load_model, write_model
from rtsep.training.band.networks import BandNet
from rtsep.training.commands.bands.add_stem import command as add_stem
from rtsep.training.commands.bands.band import command as band
from rtsep.training.databases.stem_folder import StemFolder, StemWriter

CONFIG = """
seconds = 1
hold = 1
validation_rows = 2
validation_s = 2.0
[fit]
steps = 2
minutes = 0.0
batch = 2
validate_every = 1
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two steps of `rtsep-train band`, its databases beside it."""
    folder = tmp_path_factory.mktemp("band")
    whole_database(folder / "whole")
    vocals_database(folder / "vocals")
    (folder / "config.toml").write_text(CONFIG)
    arguments = [
        "--data", folder / "whole", "--data", folder / "vocals", "--out", folder / "run",
        "--config", folder / "config.toml", "--model", folder / "model",
    ]  # fmt: skip
    result = click.testing.CliRunner().invoke(band, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return folder


def test_the_stage_runs_what_was_trained(trained: Path) -> None:
    separator = Separator.load(
        str(trained / "model"), stems=("vocals", "bass"), samplerate=48000, latency_ms=43
    )
    assert separator.stems == ("vocals", "bass", "residual")
    mixture = np.repeat(sum(sound(stem, 0, 2) for stem in STEMS), 2).astype(np.float32)
    out = separator.process(mixture)
    assert np.isfinite(out).all()
    assert np.std(out[0]) > 0


def test_the_card_names_every_source_once(trained: Path) -> None:
    card = find_model(str(trained / "model")).card
    assert card.stems == STEMS
    assert card.training_data == (
        "whole (vocals, drums, bass, other): CC0-1.0",
        "vocals-only (vocals): CC0-1.0",
    )
    assert card.credits == ("nobody",)
    assert card.networks[0].recipe == "rtsep-train band --mode interleaved"


def test_the_weights_in_the_folder_are_the_best_of_the_run(trained: Path) -> None:
    from safetensors.torch import load_file

    best = torch.load(trained / "run" / "best.pt", weights_only=True)["weights"]
    for file, prefix in (("model-encoder", "encoders.0."), ("model-decoder-bass", "decoders.bass.")):
        found = load_file(trained / "model" / f"{file}.safetensors")
        expected = {name.removeprefix(prefix): v for name, v in best.items() if name.startswith(prefix)}
        torch.testing.assert_close(found, expected, rtol=0.0, atol=0.0)


def test_training_goes_on_from_a_model(trained: Path) -> None:
    """A model holds the best weights of its run: the same, by the folder of either."""
    from rtsep.training.loop.checkpoint import load_best

    run, model = BandNet(STEMS), BandNet(STEMS)
    load_best(run, trained / "run")
    load_model(model, find_model(str(trained / "model")))
    for name, weights in run.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], weights, rtol=0, atol=0)
    with pytest.raises(RtsepError, match=r"has no piano, only vocals"):
        load_model(BandNet(("vocals", "piano")), find_model(str(trained / "model")))


def test_the_mean_with_the_start_lies_half_way(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_onnx(monkeypatch)
    arguments = [
        "--data", trained / "whole", "--data", trained / "vocals", "--out", trained / "on",
        "--config", trained / "config.toml", "--start", trained / "model", "--model", trained / "mean",
        "--mean-with-start",
    ]  # fmt: skip
    result = click.testing.CliRunner().invoke(band, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    start, mean = BandNet(STEMS), BandNet(STEMS)
    load_model(start, find_model(str(trained / "model")))
    load_model(mean, find_model(str(trained / "mean")))
    best = torch.load(trained / "on" / "best.pt", weights_only=True)["weights"]
    for name, weight in mean.state_dict().items():
        torch.testing.assert_close(weight, 0.5 * (start.state_dict()[name] + best[name]), rtol=0, atol=1e-6)
    assert any(not torch.equal(start.state_dict()[name], w) for name, w in best.items())


def test_a_stem_is_added_without_touching_the_encoder(trained: Path) -> None:
    writer = StemWriter(
        trained / "guitars",
        dataclasses.replace(StemFolder(trained / "vocals").manifest, name="guitars", known=("guitar",)),
    )
    for seed, song in enumerate(("four", "held")):
        writer.add(song, {"guitar": sound("other", seed + 7), "rest": sound("drums", seed + 7)})
    before = json.loads((trained / "model" / "card.json").read_text())
    arguments = [
        "guitar", "--data", trained / "guitars", "--data", trained / "whole", "--base", trained / "model",
        "--run", trained / "guitar-run", "--out", trained / "guitar", "--config", trained / "config.toml",
    ]  # fmt: skip
    result = click.testing.CliRunner().invoke(add_stem, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    card = find_model(str(trained / "guitar")).card
    assert card.encoder_sha256 == before["networks"][0]["onnx_sha256"]
    run = torch.load(trained / "guitar-run" / "last.pt", weights_only=True)["weights"]
    base = torch.load(trained / "run" / "best.pt", weights_only=True)["weights"]
    for name, value in base.items():
        if name.startswith("encoders."):
            torch.testing.assert_close(run[name], value, rtol=0.0, atol=0.0)
    separator = Separator.load(
        str(trained / "model"), stems=("vocals", "guitar"), add_ons=(str(trained / "guitar"),), latency_ms=11
    )
    assert separator.stems == ("vocals", "guitar", "residual")
    again = click.testing.CliRunner().invoke(add_stem, list(map(str, arguments)))
    assert isinstance(again.exception, RtsepError)  # nothing is overwritten


def test_independent_encoders_are_no_model(tmp_path: Path) -> None:
    origin = Origin(manifests=(), measured_quality=(), seed=1, recipe="none")
    with pytest.raises(RtsepError, match="no model of one encoder"):
        write_model(BandNet(("a", "b"), encoders=2), tmp_path / "model", "none", origin)
    assert not (tmp_path / "model").exists()


def test_a_power_is_in_the_files_of_its_stem_alone(trained: Path, tmp_path: Path) -> None:
    """The run again, which has ended: gains to the power of 1/2 in the weights and on the stage."""
    arguments = [
        "--data", trained / "whole", "--data", trained / "vocals", "--out", trained / "run",
        "--config", trained / "config.toml", "--model", tmp_path / "model", "--power", "bass=0.5",
    ]  # fmt: skip
    result = click.testing.CliRunner().invoke(band, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    mixture = np.repeat(sum(sound(stem, 0, 2) for stem in STEMS), 2).astype(np.float32)
    nets, sounds = [], []
    for folder in (trained / "model", tmp_path / "model"):
        net = BandNet(STEMS)
        load_model(net, find_model(str(folder)))
        nets.append([float(net.decoder(k).power) for k in range(len(STEMS))])
        separator = Separator.load(str(folder), stems=STEMS, samplerate=48000, latency_ms=43)
        sounds.append(dict(zip(separator.stems, separator.process(mixture), strict=True)))
    assert nets == [[1.0] * 4, [0.5 if stem == "bass" else 1.0 for stem in STEMS]]
    for stem in STEMS:
        before, after = (float(np.std(found[stem])) for found in sounds)
        assert (after > 1.05 * before) if stem == "bass" else (after == before)


@pytest.mark.parametrize("word", ["piano=0.5", "bass", "bass=0.1", "bass=nan", "bass=5"])
def test_a_power_that_cannot_be_is_refused_before_the_run(tmp_path: Path, word: str) -> None:
    arguments = [
        "--data",
        "nowhere",
        "--out",
        tmp_path / "run",
        "--model",
        tmp_path / "model",
        "--power",
        word,
    ]
    result = click.testing.CliRunner().invoke(band, list(map(str, arguments)))
    assert isinstance(result.exception, RtsepError)
    assert f"--power {word} is no stem" in str(result.exception)
    assert not (tmp_path / "run").exists()

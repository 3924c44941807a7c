"""Which stems a band model has, which add-ons fit, and what is refused: one line, and what to do."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from helpers.cli_helpers import run_command, write_audio
from helpers.tiny_band import onnx_of, write_add_on, write_band

from rtsep.kernels.errors import RtsepError
from rtsep.models.build import ModelChoice, build_model
from rtsep.models.registry import CARD_FILE
from rtsep.rt.batch_separator import BatchSeparator
from rtsep.rt.hop.presets import Preset
from rtsep.rt.separator import Separator

FRAMING = Preset(48000, 11).framing


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"stems": ("vocals", "tuba")}, "'tuba' is not one of vocals, drums, bass, other"),
        ({"stems": ("vocals", "vocals")}, "names 'vocals' 2 times"),
        ({"stems": ("vocals", "")}, "has an empty name"),
        ({"stems": ()}, "has an empty name"),
        ({"stems": ("residual",)}, "names the residual, which is always there"),
        ({"stems": ("drums", "bass"), "voices": 2}, "--voices 2 is not for these stems .* vocals alone"),
        ({"voices": 9}, "9 voices is outside 1..4"),
    ],
)
def test_what_a_band_does_not_have_is_refused(band: Path, asked: dict[str, Any], words: str) -> None:
    with pytest.raises(RtsepError, match=words) as caught:
        Separator.load(str(band), **asked)
    assert "\n" not in str(caught.value)


def test_what_a_choir_does_not_have_is_refused(guitar: Path) -> None:
    with pytest.raises(RtsepError, match="--stems soprano is not for model choir, whose family choir"):
        Separator.load("choir", stems=("soprano",))
    with pytest.raises(RtsepError, match=r"--add-on .* is not for model choir"):
        Separator.load("choir", add_ons=(str(guitar),))


@pytest.mark.parametrize("backend", ["cuda", "tensorrt"])
def test_gpu_backends_are_refused_by_the_family_not_by_the_missing_gpu(band: Path, backend: str) -> None:
    with pytest.raises(RtsepError, match="its family band runs on the processor; use --backend cpu"):
        Separator.load(str(band), backend=backend)
    with pytest.raises(RtsepError, match="its family band runs on the processor; use --backend cpu"):
        BatchSeparator.load(str(band), streams=2, backend=backend)


def test_choice_knows_the_stems_from_cards_alone(band: Path, guitar: Path, tmp_path: Path) -> None:
    bare = write_band(tmp_path / "bare")
    for file in bare.glob("*.onnx"):
        file.unlink()
    assert ModelChoice(str(bare)).names() == ("vocals", "drums", "bass", "other")
    assert ModelChoice(str(bare), stems=("bass", "vocals")).names() == ("bass", "vocals")
    assert ModelChoice(str(bare), voices=2).names() == (
        "voice-1", "voice-2", "vocals-rest", "drums", "bass", "other",
    )  # fmt: skip
    assert ModelChoice("choir", 3).names() == ("voice-1", "voice-2", "voice-3")
    assert ModelChoice("choir").names() == ("voice-1", "voice-2", "voice-3", "voice-4")
    assert ModelChoice(str(band), add_ons=(str(guitar),)).names()[-1] == "guitar"


def test_add_ons_are_checked_by_hash_and_by_their_encoder(band: Path, guitar: Path, tmp_path: Path) -> None:
    other = write_band(tmp_path / "other-encoder", seed=5)
    with pytest.raises(RtsepError, match=r"tiny-guitar belongs to the encoder .* other-encoder .* has"):
        Separator.load(str(other), add_ons=(str(guitar),))
    with pytest.raises(RtsepError, match="is no add-on"):
        Separator.load(str(band), add_ons=(str(other),))
    with pytest.raises(RtsepError, match="is an add-on: a decoder without an encoder"):
        Separator.load(str(guitar))
    with pytest.raises(RtsepError, match="'vocals' is in tiny-band and in second"):
        Separator.load(str(band), add_ons=(str(write_add_on(tmp_path / "second", band, "vocals")),))
    damaged = write_add_on(tmp_path / "damaged", band)
    (damaged / "decoder-guitar.onnx").write_bytes(onnx_of("decoder", 3))
    with pytest.raises(RtsepError, match=r"has SHA-256 .* the card says"):
        Separator.load(str(band), add_ons=(str(damaged),))


def without(name: str | None) -> Any:
    return lambda card: card["networks"].pop(
        next(i for i, n in enumerate(card["networks"]) if n["stem"] == name)
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without("bass"), "has 0 networks as decoder of bass at 5 ms"),
        (without(None), "has 0 networks as encoder at 5 ms"),
        (lambda card: card["networks"].append(card["networks"][0]), "has 2 networks as encoder"),
        (lambda card: card["stems"].remove("bass"), "a decoder of bass, which belongs to none of its stems"),
        (lambda card: card.update(comb="adaptive"), "comb is 'adaptive'; a band has none"),
        (lambda card: card.update(base_sha256="0" * 64), "names one of base_sha256 and encoder_sha256"),
        (lambda card: card["networks"][0].update(role="tracker"), "role in a band 'tracker'"),
        (lambda card: card["networks"][0].update(stem="vocals"), "stem is 'vocals'"),
        (lambda card: card["networks"][1].update(stem=None), "stem is None"),
        (lambda card: card.update(stems=[], networks=[]), "0 stems is outside"),
    ],
)
def test_a_card_that_is_not_a_band_s_is_refused(tmp_path: Path, change: Any, words: str) -> None:
    folder = write_band(tmp_path / "odd")
    card = json.loads((folder / CARD_FILE).read_text())
    change(card)
    (folder / CARD_FILE).write_text(json.dumps(card))
    with pytest.raises(RtsepError, match=words):
        build_model(str(folder), framing=FRAMING)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (onnx_of("encoder"), "decoder-vocals.onnx: input 'bands' is"),
        (b"no network", "is no network that ONNX Runtime"),
    ],
)
def test_a_decoder_that_is_none_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    folder = write_band(tmp_path / "odd")
    (folder / "decoder-vocals.onnx").write_bytes(content)
    card = json.loads((folder / CARD_FILE).read_text())
    card["networks"][1]["onnx_sha256"] = hashlib.sha256(content).hexdigest()
    (folder / CARD_FILE).write_text(json.dumps(card))
    with pytest.raises(RtsepError, match=words):
        build_model(str(folder), framing=FRAMING)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--stems", "vocals,,bass"], "--stems 'vocals,,bass' has an empty name"),
        (["--stems", ""], "--stems '' has an empty name"),
        (["--stems", "bass,bass"], "names 'bass' 2 times"),
        (["--stems", "bass,tuba"], "'tuba' is not one of"),
        (["--stems", "drums", "--voices", "2"], "--voices 2 is not for these stems"),
        (["--f0", "x.csv"], "--f0 x.csv is not for model"),
    ],
)
def test_the_command_line_refuses_in_one_line(
    band: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    song = tmp_path / "song.wav"
    write_audio(song)
    result = run_command(capfd, "--input", song, "--output", tmp_path / "out", "--model", band, *arguments)
    assert result.code == 2
    assert words in result.err
    assert result.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [["--stems", "soprano"], ["--add-on", "folder"]])
def test_a_choir_refuses_stems_in_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    song = tmp_path / "song.wav"
    write_audio(song)
    result = run_command(capfd, "--input", song, "--output", tmp_path / "out", "--model", "choir", *arguments)
    assert result.code == 2
    assert f"{arguments[0]} {arguments[1]} is not for model choir" in result.err


def test_a_file_becomes_the_stems_asked_for(
    band: Path, guitar: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    song = tmp_path / "song.wav"
    write_audio(song)
    out = tmp_path / "stems"
    asked = ("--model", band, "--stems", "drums,guitar", "--add-on", guitar)
    result = run_command(capfd, "--input", song, "--output", out, *asked)
    assert result.code == 0, result.err
    assert {file.name for file in out.iterdir()} == {"drums.wav", "guitar.wav", "residual.wav"}
    assert "drums" in result.out


def test_models_lists_a_band_and_its_add_on(
    band: Path, guitar: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = run_command(capfd, "models", band, guitar).out
    assert "decoder drums" in out
    assert "add-on to" in out

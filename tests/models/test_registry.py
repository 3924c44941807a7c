"""Model cards: complete, true to the code, and checked; files that are those of the card, or a clear line."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.model_folder import network_entry, write_model

from rtsep.kernels.errors import RtsepError
from rtsep.models.build import build_model
from rtsep.models.card import CHOIR, read_card
from rtsep.models.choir import build
from rtsep.models.mask_model import RESIDUAL
from rtsep.models.registry import (
    CARD_FILE,
    CARD_FOLDER,
    DEFAULT_MODEL,
    WEIGHTS_FOLDER,
    find_model,
    shipped_models,
)
from rtsep.rt.hop.presets import MAX_SAMPLERATE, MIN_SAMPLERATE, OVERLAP_AT_48K, Preset
from rtsep.rt.separator import Separator

FRAMING = Preset(48000, 11).framing
MAX_FILE_BYTES = 20_000_000  # what a package may carry


@pytest.mark.parametrize("name", shipped_models())
def test_a_card_says_what_the_model_does(name: str) -> None:
    model = find_model(name)
    model.verify()
    card = model.card
    assert card.name == name
    assert (CARD_FOLDER / f"{name}.json").is_file()
    latency_ms = card.latency_presets_ms[-1]
    assert Separator.load(name, latency_ms=latency_ms).stems == (*card.stems, RESIDUAL)
    assert set(card.latency_presets_ms) <= set(OVERLAP_AT_48K)
    low, high = card.samplerate_hz
    assert MIN_SAMPLERATE <= low < high == MAX_SAMPLERATE
    if card.family == CHOIR:
        assert (low, set(card.latency_presets_ms)) == (MIN_SAMPLERATE, set(OVERLAP_AT_48K))


def test_the_default_model_is_there() -> None:
    assert DEFAULT_MODEL in shipped_models()


def test_no_weights_without_a_card_and_none_too_large() -> None:
    named = {f for model in shipped_models().values() for n in model.card.networks for f in n.files}
    found = {path.name: path.stat().st_size for path in WEIGHTS_FOLDER.glob("*") if path.suffix != ".py"}
    assert found.keys() == named
    assert all(size < MAX_FILE_BYTES for size in found.values())


def changed(**changes: Any) -> Callable[[Path], Path]:
    return lambda folder: write_model(folder, [], **changes) / CARD_FILE


def with_network(**changes: Any) -> Callable[[Path], Path]:
    return changed(networks=[network_entry("tracker", "t", b"") | changes])


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (changed(licence="absent"), "licence"),
        (changed(colour="red"), "colour"),
        (changed(family="brass"), "'brass' is not one of choir, band"),
        (changed(stems="voice-1"), "stems is 'voice-1', not a list of strings"),
        (changed(samplerate_hz=[8000]), "not two whole numbers"),
        (changed(comb="bent"), "'bent' is not one of adaptive, fixed"),
        (changed(comb=None), "a comb where a latency has no levels network"),
        (
            changed(networks=[network_entry("levels", "x", b"")]),
            "a comb where a latency has no levels network",
        ),
        (changed(networks=[7]), "network 1 is no JSON object"),
        (changed(parent_sha256="abc"), "not a SHA-256"),
        (with_network(role="choreography"), "'choreography' is not one of tracker, levels"),
        (with_network(onnx="../../secret"), "not a plain file name"),
        (with_network(onnx="/etc/passwd"), "not a plain file name"),
        (with_network(weights=".."), "not a plain file name"),
        (with_network(onnx_sha256="0" * 63), "not a SHA-256"),
        (with_network(latency_presets_ms=[]), "network 1: latency_presets_ms is"),
        (with_network(parameters=True), "not a whole number"),
    ],
)
def test_a_bad_card_is_refused(tmp_path: Path, write: Callable[[Path], Path], words: str) -> None:
    with pytest.raises(RtsepError, match=words) as caught:
        read_card(write(tmp_path / "model"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["{", "[]", "3", "", "\xff"])
def test_no_card_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / CARD_FILE).write_bytes(text.encode("latin-1"))
    with pytest.raises(RtsepError, match=r"cannot be read|is no JSON object"):
        find_model(str(tmp_path))


def test_a_name_that_is_neither_model_nor_folder() -> None:
    with pytest.raises(RtsepError, match=r"'chior' is not one of band, .*nor a folder with a card\.json"):
        find_model("chior")


def test_a_folder_without_a_card(tmp_path: Path) -> None:
    with pytest.raises(RtsepError, match=r"card\.json cannot be read \(No such file"):
        find_model(str(tmp_path))


def test_a_folder_is_a_model_like_a_shipped_one(tmp_path: Path) -> None:
    folder = str(write_model(tmp_path / "mine", []))
    hop, rng = Preset(48000, 11).hop, np.random.default_rng(1)
    noise = rng.normal(0, 0.1, 20 * hop).astype(np.float32)
    shipped = Separator.load("choir-comb", voices=2).process(noise)
    np.testing.assert_array_equal(Separator.load(folder, voices=2).process(noise), shipped)


def test_files_are_those_the_card_describes(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "mine", [("tracker", "t", b"network")])
    model = find_model(str(folder))
    model.verify()
    assert model.read("t.onnx") == b"network"
    for damage in (b"netw0rk", b"networ", b"", b"network "):
        (folder / "t.onnx").write_bytes(damage)
        with pytest.raises(
            RtsepError, match=r"t\.onnx .*SHA-256 .*; copy the model's folder again"
        ) as caught:
            model.verify()
        assert "\n" not in str(caught.value)
    (folder / "t.onnx").unlink()
    with pytest.raises(RtsepError, match=r"No such file.*; copy"):
        model.verify()


def test_a_shipped_model_with_a_damaged_file_says_install_again() -> None:
    assert find_model(DEFAULT_MODEL).remedy == "install rtsep again"


def test_damaged_networks_never_reach_the_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_model(tmp_path / "mine", [("tracker", "t", b"network")])
    (folder / "t.onnx").write_bytes(b"other")
    monkeypatch.setitem(build.TRACKERS, "tiny", lambda *_: pytest.fail("ran a damaged network"))
    monkeypatch.setattr(build, "OnnxStep", lambda *_: pytest.fail("loaded a damaged network"))
    with pytest.raises(RtsepError, match="SHA-256"):
        build_model(str(folder), voices=2, framing=FRAMING, f0=None)


def test_an_unknown_architecture_asks_for_a_newer_rtsep(tmp_path: Path) -> None:
    for role in ("tracker", "levels"):
        folder = write_model(tmp_path / role, [(role, "n", b"network")])
        with pytest.raises(RtsepError, match=rf"{role} network of architecture 'tiny'.*newer rtsep"):
            build_model(str(folder), voices=2, framing=FRAMING, f0=None)


def test_content_that_is_no_network_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_model(tmp_path / "mine", [("tracker", "t", b"import os; os.abort()")])
    monkeypatch.setitem(build.TRACKERS, "tiny", lambda *_: pytest.fail("ran no network"))
    with pytest.raises(RtsepError, match=r"mine's t\.onnx is no network") as caught:
        build_model(str(folder), voices=2, framing=FRAMING, f0=None)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("latency_ms", "name"), [(5, "fast"), (11, "fast"), (21, "slow"), (43, "slow")])
def test_every_preset_gets_the_network_trained_for_it(tmp_path: Path, latency_ms: int, name: str) -> None:
    entries = [
        network_entry("tracker", "fast", b"") | {"latency_presets_ms": [5, 11]},
        network_entry("tracker", "slow", b"") | {"latency_presets_ms": [21, 43]},
    ]
    card = find_model(str(write_model(tmp_path / "mine", [], networks=entries))).card
    for samplerate in (16000, 44100, 48000, 96000):
        network = card.network("tracker", Preset(samplerate, latency_ms).framing.latency_ms)
        assert network is not None
        assert network.onnx == f"{name}.onnx"
    assert card.network("levels", 11) is None


def test_a_card_survives_json(tmp_path: Path) -> None:
    card = find_model(DEFAULT_MODEL).card
    (tmp_path / CARD_FILE).write_text(json.dumps(asdict(card)))
    assert read_card(tmp_path / CARD_FILE)[0] == card


def test_the_card_names_its_model(tmp_path: Path) -> None:
    one = find_model(str(write_model(tmp_path / "a", [("tracker", "t", b"1")])))
    same = find_model(str(write_model(tmp_path / "a", [("tracker", "t", b"1")])))
    other = find_model(str(write_model(tmp_path / "a2", [("tracker", "t", b"2")], name="a")))
    assert one.sha256 == same.sha256 != other.sha256
    file = tmp_path / "a" / CARD_FILE
    assert one.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    before = one.sha256
    file.write_bytes(b"another one by now")
    assert one.sha256 == before

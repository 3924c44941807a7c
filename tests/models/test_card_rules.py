"""Odd cards are refused in one line, and what a card promises is what a model can be asked for."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.model_folder import network_entry, write_model

from rtsep.kernels.errors import RtsepError
from rtsep.models.build import build_model
from rtsep.models.card_rules import MAX_CARD_BYTES, printable, require_model_name, shown
from rtsep.models.choir import build
from rtsep.models.choir.build import build_tracker
from rtsep.models.registry import CARD_FILE, WEIGHTS_FOLDER, find_model, shipped_models
from rtsep.rt.hop.presets import Preset

Write = Callable[[Path], None]
ESCAPE = "\x1b[2J"


def changed(**changes: Any) -> Write:
    return lambda folder: void(write_model(folder, [], **changes))


def with_networks(*changes: dict[str, Any]) -> Write:
    entries = [network_entry("tracker", f"t{i}", b"") | c for i, c in enumerate(changes)]
    return changed(networks=entries)


def raw(content: bytes) -> Write:
    return lambda folder: void((folder / CARD_FILE).write_bytes(content))


def void(_: object) -> None:
    return None


def pipe(folder: Path) -> None:
    os.mkfifo(folder / CARD_FILE)


def twice(folder: Path) -> None:
    file = write_model(folder, []) / CARD_FILE
    file.write_text('{"name": "other", ' + file.read_text()[1:])


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (changed(latency_presets_ms=[]), r"latency_presets_ms is \[\], not one or more"),
        (changed(latency_presets_ms=[0, 11]), "1..10000 ms"),
        (changed(latency_presets_ms=[11, 11]), "ascending"),
        (changed(latency_presets_ms=[21, 11]), "ascending"),
        (changed(latency_presets_ms=[11, 10**12]), "1..10000 ms"),
        (changed(samplerate_hz=[48000, 8000]), "lowest and the highest"),
        (changed(samplerate_hz=[0, 8000]), "lowest and the highest"),
        (changed(samplerate_hz=[8000, 10**4000]), "not two whole numbers"),
        (changed(name=f"choir{ESCAPE}"), "name is 'choir.x1b.2J', not a short string"),
        (changed(name=""), "name is '', not"),
        (changed(name="x" * 101), "not a short string"),
        (changed(summary=f"fine{ESCAPE}"), "summary is"),
        (changed(summary="two\nlines"), "summary is"),
        (changed(summary="\u202eback to front"), "summary is"),
        (changed(summary="x" * 5000), "summary is 'x+"),
        (changed(licence="\ud800"), "licence is"),
        (changed(credits=["Anna", "\x07"]), "credits is"),
        (changed(stems=[]), "0 stems is outside 1..64"),
        (changed(stems=["voice-1"] * 65), "65 stems is outside 1..64"),
        (changed(stems=["../x"]), r"stem '\.\./x' cannot be a file's name"),
        (changed(stems=["a/b"]), "cannot be a file's name"),
        (changed(stems=["a\\b"]), "cannot be a file's name"),
        (changed(stems=["a,b"]), "cannot be a file's name"),
        (changed(stems=[".hidden"]), "cannot be a file's name"),
        (changed(stems=[""]), "cannot be a file's name"),
        (changed(stems=["x" * 41]), "cannot be a file's name"),
        (changed(stems=["Residual"]), "none of residual, input"),
        (changed(stems=["input"]), "none of residual, input"),
        (changed(stems=["\x1bc"]), "stems is"),
        (changed(stems=["drums", "Drums"]), "'Drums' stands there twice"),
        (changed(stems=["soprano", "alto"]), "stems of a choir are voice-1"),
        (changed(**{f"odd{ESCAPE}": 1}), r"unknown fields: 'odd\\x1b\[2J'"),
        (changed(family={"choir": 1}), "family is"),
        (with_networks({"latency_presets_ms": [7]}), "it serves 7 ms, the model does not"),
        (with_networks({"latency_presets_ms": [11]}, {"latency_presets_ms": [11, 21]}), "the second tracker"),
        (with_networks({"weights": "t0.onnx"}), r"'t0\.onnx' has two SHA-256"),
        (
            with_networks(
                {"latency_presets_ms": [5]},
                {"latency_presets_ms": [11], "onnx": "T0.onnx", "onnx_sha256": "0" * 64},
            ),
            "has two SHA-256",
        ),
        (with_networks({"onnx": f"a{ESCAPE}"}), "not a plain file name"),
        (with_networks({"parameters": 2**63}), "not a whole number"),
        (
            with_networks({"architecture": "pitch-net", "config": {"depth": 3}}),
            "'depth'; pitch-net takes",
        ),
        (
            with_networks({"architecture": "source-filter", "config": {"hidden": 10**9}}),
            "hidden is 1000000000, outside 1..4096",
        ),
        (
            with_networks({"architecture": "source-filter", "config": {"voices": "4"}}),
            "voices is '4', outside 1..4",
        ),
        (
            with_networks({"architecture": "source-filter", "config": {"voices": 5}}),
            "voices is 5, outside 1..4",
        ),
        (
            with_networks({"architecture": "source-filter", "config": {"hidden": 0}}),
            "hidden is 0, outside 1..4096",
        ),
        (raw(b"\xff\xfe{"), "byte 0 is no UTF-8"),
        (raw(b"{"), "cannot be read"),
        (raw(b"[" * 100_000), "nested too deeply"),
        (raw(b'{"name": ' + b"9" * 5000 + b"}"), "cannot be read"),
        (raw(b'{"seed": NaN}'), "NaN is no number"),
        (raw(b" " * (MAX_CARD_BYTES + 1)), f"larger than {MAX_CARD_BYTES} bytes"),
        (twice, "'name' stands there twice"),
        (pipe, "not a file"),
    ],
)
def test_an_odd_card_is_refused(tmp_path: Path, write: Write, words: str) -> None:
    write(tmp_path)
    with pytest.raises(RtsepError, match=words) as caught:
        find_model(str(tmp_path))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500 + len(str(tmp_path))


@pytest.mark.parametrize(
    ("card", "asked", "words"),
    [
        ({"samplerate_hz": [44100, 44100]}, (8000, 11, 4), "works at 44100 Hz, not at 8000 Hz; resample"),
        ({"samplerate_hz": [44100, 48000]}, (96000, 11, 4), "works at 44100..48000 Hz, not at 96000 Hz"),
        ({"latency_presets_ms": [43]}, (44100, 11, 4), "works at 43 ms, not at 12 ms; use --latency 43"),
        ({"latency_presets_ms": [5, 21]}, (48000, 11, 4), "works at 5, 21 ms, not .*among 5, 21"),
        ({"stems": ["voice-1", "voice-2"]}, (48000, 11, 3), "up to 2 voices, not 3; ask for --voices 2"),
        ({"family": "band"}, (48000, 11, 4), "comb is 'adaptive'; a band has none"),
    ],
)
def test_a_card_is_kept_to(
    tmp_path: Path, card: dict[str, Any], asked: tuple[int, int, int], words: str
) -> None:
    folder = str(write_model(tmp_path / "mine", [], **card))
    framing = Preset(asked[0], asked[1]).framing
    with pytest.raises(RtsepError, match=words):
        build_model(folder, voices=asked[2], framing=framing, f0=None)
    with pytest.raises(RtsepError, match=words):
        build_tracker(folder, voices=asked[2], framing=framing)


def test_the_gpu_keeps_to_the_card_too(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from rtsep.models.gpu.build_program import build_program

    folder = str(write_model(tmp_path / "mine", [], latency_presets_ms=[43]))
    with pytest.raises(RtsepError, match="works at 43 ms"):
        build_program(folder, voices=2, framing=Preset(48000, 11).framing)


@pytest.mark.parametrize("samplerate", [8000, 11025, 16000, 22050, 32000, 44100, 52000, 64000, 192000])
@pytest.mark.parametrize("latency_ms", [5, 11, 21, 43])
def test_every_rate_finds_its_preset(tmp_path: Path, samplerate: int, latency_ms: int) -> None:
    """Frames are rounded at rates between the usual ones; the preset stays the preset."""
    folder = str(write_model(tmp_path / "mine", [], latency_presets_ms=[latency_ms]))
    build_model(folder, voices=1, framing=Preset(samplerate, latency_ms).framing, f0=None)


@pytest.mark.parametrize("name", shipped_models())
def test_shipped_cards_serve_what_they_offer(name: str) -> None:
    card = find_model(name).card
    for latency_ms in card.latency_presets_ms:
        for samplerate in card.samplerate_hz:
            framing = Preset(samplerate, latency_ms).framing
            assert build_model(name, framing=framing).stems == card.stems


def test_a_network_of_another_architecture_is_refused(tmp_path: Path) -> None:
    """The file is the one the card names; the card names the wrong one."""
    (entry,) = [n for n in find_model("choir").card.networks if n.role == "levels"]
    content = (WEIGHTS_FOLDER / entry.onnx).read_bytes()
    network = network_entry("tracker", "t", content) | {"architecture": "pitch-net"}
    folder = write_model(tmp_path / "mine", [], networks=[network])
    (folder / "t.onnx").write_bytes(content)
    with pytest.raises(RtsepError, match=r"mine's t\.onnx: input 'bands' is \[1, 85\]; expected \[1, 468\]"):
        build_model(str(folder), voices=2, framing=Preset(48000, 11).framing, f0=None)


def test_every_architecture_says_what_goes_in() -> None:
    assert build.PORTS.keys() == build.TRACKERS.keys() | build.LEVEL_MASKS.keys()


def test_a_network_that_is_no_file_is_refused(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "mine", [("tracker", "t", b"network")])
    (folder / "t.onnx").unlink()
    os.mkfifo(folder / "t.onnx")
    with pytest.raises(RtsepError, match=r"t\.onnx cannot be read \(not a file\)"):
        find_model(str(folder)).verify()


def test_a_model_name_that_no_file_can_have() -> None:
    with pytest.raises(RtsepError, match="is not one of band, band-large, choir, "):
        find_model("x" * 5000)


@pytest.mark.parametrize("value", ["a\x1bb", "a\nb", ["\x9b"], {"\u2028": 1}, "x" * 1000, "\ud800", None])
def test_values_are_shown_on_one_short_line(value: object) -> None:
    text = shown(value)
    assert text.isprintable()
    assert len(text) <= 80


def test_json_of_a_card_is_unchanged_by_reading(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "mine", [], summary="Chœur à quatre voix – déjà vu")
    assert find_model(str(folder)).card.summary == "Chœur à quatre voix – déjà vu"
    assert json.loads((folder / CARD_FILE).read_text())["family"] == find_model(str(folder)).card.family


def test_names_that_no_card_could_carry_are_refused_before_the_work() -> None:
    require_model_name("Chœur 1", "--out")
    for name in ("", " ", "x" * 101, "a\x1b[0m"):
        with pytest.raises(RtsepError, match=r"--out .* cannot be a model's name"):
            require_model_name(name, "--out")
    assert printable("a\x1bb\udcff.wav") == "a?b?.wav"

"""What `--input X` means."""

from pathlib import Path

import pytest

from rtsep.kernels.errors import RtsepError
from rtsep.rt.cli.input_kind import Kind, classify, file_hint


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("choir.wav", "5", "take"):
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("-", Kind.PIPE),
        ("mic", Kind.DEVICE),
        ("5", Kind.DEVICE),  # digits are an index even where a file has that name
        ("./5", Kind.FILE),
        ("choir.wav", Kind.FILE),
        ("take", Kind.FILE),  # an existing file needs no suffix
        ("USB Audio", Kind.DEVICE),
        ("HDA Intel PCH: ALC (hw:0,0)", Kind.DEVICE),
        ("v1.5 interface", Kind.DEVICE),
    ],
)
def test_kind(text: str, kind: Kind) -> None:
    assert classify(text).kind is kind


@pytest.mark.parametrize("text", ["choir.flac", "./tenor", "takes/choir.wav", "missing.MP3"])
def test_text_that_looks_like_a_file_must_be_one(text: str) -> None:
    with pytest.raises(RtsepError, match="does not exist"):
        classify(text)


def test_home_is_expanded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    assert classify("~/choir.wav").text == str(folder / "choir.wav")


@pytest.mark.parametrize(("text", "hint"), [("choir", "choir.wav"), ("chior.wav", "choir.wav"), ("USB", "")])
def test_a_device_that_is_not_found_hints_at_a_file(text: str, hint: str) -> None:
    assert hint in file_hint(text)
    assert bool(hint) is bool(file_hint(text))

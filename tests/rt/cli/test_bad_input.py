"""What a user can get wrong: one line with the value, the bound and a remedy, exit code 2, nothing lost."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.bad_inputs import CASES, Make, wav_header
from helpers.cli_helpers import read_stems, run_command, two_tones, write_audio


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a good input, stems of an earlier run and a file that is not ours."""
    monkeypatch.chdir(tmp_path)
    write_audio(tmp_path / "good.wav")
    (tmp_path / "stems").mkdir()
    write_audio(tmp_path / "stems" / "voice-1.wav", seconds=0.1)
    (tmp_path / "keep.txt").write_text("not ours")
    return tmp_path


def assert_one_line(err: str, pieces: tuple[str, ...]) -> None:
    assert err.startswith("rtsep: error: "), err
    assert err.count("\n") == 1, err
    assert err.endswith("\n"), err
    assert "Traceback" not in err
    assert ";" in err, "a remedy comes after a semicolon"
    for piece in pieces:
        assert piece in err, f"{piece!r} is not in {err!r}"


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(("make", "pieces"), [pytest.param(m, p, id=name) for name, m, p in CASES])
def test_a_mistake_is_one_line_and_loses_nothing(
    workplace: Path, capfd: pytest.CaptureFixture[str], make: Make, pieces: tuple[str, ...]
) -> None:
    arguments = make(workplace)
    before = everything(workplace)
    result = run_command(capfd, *arguments)
    assert result.code == 2
    assert_one_line(result.err, pieces)
    assert result.out == ""
    assert everything(workplace) == before


def test_the_table_is_long_enough() -> None:
    assert len({name for name, _, _ in CASES}) == len(CASES) >= 40


def test_a_stream_that_ends_inside_a_frame_keeps_all_whole_frames(
    workplace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = two_tones(8000, 0.5).tobytes()
    arguments = ["--input", "-", "--raw", "f32le:8000:1", "--output", "new", "--quiet"]
    result = run_command(capfd, *arguments, stdin=data + b"\x01\x02\x03")
    assert result.code == 2
    assert_one_line(result.err, ("3 of 4 bytes", "--raw"))
    assert {len(stem) for stem in read_stems(workplace / "new").values()} == {4000}


def test_a_damaged_file_keeps_what_came_before(workplace: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_audio(workplace / "good.flac", seconds=2.0)
    data = bytearray((workplace / "good.flac").read_bytes())
    data[len(data) // 2 :] = os.urandom(1) * (len(data) - len(data) // 2)
    (workplace / "bad.flac").write_bytes(data)
    result = run_command(capfd, "--input", "bad.flac", "--output", "new", "--quiet")
    lengths = {len(stem) for stem in read_stems(workplace / "new").values()}
    assert len(lengths) == 1
    assert 0 < lengths.pop() <= 96000
    if result.code:  # some libsndfile versions report the damage, some end the file there
        assert_one_line(result.err, ("bad.flac is damaged", "kept"))


NOT_FATAL = {
    "NaN and Inf": (np.array([np.nan, np.inf, -np.inf], np.float32), "3 NaN or Inf samples"),
    "clipped": (np.ones(50, np.float32), "full scale"),
}


@pytest.mark.parametrize("kind", NOT_FATAL)
def test_broken_samples_are_separated_and_told(
    workplace: Path, capfd: pytest.CaptureFixture[str], kind: str
) -> None:
    values, words = NOT_FATAL[kind]
    audio = two_tones()[:, 0]
    audio[5000 : 5000 + len(values)] = values
    soundfile.write("odd.wav", audio, 48000, subtype="FLOAT")
    result = run_command(capfd, "--input", "odd.wav", "--output", "new")
    assert result.code == 0
    assert words in result.err
    assert result.err.startswith("rtsep: note: ")
    total = sum(read_stems(workplace / "new").values())
    expected = np.where(np.isfinite(audio), audio, 0.0)
    np.testing.assert_allclose(total[:, 0], expected, atol=1e-5)


@pytest.mark.parametrize("data_bytes", [2**31, 40000], ids=["header promises 2 GiB", "file cut in half"])
def test_a_file_shorter_than_its_header_says_is_separated_as_far_as_it_goes(
    workplace: Path, capfd: pytest.CaptureFixture[str], data_bytes: int
) -> None:
    samples = (two_tones()[:10000, 0] * 32767).astype("<i2").tobytes()
    Path("lie.wav").write_bytes(wav_header(data_bytes=data_bytes) + samples)
    result = run_command(capfd, "--input", "lie.wav", "--output", "new")
    assert result.code == 0
    assert "lie.wav is cut short" in result.err
    assert {len(stem) for stem in read_stems(workplace / "new").values()} == {10000}

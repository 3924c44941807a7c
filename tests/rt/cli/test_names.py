"""Names of files and folders that a terminal, UTF-8 or the shell's `~` do not expect."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.cli_helpers import read_stems, run_command, two_tones, write_audio

COMMAND = [sys.executable, "-m", "rtsep"]
NOT_UTF8 = b"caf\xe9"


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_audio(Path("in.wav"), subtype="FLOAT")


def assert_whole(folder: Path) -> None:
    np.testing.assert_allclose(sum(read_stems(folder).values()), two_tones(), atol=1e-5)


@pytest.mark.parametrize(
    ("encoding", "options"), [("utf-8", []), ("ascii", []), ("latin-1", []), ("utf-8", ["--json"])]
)
def test_names_are_bytes_whatever_the_terminal_shows(encoding: str, options: list[str]) -> None:
    os.rename("in.wav", NOT_UTF8 + b".wav")
    done = subprocess.run(
        [*COMMAND, "--input", NOT_UTF8 + b".wav", "--output", NOT_UTF8 + "/Stücke".encode(), *options],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    if not options:
        assert b"-> caf\\xe9/St" in done.stdout
    assert_whole(Path(os.fsdecode(NOT_UTF8)) / "Stücke")


def test_an_error_about_a_name_that_is_no_text_is_one_line() -> None:
    for arguments in (["--input", NOT_UTF8 + b".wav"], ["--input", "in.wav", "--f0", NOT_UTF8]):
        done = subprocess.run([*COMMAND, *arguments, "--output", "out"], capture_output=True)
        assert done.returncode == 2
        assert done.stderr.startswith(b"rtsep: error: ")
        assert b"caf\\xe9" in done.stderr
        assert done.stderr.count(b"\n") == 1


def test_a_name_that_begins_with_a_tilde_is_a_name(capfd: pytest.CaptureFixture[str]) -> None:
    os.rename("in.wav", "~nosuch")
    result = run_command(capfd, "--input", "~nosuch", "--output", "~nosuch2/stems")
    assert (result.code, result.err) == (0, "")
    assert_whole(Path("~nosuch2/stems"))


def test_home_is_expanded_in_an_output(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert run_command(capfd, "--input", "in.wav", "--output", "~/stems").code == 0
    assert_whole(tmp_path / "home" / "stems")


def test_control_characters_of_a_name_do_not_reach_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    folder = "a\x1b[2J\r\x07b\u202ec"
    result = run_command(capfd, "--input", "in.wav", "--output", folder)
    assert result.code == 0
    assert "-> a\\x1b[2J\\r\\x07b\\u202ec" in result.out
    assert all(character.isprintable() or character == "\n" for character in result.out)
    assert_whole(Path(folder))


def test_a_folder_that_is_gone_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    script = 'cd gone && rmdir ../gone && "$0" -m rtsep --input x.wav --output out'
    done = subprocess.run(["sh", "-c", script, sys.executable], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "x.wav does not exist" in done.stderr

"""Folders of stems: nothing of anybody else's is touched, and a run's stems belong together."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.cli_helpers import read_stems, run_command, two_tones, write_audio

from rtsep.kernels.errors import RtsepError
from rtsep.rt.audio import stem_folder
from rtsep.rt.audio.stem_folder import FolderSink

Capture = pytest.CaptureFixture[str]
STEMS = ("voice-1", "residual")
COMMAND = [sys.executable, "-m", "rtsep"]


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def noise(frames: int) -> np.ndarray:
    return np.random.default_rng(frames).standard_normal((len(STEMS), frames, 1)).astype(np.float32)


def names(folder: str) -> list[str]:
    return sorted(os.listdir(folder))


def test_a_part_of_somebody_else_is_left_alone(capfd: Capture) -> None:
    write_audio(Path("in.wav"))
    Path("out").mkdir()
    (Path("out") / "voice-1.wav.part").write_text("somebody else's")
    assert run_command(capfd, "--input", "in.wav", "--output", "out", "--voices", 1).code == 0
    assert names("out") == ["residual.wav", "voice-1.wav", "voice-1.wav.part"]
    assert (Path("out") / "voice-1.wav.part").read_text() == "somebody else's"


@pytest.mark.parametrize("link", [False, True], ids=["the part itself", "a hard link of it"])
def test_a_leftover_part_can_be_the_input(capfd: Capture, link: bool) -> None:
    Path("out").mkdir()
    part = Path("out/residual.wav.part")
    soundfile.write(part, two_tones(), 48000, format="WAV", subtype="FLOAT")
    if link:
        os.link(part, "copy.wav")
    before = part.read_bytes()
    source = "copy.wav" if link else part
    assert run_command(capfd, "--input", source, "--output", "out", "--voices", 1).code == 0
    assert part.read_bytes() == before
    np.testing.assert_allclose(sum(read_stems(Path("out")).values()), two_tones(), atol=1e-5)


@pytest.mark.parametrize("how", ["path", "hard link", "symbolic link", "standard input"])
def test_no_stem_takes_the_place_of_the_input(how: str) -> None:
    Path("out").mkdir()
    write_audio(Path("out/residual.wav"))
    before = Path("out/residual.wav").read_bytes()
    source = "out/residual.wav"
    if how == "hard link":
        os.link(source, source := "hard.wav")
    elif how == "symbolic link":
        os.symlink("out/residual.wav", source := "soft.wav")
    with open(source, "rb") as stdin:
        name = "-" if how == "standard input" else source
        done = subprocess.run(
            [*COMMAND, "--input", name, "--output", "out"], stdin=stdin, capture_output=True, text=True
        )
    assert done.returncode == 2
    assert "would be overwritten by the stem out/residual.wav" in done.stderr
    assert names("out") == ["residual.wav"]
    assert Path("out/residual.wav").read_bytes() == before


def test_one_run_at_a_time_writes_into_a_folder(capfd: Capture) -> None:
    write_audio(Path("in.wav"))
    with FolderSink("out", STEMS, 48000, 1) as sink:
        sink.write(noise(100))
        result = run_command(capfd, "--input", "in.wav", "--output", "out/../out")
        assert result.code == 2
        assert "another rtsep writes to out/../out" in result.err
        assert result.err.count("\n") == 1
        sink.write(noise(50))
    assert {len(stem) for stem in read_stems(Path("out")).values()} == {150}
    assert run_command(capfd, "--input", "in.wav", "--output", "out").code == 0


def test_two_runs_without_locks_keep_their_samples_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(stem_folder.fcntl, "flock", no_locks)
    with FolderSink("out", STEMS, 48000, 1) as first:
        first.write(noise(100))
        with FolderSink("out", STEMS, 48000, 1) as second:
            second.write(noise(70))
        for stem, audio in zip(STEMS, noise(70), strict=True):
            np.testing.assert_array_equal(read_stems(Path("out"))[stem], audio)
        first.write(noise(30))
    for stem, *parts in zip(STEMS, noise(100), noise(30), strict=True):
        np.testing.assert_array_equal(read_stems(Path("out"))[stem], np.concatenate(parts))
    assert names("out") == ["residual.wav", "voice-1.wav"]


def test_no_stem_is_replaced_before_all_are_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    with FolderSink("out", STEMS, 48000, 1) as sink:
        sink.write(noise(100))
    old = {path.name: path.read_bytes() for path in Path("out").iterdir()}

    def fails(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    sink = FolderSink("out", STEMS, 48000, 1)
    sink.write(noise(70))
    monkeypatch.setattr(sink._writers[-1], "finish", fails)
    with (
        pytest.raises(RtsepError, match=r"residual\.wav could not be completed: Input/output") as caught,
        sink,
    ):
        pass
    kept = [path for path in Path("out").iterdir() if path.suffix == ".part"]
    assert {path.name: path.read_bytes() for path in Path("out").iterdir() if path not in kept} == old
    assert any(path.name in caught.value.remedy for path in kept), "the remedy names where the samples are"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "your quota is used up"),
        (errno.EFBIG, "no larger file"),
        (errno.EIO, "connection fails"),
        (errno.EPROTO, "check the path and the disk"),
    ],
)
def test_what_the_disk_says_decides_the_remedy(
    monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def fails(block: np.ndarray) -> None:
        raise OSError(number, os.strerror(number))

    with FolderSink("out", STEMS, 1000, 1) as sink:
        sink.write(noise(500))
        monkeypatch.setattr(sink._writers[0], "write", fails)
        with pytest.raises(RtsepError) as caught:
            sink.write(noise(500))
    assert caught.value.problem == (
        f"writing out/voice-1.wav failed after 0.50 s of audio: {os.strerror(number)}"
    )
    assert "out keeps these 0.50 s" in caught.value.remedy
    assert words in caught.value.remedy
    assert ("free" in caught.value.remedy) is (number in (errno.ENOSPC, errno.EDQUOT))
    assert {len(stem) for stem in read_stems(Path("out")).values()} == {500}


def test_a_refused_run_leaves_no_folders(capfd: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    write_audio(Path("in.wav"))
    monkeypatch.setattr(stem_folder.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 10}))
    assert run_command(capfd, "--input", "in.wav", "--output", "a/b/c").code == 2
    assert not Path("a").exists()

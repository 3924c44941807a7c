"""Files in, folders of stems out: alignment, lengths, formats, interruptions."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.cli_helpers import read_stems, run_command, write_audio

from rtsep import Separator
from rtsep.models.choir.given_pitches import F0Track

Capture = pytest.CaptureFixture[str]
RATES = [8000, 11025, 16000, 22050, 44100, 48000, 96000, 192000]


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def f0_file(tmp_path: Path) -> Path:
    path = tmp_path / "f0.csv"
    path.write_text("time_s,high,low\n" + "".join(f"{i / 100},330,220\n" for i in range(300)))
    return path


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_stems_sum_to_the_input_sample_by_sample(
    capfd: Capture, f0_file: Path, rate: int, channels: int
) -> None:
    audio = write_audio(Path("in.wav"), rate, 0.3, channels, subtype="FLOAT")
    result = run_command(capfd, "--input", "in.wav", "--output", "out", "--voices", 2, "--f0", f0_file)
    assert result.code == 0, result.err
    stems = read_stems(Path("out"))
    assert set(stems) == {"voice-1", "voice-2", "residual"}
    assert {stem.shape for stem in stems.values()} == {audio.shape}
    np.testing.assert_allclose(sum(stems.values()), audio, atol=1e-5)
    assert np.abs(stems["voice-1"]).max() > 0.01, "something was separated"


@pytest.mark.parametrize("latency_ms", [5, 11, 21, 43])
def test_keep_latency_delays_by_exactly_what_is_declared(capfd: Capture, latency_ms: int) -> None:
    audio = write_audio(Path("in.wav"), subtype="FLOAT")
    common = ("--input", "in.wav", "--latency", latency_ms, "--json", "--keep-latency", "--output")
    report = json.loads(run_command(capfd, *common, "late").out)
    delay = report["latency_samples"]
    assert delay == Separator.load(latency_ms=latency_ms).latency_samples
    total = sum(read_stems(Path("late")).values())
    assert len(total) == len(audio) + delay
    np.testing.assert_allclose(total[delay:], audio, atol=1e-5)
    np.testing.assert_allclose(total[:delay], 0.0, atol=1e-5)


def test_the_file_path_gives_what_the_separator_gives(capfd: Capture, f0_file: Path) -> None:
    audio = write_audio(Path("in.wav"), channels=2, subtype="FLOAT")
    live = ("--offline", "off")
    run_command(capfd, "--input", "in.wav", "--output", "out", "--voices", 2, "--f0", f0_file, *live)
    separator = Separator.load(voices=2, channels=2, f0=F0Track.load(f0_file, 2))
    whole = np.concatenate([separator.process(audio), separator.flush()], axis=1)[
        :, separator.latency_samples :
    ]
    stems = read_stems(Path("out"))
    for name, expected in zip(separator.stems, whole, strict=True):
        np.testing.assert_array_equal(stems[name], expected)


@pytest.mark.parametrize(
    ("name", "subtype"),
    [("a.flac", "PCM_24"), ("a.ogg", "VORBIS"), ("a.aiff", "PCM_16"), ("a.w64", "DOUBLE"),
     ("a.caf", "PCM_32"), ("a.mp3", "MPEG_LAYER_III"), ("a.au", "ULAW"), ("a.rf64", "FLOAT")],
)  # fmt: skip
def test_formats(capfd: Capture, name: str, subtype: str) -> None:
    audio = write_audio(Path(name), 48000, 0.5, 2, subtype=subtype)
    result = run_command(capfd, "--input", name, "--output", "out")
    assert result.code == 0, result.err
    np.testing.assert_allclose(sum(read_stems(Path("out")).values()), audio, atol=1e-5)


def test_channels_are_picked_from_one_in_the_order_given(capfd: Capture) -> None:
    audio = write_audio(Path("in.wav"), channels=4, subtype="FLOAT")
    run_command(capfd, "--input", "in.wav", "--output", "out", "--input-channels", "4,2")
    np.testing.assert_allclose(sum(read_stems(Path("out")).values()), audio[:, [3, 1]], atol=1e-5)


def test_only_stems_are_replaced(capfd: Capture) -> None:
    write_audio(Path("in.wav"))
    Path("out").mkdir()
    for name in ("voice-1.wav", "voice-4.wav", "notes.txt"):
        (Path("out") / name).write_text("old")
    assert run_command(capfd, "--input", "in.wav", "--output", "out", "--voices", 2).code == 0
    assert sorted(os.listdir("out")) == [
        "notes.txt",
        "residual.wav",
        "voice-1.wav",
        "voice-2.wav",
        "voice-4.wav",
    ]
    assert (Path("out") / "voice-4.wav").read_text() == "old"
    assert soundfile.info("out/voice-1.wav").frames == 12000


def test_summary_names_stems_latency_and_real_time_factor(capfd: Capture) -> None:
    write_audio(Path("in.wav"))
    live = ("--offline", "off")
    result = run_command(capfd, "--input", "in.wav", "--output", "out", "--voices", 2, *live)
    for piece in ("voice-1", "voice-2", "residual", "512 samples (10.67 ms)", "real-time factor"):
        assert piece in result.out
    assert result.err == ""
    assert run_command(capfd, "--input", "in.wav", "--output", "out", "--quiet").out == ""


def long_file(path: Path, seconds: float = 600.0) -> None:
    with soundfile.SoundFile(path, "w", 48000, 1, "PCM_16") as file:
        block = np.random.default_rng(1).uniform(-0.1, 0.1, 48000).astype(np.float32)
        for _ in range(round(seconds)):
            file.write(block)


def part_files(stem: str) -> list[Path]:
    """Parts of a stem that are being written."""
    return list(Path("out").glob(f"{stem}.wav.*.part"))


@pytest.mark.parametrize(
    # from both ends stems are written when all has been heard: a shorter file
    ("signum", "code", "offline", "seconds"),
    [(signal.SIGINT, 130, "off", 600), (signal.SIGTERM, 143, "on", 90)],
)
def test_an_interrupted_run_leaves_valid_aligned_files(
    signum: int, code: int, offline: str, seconds: float
) -> None:
    long_file(Path("long.wav"), seconds)
    command = [sys.executable, "-m", "rtsep", "--input", "long.wav", "--output", "out", "--offline", offline]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not any(p.stat().st_size > 500_000 for p in part_files("residual")):
        time.sleep(0.01)
    process.send_signal(signum)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "stopped by" in err
    assert "Traceback" not in err
    stems = read_stems(Path("out"))
    assert not list(Path("out").glob("*.part"))
    frames = {len(stem) for stem in stems.values()}
    assert len(frames) == 1
    audio, _ = soundfile.read("long.wav", frames=frames.pop(), dtype="float32", always_2d=True)
    np.testing.assert_allclose(sum(stems.values()), audio, atol=1e-5)


def test_a_disk_that_fills_up_leaves_readable_stems_and_says_so() -> None:
    long_file(Path("long.wav"), 20.0)
    # a file may grow to 1 MB in this process: the system's own way to say that no more fits
    script = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)); "
        "from rtsep.rt.cli.main import main; main(sys.argv[1:])"
    )
    command = [sys.executable, "-c", script, "--input", "long.wav", "--output", "out"]
    command += ["--offline", "off"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("rtsep: error: writing out/")
    assert "failed after 5." in done.stderr
    assert "out keeps these" in done.stderr
    assert "free" not in done.stderr, "the disk is not full: it takes no larger files"
    stems = read_stems(Path("out"))
    frames = {len(stem) for stem in stems.values()}
    assert len(frames) == 1
    count = frames.pop()
    assert count > 5 * 48000 - 16384
    audio, _ = soundfile.read("long.wav", frames=count, dtype="float32", always_2d=True)
    np.testing.assert_allclose(sum(stems.values()), audio, atol=1e-5)


def test_too_little_room_is_told_before_anything_is_written(
    capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_audio(Path("in.wav"))
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("rtsep.rt.audio.stem_folder.shutil.disk_usage", lambda folder: usage)
    result = run_command(capfd, "--input", "in.wav", "--output", "out")
    assert result.code == 2
    assert "the stems need 0.2 MB and out has 0.0 MB free; free some space" in result.err
    assert not Path("out").exists()


@pytest.mark.parametrize(("peak_dbfs", "said"), [(-70.0, True), (-50.0, False), (-200.0, False)])
def test_input_too_quiet_to_separate_is_told(
    peak_dbfs: float,
    said: bool,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    tone = np.sin(np.arange(16000) * 0.2)[:, None] * (10 ** (peak_dbfs / 20) if peak_dbfs > -150 else 0.0)
    soundfile.write("in.wav", tone.astype(np.float32), 16000, subtype="FLOAT")
    result = run_command(capfd, "--input", "in.wav", "--output", "out")
    assert result.code == 0
    assert ("the input peaks at -70 dBFS: below -63 dBFS little is separated" in result.err) == said

"""The WAV writer against libsndfile, an independent reader."""

import errno
import resource
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtsep.rt.audio.part_file import PART_SUFFIX
from rtsep.rt.audio.wav_writer import WavWriter


def noise(frames: int, channels: int) -> np.ndarray:
    return np.random.default_rng(frames).standard_normal((frames, channels)).astype(np.float32)


@pytest.mark.parametrize("channels", [1, 2, 3, 8])
@pytest.mark.parametrize("riff_limit", [2**32 - 1, 5000], ids=["WAV", "RF64"])
def test_what_is_written_is_read(tmp_path: Path, channels: int, riff_limit: int) -> None:
    path = tmp_path / "a.wav"
    audio = noise(12345, channels)
    writer = WavWriter(path, 44100, channels, riff_limit=riff_limit)
    for block in np.array_split(audio, 7):
        writer.write(block)
    assert not path.exists()
    writer.close()
    read, rate = soundfile.read(path, dtype="float32", always_2d=True)
    assert rate == 44100
    np.testing.assert_array_equal(read, audio)
    info = soundfile.info(path)
    assert info.subtype == "FLOAT"
    assert (info.format == "RF64") is (riff_limit == 5000)
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]


def test_a_killed_run_leaves_a_readable_part(tmp_path: Path) -> None:
    audio = noise(25000, 2)
    writer = WavWriter(tmp_path / "a.wav", 8000, 2)
    for block in np.array_split(audio, 25):
        writer.write(block)
    (part,) = tmp_path.glob(f"a.wav.*{PART_SUFFIX}")
    with part.open("rb") as file:
        read, _ = soundfile.read(file, dtype="float32")  # never closed
    assert len(read) >= len(audio) - 8000, "the header is renewed every second"
    np.testing.assert_array_equal(read, audio[: len(read)])
    writer.discard()


def test_truncate_drops_a_block_that_other_stems_do_not_have(tmp_path: Path) -> None:
    audio = noise(1000, 1)
    writer = WavWriter(tmp_path / "a.wav", 48000, 1)
    writer.write(audio)
    writer.truncate(700)
    writer.close()
    np.testing.assert_array_equal(soundfile.read(tmp_path / "a.wav", dtype="float32")[0], audio[:700, 0])


def test_discard_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"old")
    writer = WavWriter(tmp_path / "a.wav", 48000, 1)
    writer.write(noise(10, 1))
    writer.discard()
    assert (tmp_path / "a.wav").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_part_is_always_a_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = iter(["first", "first", "second"])
    monkeypatch.setattr("rtsep.rt.audio.part_file.secrets.token_hex", lambda count: next(names))
    writers = [WavWriter(tmp_path / "a.wav", 48000, 1) for _ in range(2)]
    assert [writer.part.name for writer in writers] == ["a.wav.first.part", "a.wav.second.part"]
    for writer in writers:
        writer.discard()


def test_a_full_disk_leaves_whole_frames(tmp_path: Path) -> None:
    writer = WavWriter(tmp_path / "a.wav", 48000, 1)
    audio = noise(5000, 1)
    writer.write(audio[:1000])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10001, hard))
    try:
        with pytest.raises(OSError, match="large") as caught:
            writer.write(audio[1000:])
        writer.truncate(writer.frames)
        writer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.EFBIG
    np.testing.assert_array_equal(soundfile.read(tmp_path / "a.wav", dtype="float32")[0], audio[:1000, 0])

"""Files whose header is wrong about their length: what is there is separated, and what was odd is told."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.bad_inputs import wav_header
from helpers.cli_helpers import read_stems, run_command, two_tones

from rtsep.kernels.errors import RtsepError
from rtsep.rt.audio.containers.file_window import FileWindow
from rtsep.rt.audio.containers.ogg_links import link_starts
from rtsep.rt.audio.containers.wav_header import shown_whole
from rtsep.rt.audio.containers.wav_links import wav_starts
from rtsep.rt.audio.files import FileSource

SOUND = (two_tones()[:, 0] * 32767).astype("<i2")
TITLES = b"LIST" + struct.pack("<I", 11) + b"INFOtitles." + b"\0"


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read_all(path: str) -> tuple[np.ndarray, list[str]]:
    source = FileSource(path)
    blocks = []
    while len(block := source.read()):
        blocks.append(block)
    source.read()  # a second end tells nothing twice
    source.close()
    return np.concatenate(blocks), source.notes


def rf64(sound: bytes, stated: int) -> bytes:
    fmt = struct.pack("<IHHIIHH", 16, 1, 1, 48000, 96000, 2, 16)
    ds64 = struct.pack("<IQQQI", 28, 2**33, stated, stated // 2, 0)
    return b"RF64\xff\xff\xff\xffWAVEds64" + ds64 + b"fmt " + fmt + b"data\xff\xff\xff\xff" + sound


@pytest.mark.parametrize("tail", [b"", TITLES], ids=["sound to the end", "titles at the end"])
@pytest.mark.parametrize("kind", ["RIFF", "RF64"])
def test_a_wav_longer_than_its_header_is_read_to_its_end(kind: str, tail: bytes) -> None:
    data = SOUND.tobytes()
    make = rf64 if kind == "RF64" else lambda sound, stated: wav_header(data_bytes=stated) + sound
    Path("in.wav").write_bytes(make(data, 4000))
    audio, notes = read_all("in.wav")
    np.testing.assert_array_equal(audio[:, 0], SOUND / np.float32(32768))
    assert notes == ["in.wav: its header says 0.0 s of sound, 0.2 s are there and separated"]

    Path("in.wav").write_bytes(make(data, len(data)) + tail)
    audio, notes = read_all("in.wav")
    np.testing.assert_array_equal(audio[:, 0], SOUND / np.float32(32768))
    assert notes == [], "a right header, with or without titles, is nothing odd"


@pytest.mark.parametrize("tail", [b"", TITLES], ids=["sound to the end", "titles at the end"])
def test_a_length_that_wrapped_at_4_gib_is_unwrapped(tail: bytes) -> None:
    length = 2**32 + 96000
    with open("long.wav", "wb") as file:  # a hole on the disk
        file.write(wav_header(data_bytes=length % 2**32) + SOUND.tobytes())
        file.seek(44 + length - len(SOUND) * 2)
        file.write(SOUND.tobytes() + tail)
    source = FileSource("long.wav")
    assert source.frames == length // 2
    assert source.notes == ["long.wav: its header says 1.0 s of sound, 44740.2 s are there and separated"]
    file = source._files[0]
    soundfile.SoundFile.seekable(file)
    file.seek(length // 2 - len(SOUND))
    end = np.concatenate([source.read(), source.read()])
    np.testing.assert_array_equal(end[:, 0], SOUND / np.float32(32768))
    source.close()


def test_all_of_a_wav_with_a_short_header_is_separated(capfd: pytest.CaptureFixture[str]) -> None:
    Path("in.wav").write_bytes(wav_header(data_bytes=4000) + SOUND.tobytes())
    result = run_command(capfd, "--input", "in.wav", "--output", "out")
    assert result.code == 0
    assert result.err == (
        "rtsep: note: in.wav: its header says 0.0 s of sound, 0.2 s are there and separated\n"
    )
    total = sum(read_stems(Path("out")).values())
    np.testing.assert_allclose(total[:, 0], SOUND / 32768, atol=1e-5)


def test_a_header_of_unknown_length_is_nothing_odd() -> None:
    Path("in.wav").write_bytes(wav_header(data_bytes=0xFFFFFFFF) + SOUND.tobytes())
    audio, notes = read_all("in.wav")
    assert len(audio) == len(SOUND)
    assert notes == ["in.wav does not say how long it is: it is read to its end"]


def test_flac_of_unknown_length_is_read_to_its_end(capfd: pytest.CaptureFixture[str]) -> None:
    soundfile.write("in.flac", two_tones(seconds=1.0), 48000, subtype="PCM_16")
    expected = soundfile.read("in.flac", dtype="float32", always_2d=True)[0]
    data = bytearray(Path("in.flac").read_bytes())
    data[21] &= 0xF0  # STREAMINFO: 36 bits of how many samples, then the checksum of all
    data[22:42] = bytes(20)
    Path("in.flac").write_bytes(data)
    result = run_command(capfd, "--input", "in.flac", "--output", "out")
    assert result.code == 0, result.err
    assert "in.flac does not say how long it is" in result.err
    np.testing.assert_allclose(sum(read_stems(Path("out")).values()), expected, atol=1e-5)


def test_a_flac_header_that_ends_early_is_told() -> None:
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, 200000).astype(np.float32)
    soundfile.write("in.flac", noise, 48000, subtype="PCM_16")
    data = bytearray(Path("in.flac").read_bytes())
    data[22:26] = (50000).to_bytes(4, "big")
    Path("in.flac").write_bytes(data)
    audio, notes = read_all("in.flac")
    assert len(audio) == 50000
    (note,) = notes
    assert "MB at the end of in.flac hold no sound of which its header knows" in note


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_chained_ogg_is_separated_as_a_whole(subtype: str) -> None:
    parts = [two_tones(), two_tones()[::-1].copy(), two_tones()[:6000]]
    single = []
    with open("chain.ogg", "wb") as chain:
        for number, part in enumerate(parts):
            name = f"{number}.ogg"
            soundfile.write(name, part, 48000, format="OGG", subtype=subtype)
            single.append(read_all(name)[0])
            chain.write(Path(name).read_bytes())
    assert read_all("0.ogg")[1] == []
    audio, notes = read_all("chain.ogg")
    np.testing.assert_array_equal(audio, np.concatenate(single))
    assert notes == ["chain.ogg holds 3 recordings, one after the other: all are separated"]


def test_ogg_that_changes_its_rate_is_refused_before_anything_is_written() -> None:
    for name, rate in (("a.ogg", 48000), ("b.ogg", 44100)):
        soundfile.write(name, two_tones(rate), rate, format="OGG", subtype="VORBIS")
    Path("chain.ogg").write_bytes(Path("a.ogg").read_bytes() + Path("b.ogg").read_bytes())
    with pytest.raises(RtsepError, match=r"changes from 48000 Hz .* to 44100 Hz .* in its part 2"):
        FileSource("chain.ogg")


JOINED = "in.wav holds 3 recordings, one after the other: all are separated"


@pytest.mark.parametrize(
    ("file_format", "subtype"),
    [("WAV", "PCM_16"), ("WAV", "IMA_ADPCM"), ("WAVEX", "FLOAT"), ("RF64", "PCM_24")],
)
def test_joined_wavs_are_separated_as_a_whole(file_format: str, subtype: str) -> None:
    single = []
    with open("in.wav", "wb") as joined:
        for number, seconds in enumerate((0.25, 0.05, 0.1)):
            soundfile.write(
                f"{number}", two_tones(seconds=seconds), 48000, format=file_format, subtype=subtype
            )
            single.append(read_all(f"{number}")[0])
            joined.write(Path(f"{number}").read_bytes())
    assert read_all("0")[1] == []
    audio, notes = read_all("in.wav")
    np.testing.assert_array_equal(audio, np.concatenate(single))
    assert notes == [JOINED]


@pytest.mark.parametrize("padded", [True, False])
def test_joined_wavs_of_odd_length_and_with_titles(padded: bool) -> None:
    one = wav_header(bits=8, data_bytes=4801) + bytes(range(1, 97)) * 50 + b"\x01" + padded * b"\0"
    assert len(one) == 44 + 4801 + padded
    Path("in.wav").write_bytes(one + one + TITLES * padded + one)
    audio, notes = read_all("in.wav")
    assert notes == [JOINED]
    np.testing.assert_array_equal(audio, np.concatenate(3 * [audio[:4801]]))


def test_the_last_of_joined_wavs_may_have_a_wrong_header() -> None:
    data = SOUND.tobytes()
    right = wav_header(data_bytes=len(data)) + data
    Path("in.wav").write_bytes(2 * right + wav_header(data_bytes=4000) + data)
    audio, notes = read_all("in.wav")
    np.testing.assert_array_equal(audio[:, 0], np.tile(SOUND / np.float32(32768), 3))
    assert notes == [JOINED, "in.wav: its header says 0.0 s of sound, 0.2 s are there and separated"]
    Path("in.wav").write_bytes(2 * right + wav_header(data_bytes=len(data)) + data[:4000])
    audio, notes = read_all("in.wav")
    assert len(audio) == 2 * len(SOUND) + 2000
    assert notes == [
        JOINED,
        f"in.wav is cut short: 4000 bytes of the {len(data)} its header promises; what is there is separated",
    ]


def test_joined_wavs_of_two_formats_are_refused_before_anything_is_written() -> None:
    data = SOUND.tobytes()
    other = wav_header(rate=44100, data_bytes=len(data)) + data
    Path("in.wav").write_bytes(wav_header(data_bytes=len(data)) + data + other)
    with pytest.raises(RtsepError, match=r"changes from 48000 Hz .* to 44100 Hz .* in its part 2"):
        FileSource("in.wav")


def test_sound_that_spells_a_header_is_sound() -> None:
    data = SOUND.tobytes() + wav_header(data_bytes=8) + SOUND.tobytes()
    Path("in.wav").write_bytes(wav_header(data_bytes=len(data)) + data)
    audio, notes = read_all("in.wav")
    assert (2 * len(audio), notes) == (len(data), [])


def test_other_files_are_no_chain_and_no_wav() -> None:
    Path("odd").write_bytes(b"OggS" + bytes(5))
    with open("odd", "rb") as file:
        assert link_starts(file.fileno(), 9) == []
        assert shown_whole(file.fileno(), 9) is None
        assert wav_starts(file.fileno(), 9) == []


def test_a_window_shows_a_header_and_a_stretch() -> None:
    Path("file").write_bytes(bytes(range(100)))
    with open("file", "rb") as file:
        window = FileWindow(file.fileno(), 10, 28, b"ab")
        expected = b"ab" + bytes(range(10, 28))
        assert window.read() == expected
        for start in range(21):
            for count in (1, 2, 7):
                assert window.seek(start) == start
                assert window.read(count) == expected[start : start + count]
        assert window.seek(-1, os.SEEK_END) == 19
        assert window.read(5) == bytes([27])
        assert window.tell() == 20

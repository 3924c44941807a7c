"""WAV and AU from pipes: passed on as it arrives, ended by a signal, and believed more than its header."""

import io
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.bad_inputs import wav_header
from helpers.cli_helpers import read_stems, run_command, two_tones

from rtsep.kernels.errors import RtsepError
from rtsep.rt.audio.piped_sound import PipedFile, RawSource
from rtsep.rt.audio.pipes import RawFormat, StdoutSink

COMMAND = [sys.executable, "-m", "rtsep"]
SOUND = (two_tones()[:, 0] * 32767).astype("<i2")
FORMATS = [
    ("WAV", "PCM_U8"), ("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "PCM_32"), ("WAV", "FLOAT"),
    ("WAV", "DOUBLE"), ("WAV", "ULAW"), ("WAV", "ALAW"), ("WAVEX", "PCM_16"), ("WAVEX", "FLOAT"),
    ("RF64", "PCM_16"), ("AU", "PCM_S8"), ("AU", "PCM_16"), ("AU", "FLOAT"), ("AU", "ULAW"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def piped(data: bytes) -> tuple[np.ndarray, list[str]]:
    """What a PipedFile gives of `data`, written in pieces of 1000 bytes."""
    reader, writer = os.pipe()

    def send() -> None:
        with open(writer, "wb", buffering=0) as pipe:
            try:
                for start in range(0, len(data), 1000):
                    pipe.write(data[start : start + 1000])
            except BrokenPipeError:
                pass

    sender = threading.Thread(target=send)
    sender.start()
    source = PipedFile(reader, "a pipe")
    blocks = [np.zeros((0, source.channels), np.float32)]
    while len(block := source.read()):
        blocks.append(block)
    assert len(source.read()) == 0
    source.close()
    sender.join()
    return np.concatenate(blocks), source.notes


@pytest.mark.parametrize(("file_format", "subtype"), FORMATS)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_pipe_gives_what_a_file_gives(file_format: str, subtype: str, channels: int) -> None:
    file = io.BytesIO()
    soundfile.write(file, two_tones(channels=channels), 48000, format=file_format, subtype=subtype)
    expected = soundfile.read(io.BytesIO(file.getvalue()), dtype="float32", always_2d=True)[0]
    audio, notes = piped(file.getvalue())
    np.testing.assert_array_equal(audio, expected)
    assert notes == []


@pytest.mark.parametrize("stated", [0, 4000, 0x7FFFFFDB, 0xFFFFFFFF])
def test_the_sound_is_believed_more_than_the_header(stated: int) -> None:
    audio, notes = piped(wav_header(data_bytes=stated) + SOUND.tobytes())
    np.testing.assert_array_equal(audio[:, 0], SOUND / np.float32(32768))
    assert notes == (
        ["a pipe goes on after the end that its header states: all is separated"] if stated == 4000 else []
    )


def test_titles_after_the_sound_are_no_sound() -> None:
    titles = b"LIST" + struct.pack("<I", 12) + b"INFO" + bytes(8)
    audio, notes = piped(wav_header(data_bytes=len(SOUND) * 2) + SOUND.tobytes() + titles)
    assert (len(audio), notes) == (len(SOUND), [])


@pytest.mark.parametrize("titles", [b"", b"LIST" + struct.pack("<I", 5) + b"INFOx\0"], ids=["", "titles"])
@pytest.mark.parametrize(("channels", "bits"), [(1, 16), (3, 8)])
def test_joined_wavs_are_given_on_as_one(titles: bytes, channels: int, bits: int) -> None:
    """Also where the first ends inside a frame, and at an odd byte without the byte that fills it up."""
    data = SOUND.tobytes()[: 9001 if channels == 3 else 9000]
    one = wav_header(channels=channels, bits=bits, data_bytes=len(data)) + data
    padding = b"\0" if titles and len(data) % 2 else b""
    alone = piped(one)[0]
    audio, notes = piped(one + padding + titles + one + one + padding + titles)
    np.testing.assert_array_equal(audio, np.concatenate([alone, alone, alone]))
    assert notes == ["a pipe holds several recordings, one after the other: all are separated"]


def test_a_joined_wav_of_another_format_ends_the_pipe_and_keeps_what_came() -> None:
    data = SOUND.tobytes()
    reader, writer = os.pipe()
    first = wav_header(data_bytes=20000) + data[:20000]
    os.write(writer, first + wav_header(rate=44100, data_bytes=2000) + data[:2000])
    os.close(writer)
    source = PipedFile(reader, "a pipe")
    got = source.read()
    with pytest.raises(RtsepError, match=r"changes from 48000 Hz, 1 channel\(s\), PCM_16 to 44100 Hz, 1"):
        source.read()
    assert len(got) == 10000
    source.close()


def test_a_pipe_cut_short_is_told() -> None:
    audio, notes = piped(wav_header(data_bytes=100000) + SOUND.tobytes())
    assert len(audio) == len(SOUND)
    assert notes == [
        f"a pipe is cut short: {len(SOUND) * 2} bytes of the 100000 its header promises; "
        "what came is separated"
    ]


def wait_for_parts(process: "subprocess.Popen[bytes]", folder: str, size: int) -> None:
    while process.poll() is None and not any(
        part.stat().st_size > size for part in Path(folder).glob("residual.wav.*.part")
    ):
        time.sleep(0.01)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_paused_wav_pipe_ends_with_one_signal_and_keeps_what_came(signum: signal.Signals) -> None:
    process = subprocess.Popen(
        [*COMMAND, "--input", "-", "--output", "out", "--voices", "1", "--quiet"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(wav_header(data_bytes=2**31) + SOUND.tobytes())
    process.stdin.flush()  # and then nothing more
    wait_for_parts(process, "out", 4 * (len(SOUND) - 2000))
    process.send_signal(signum)
    assert process.wait(timeout=60) == 128 + signum
    _, err = process.communicate()
    assert err == b""
    total = sum(read_stems(Path("out")).values())
    np.testing.assert_allclose(total[:, 0], SOUND / 32768, atol=1e-5)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_named_pipe_without_a_writer_ends_with_one_signal(signum: signal.Signals) -> None:
    os.mkfifo("in.wav")
    process = subprocess.Popen([*COMMAND, "--input", "in.wav", "--output", "out"], stderr=subprocess.PIPE)
    while process.poll() is None and not waits_in_poll(process.pid):
        time.sleep(0.01)
    process.send_signal(signum)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (128 + signum, b"")
    assert not Path("out").exists()


def waits_in_poll(pid: int) -> bool:
    """Whether the process has opened the pipe, which it does just before it waits."""
    links = (Path(f"/proc/{pid}/fd") / name for name in os.listdir(f"/proc/{pid}/fd"))
    return any(os.readlink(link).endswith("/in.wav") for link in links if link.is_symlink())


def test_a_named_pipe_is_read_like_a_file(capfd: pytest.CaptureFixture[str]) -> None:
    os.mkfifo("in.wav")
    data = wav_header(data_bytes=len(SOUND) * 2) + SOUND.tobytes()
    writer = threading.Thread(target=lambda: Path("in.wav").write_bytes(data))
    writer.start()
    result = run_command(capfd, "--input", "in.wav", "--output", "out")
    writer.join()
    assert (result.code, result.err) == (0, "")
    np.testing.assert_allclose(sum(read_stems(Path("out")).values())[:, 0], SOUND / 32768, atol=1e-5)


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "WAV"])
def test_a_non_blocking_pipe_is_waited_for(raw: bool) -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    if raw:
        data, source = SOUND.tobytes(), RawSource(RawFormat("s16le", 48000, 1), fd=reader)
    else:
        data = wav_header(data_bytes=len(SOUND) * 2) + SOUND.tobytes()

    def send() -> None:
        for start in range(0, len(data), 5000):
            time.sleep(0.01)  # long enough that the pipe is empty when it is read
            os.write(writer, data[start : start + 5000])
        os.close(writer)

    sender = threading.Thread(target=send)
    sender.start()
    if not raw:
        source = PipedFile(reader, "a pipe")
    blocks = []
    while len(block := source.read()):
        blocks.append(block)
    sender.join()
    os.close(reader)
    np.testing.assert_array_equal(np.concatenate(blocks)[:, 0], SOUND / np.float32(32768))


def test_a_slow_reader_of_a_non_blocking_pipe_gets_every_sample() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    stems = np.random.default_rng(1).standard_normal((3, 50000, 1)).astype(np.float32)

    def send() -> None:
        StdoutSink(writer).write(stems)
        os.close(writer)

    sender = threading.Thread(target=send)
    sender.start()
    time.sleep(0.1)  # the pipe is full
    with open(reader, "rb") as pipe:
        got = np.frombuffer(pipe.read(), "<f4").reshape(-1, 3)
    sender.join()
    np.testing.assert_array_equal(got, stems[:, :, 0].T)

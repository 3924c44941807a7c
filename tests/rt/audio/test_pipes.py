"""Raw samples in and out, as other programs send and read them."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.cli_helpers import read_stems, run_command, two_tones, write_audio
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsep.rt.audio.piped_sound import RawSource
from rtsep.rt.audio.pipes import SAMPLE_BYTES, RawFormat

COMMAND = [sys.executable, "-m", "rtsep"]


def encode(audio: np.ndarray, encoding: str) -> bytes:
    """float32 [frames, channels] as raw bytes of any format; the test's own encoder."""
    if encoding[0] == "f":
        return audio.astype("<f4" if encoding == "f32le" else "<f8").tobytes()
    bits = 8 * SAMPLE_BYTES[encoding]
    integers = np.round(audio.astype(np.float64) * 2 ** (bits - 1)).astype(np.int64)
    return b"".join(int(v).to_bytes(bits // 8, "little", signed=True) for v in integers.ravel())


@pytest.mark.parametrize("encoding", SAMPLE_BYTES)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_format_decodes_to_its_resolution(encoding: str, channels: int) -> None:
    audio = two_tones(8000, 0.05, channels)
    audio[0, 0] = -1.0
    decoded = RawFormat(encoding, 8000, channels).decode(encode(audio, encoding))
    step = {"s16le": 2**-15, "s24le": 2**-23}.get(encoding, 2**-24)
    assert decoded.shape == audio.shape
    assert decoded.dtype == np.float32
    assert np.abs(decoded - audio).max() <= step / 2 + 2**-25


@settings(max_examples=30, deadline=None)
@given(
    cuts=st.lists(st.integers(1, 40), min_size=1, max_size=40), encoding=st.sampled_from(list(SAMPLE_BYTES))
)
def test_frames_cut_anywhere_arrive_whole(cuts: list[int], encoding: str) -> None:
    audio = two_tones(8000, 0.02, 2)
    data = encode(audio, encoding)
    reader, writer = os.pipe()
    source = RawSource(RawFormat(encoding, 8000, 2), fd=reader)
    got, position = [], 0
    try:
        for cut in cuts:
            chunk = data[position : position + cut]
            position += len(chunk)
            os.write(writer, chunk)
            frame_bytes = source._raw.frame_bytes
            if len(source._rest) + len(chunk) >= frame_bytes:  # else the read waits for more
                got.append(source.read())
            elif chunk:
                source._rest += os.read(reader, len(chunk))
        os.write(writer, data[position:])
        os.close(writer)
        while len(block := source.read()):
            got.append(block)
    finally:
        os.close(reader)
    np.testing.assert_array_equal(np.concatenate(got), RawFormat(encoding, 8000, 2).decode(data))


def test_pipe_to_pipe_is_frame_by_frame_stem_by_stem() -> None:
    audio = two_tones(48000, 0.5, 2)
    options = ["--input", "-", "--raw", "f32le:48000:2", "--voices", "2", "--output", "-", "--quiet"]
    done = subprocess.run([*COMMAND, *options], input=audio.tobytes(), capture_output=True, check=True)
    stems = np.frombuffer(done.stdout, "<f4").reshape(-1, 3, 2)
    assert len(stems) == len(audio)
    np.testing.assert_allclose(stems.sum(axis=1), audio, atol=1e-5)
    assert done.stderr == b""


def test_pipe_and_file_give_the_same_stems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    audio = write_audio(tmp_path / "in.wav", 16000, 0.5, 1, subtype="FLOAT")
    assert run_command(capfd, "--input", "in.wav", "--output", "file", "--offline", "off").code == 0
    raw = ("--raw", "f32le:16000:1")
    assert run_command(capfd, "--input", "-", *raw, "--output", "pipe", stdin=audio.tobytes()).code == 0
    wav = (tmp_path / "in.wav").read_bytes()
    assert run_command(capfd, "--input", "-", "--output", "wav", stdin=wav).code == 0
    expected = read_stems(tmp_path / "file")
    for folder in ("pipe", "wav"):
        for name, stem in read_stems(tmp_path / folder).items():
            np.testing.assert_array_equal(stem, expected[name])


def test_stems_come_out_while_the_input_is_still_open() -> None:
    options = ["--input", "-", "--raw", "f32le:48000:1", "--voices", "1", "--output", "-", "--quiet"]
    process = subprocess.Popen([*COMMAND, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    audio = two_tones(48000, 0.1)
    process.stdin.write(audio.tobytes())
    process.stdin.flush()
    ready = (len(audio) - 512) * 2 * 4  # all but the latency, two stems, before the input ends
    early = process.stdout.read(ready)
    assert len(early) == ready
    rest, _ = process.communicate()
    total = np.frombuffer(early + rest, "<f4").reshape(-1, 2).sum(axis=1)
    np.testing.assert_allclose(total, audio[:, 0], atol=1e-5)


def test_a_reader_that_leaves_ends_the_run_quietly() -> None:
    options = ["--input", "-", "--raw", "f32le:8000:1", "--output", "-"]
    process = subprocess.Popen(
        [*COMMAND, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdout.close()
    process.stdin.write(two_tones(8000, 1.0).tobytes())
    process.stdin.close()
    assert process.wait(timeout=60) == 141
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()


def test_ctrl_c_while_waiting_for_a_pipe_keeps_what_came(tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ["--input", "-", "--raw", "f32le:8000:1", "--output", str(out)]
    process = subprocess.Popen(
        [*COMMAND, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None
    audio = two_tones(8000, 2.0)
    process.stdin.write(audio.tobytes())
    process.stdin.flush()
    while process.poll() is None and not any(
        part.stat().st_size > 4 * 15000 for part in out.glob("residual.wav.*.part")
    ):
        pass
    process.send_signal(2)
    process.communicate(timeout=60)
    assert process.returncode == 130
    np.testing.assert_allclose(sum(read_stems(out).values()), audio, atol=1e-5)

"""The recorder process: aligned files, readable whatever ends it."""

import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtsep.kernels import _core
from rtsep.kernels.errors import RtsepError
from rtsep.rt.process.block import Block
from rtsep.rt.process.shared_memory import SharedMemory
from rtsep.rt.takes.recorder_process import RecordPlan, prepare_folder, refuse_earlier_files

NAMES = ["input", "voice-1", "residual"]
SAMPLERATE = 8000


class Take:
    """A recorder at work, and the ring that feeds it."""

    def __init__(
        self, folder: Path, channels: int = 1, skip: int = 10, setup: Callable[[], None] | None = None
    ) -> None:
        width = len(NAMES) * channels
        self.folder = folder
        self.block = Block.create()
        shared = SharedMemory.create(_core.SampleRing.bytes_needed(1 << 16, width))
        self.ring = _core.SampleRing(1 << 16, width, shared.memory)
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "rtsep.rt.takes.recorder_process",
                str(self.block.shared.fd),
                str(shared.fd),
            ],
            stdin=subprocess.PIPE,
            pass_fds=[self.block.shared.fd, shared.fd],
            text=True,
            preexec_fn=setup,
        )
        assert self.process.stdin is not None
        self.process.stdin.write(RecordPlan(str(folder), NAMES, SAMPLERATE, skip).to_json() + "\n")
        self.process.stdin.flush()

    def until(self, **wanted: object) -> dict[str, object]:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            values = self.block.read()
            if all(values.get(key) == value for key, value in wanted.items()):
                return values
            time.sleep(0.01)
        raise AssertionError(f"{self.block.read()} never became {wanted}")

    def files(self) -> list[np.ndarray]:
        return [
            soundfile.read(self.folder / f"{name}.wav", dtype="float32", always_2d=True)[0] for name in NAMES
        ]


def noise(frames: int, width: int) -> np.ndarray:
    return np.random.default_rng(3).uniform(-2, 2, (frames, width)).astype(np.float32)


@pytest.mark.parametrize("channels", [1, 2])
def test_files_hold_what_was_sent(tmp_path: Path, channels: int) -> None:
    take = Take(tmp_path, channels)
    frames = noise(3 * SAMPLERATE, 3 * channels)
    take.ring.write(frames)
    take.ring.close()
    assert take.process.wait(20) == 0
    for i, got in enumerate(take.files()):
        np.testing.assert_array_equal(got, frames[10:, i * channels : (i + 1) * channels])
    info = soundfile.info(tmp_path / "voice-1.wav")
    assert (info.samplerate, info.subtype) == (SAMPLERATE, "FLOAT")
    assert (tmp_path / "voice-1.wav").read_bytes()[:4] == b"RIFF"  # plain WAV while it is under 4 GB
    assert take.block.read() == {"record_state": "finished", "record_frames": len(frames) - 10, "error": ""}


def test_sigkill_leaves_readable_files(tmp_path: Path) -> None:
    take = Take(tmp_path)
    frames = noise(2 * SAMPLERATE, 3)
    take.ring.write(frames)
    take.until(record_frames=len(frames) - 10)
    take.process.kill()
    take.process.wait()
    for i, got in enumerate(take.files()):
        np.testing.assert_array_equal(got[:, 0], frames[10:, i])


@pytest.mark.parametrize("way", ["stdin", "SIGTERM"])
def test_left_alone_it_finishes(tmp_path: Path, way: str) -> None:
    """The engine died without closing the ring; Ctrl-C alone does not end a take."""
    take = Take(tmp_path)
    frames = noise(SAMPLERATE, 3)
    take.ring.write(frames)
    take.until(record_frames=len(frames) - 10)
    take.process.send_signal(signal.SIGINT)
    assert take.process.stdin is not None
    if way == "stdin":
        take.process.stdin.close()
    else:
        take.process.terminate()
    assert take.process.wait(20) == 0
    np.testing.assert_array_equal(take.files()[0][:, 0], frames[10:, 0])


def test_a_full_disk_is_told_and_what_was_written_stays(tmp_path: Path) -> None:
    limit = 40_000  # bytes a file may grow to: the disk of this test
    take = Take(tmp_path, setup=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    frames = noise(4 * SAMPLERATE, 3)
    for start in range(0, len(frames), 1000):
        take.ring.write(np.ascontiguousarray(frames[start : start + 1000]))
        time.sleep(0.005)
    values = take.until(record_state="failed")
    assert "stopped: File too large; this disk or `ulimit -f` allows" in str(values["error"])
    assert str(tmp_path) in str(values["error"])
    assert "\n" not in str(values["error"])
    take.until(record_state="failed")
    while take.ring.available:  # the ring is still emptied: the engine never waits for a disk
        time.sleep(0.01)
    take.ring.close()
    assert take.process.wait(20) == 0
    written = int(str(values["record_frames"]))
    assert written > 0
    for i, got in enumerate(take.files()):
        assert len(got) >= written
        np.testing.assert_array_equal(got[:written, 0], frames[10 : 10 + written, i])


def test_a_take_is_never_mixed_with_other_files(tmp_path: Path) -> None:
    assert prepare_folder(tmp_path / "new" / "take")
    assert not prepare_folder(tmp_path / "new" / "take")
    (tmp_path / "notes.wav").write_bytes(b"somebody's")
    refuse_earlier_files(tmp_path, NAMES)
    for name in NAMES:
        folder = tmp_path / name
        folder.mkdir()
        (folder / f"{name}.wav").symlink_to("nowhere")
        with pytest.raises(RtsepError, match=rf"already holds {name}\.wav; choose another folder"):
            refuse_earlier_files(folder, NAMES)
    with pytest.raises(RtsepError, match="cannot make the folder"):
        prepare_folder(tmp_path / "notes.wav" / "take")


def test_no_empty_take_is_left_where_a_file_cannot_be_made(tmp_path: Path) -> None:
    """A file that came after the check at the start: the take fails, and leaves nothing of itself."""
    (tmp_path / "residual.wav").write_bytes(b"precious")
    take = Take(tmp_path)
    values = take.until(record_state="failed")
    assert values["error"] == (
        f"recording to {tmp_path} stopped: File exists; choose another folder or move its files away"
    )
    take.ring.close()
    assert take.process.wait(20) == 0
    assert [file.name for file in tmp_path.iterdir()] == ["residual.wav"]
    assert (tmp_path / "residual.wav").read_bytes() == b"precious"

"""Who reads the messages, and whether anybody can, has no say in the stems."""

import errno
import io
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.cli_helpers import read_stems, two_tones, write_audio

from rtsep import Separator
from rtsep.kernels.errors import RtsepError
from rtsep.rt.audio.files import FileSource
from rtsep.rt.cli.messages import Messages
from rtsep.rt.cli.progress import Progress
from rtsep.rt.offline import separate
from rtsep.rt.stop import StopSignals

COMMAND = [sys.executable, "-m", "rtsep"]
RUN = [*COMMAND, "--input", "in.wav", "--output", "out", "--voices", "1"]


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_audio(Path("in.wav"), subtype="FLOAT")


def assert_whole() -> None:
    stems = read_stems(Path("out"))
    assert set(stems) == {"voice-1", "residual"}
    np.testing.assert_allclose(sum(stems.values()), two_tones(), atol=1e-5)


def in_shell(redirection: str, *options: str) -> subprocess.CompletedProcess[str]:
    line = f'"$0" "$@" {redirection}'
    return subprocess.run(["sh", "-c", line, *RUN, *options], capture_output=True, text=True)


def test_a_full_log_disk_is_told_and_costs_no_stem() -> None:
    done = in_shell(">/dev/full")
    assert done.returncode == 0
    assert done.stderr == (
        "rtsep: note: messages ended early: No space left on device; the stems are complete\n"
    )
    assert_whole()


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-", "2>/dev/full", "<&-"])
def test_closed_and_full_streams_cost_nothing(redirection: str) -> None:
    done = in_shell(redirection)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert_whole()


@pytest.mark.parametrize(("options", "code"), [([], 0), (["--json"], 141)], ids=["lines", "JSON"])
def test_a_log_reader_that_leaves_costs_no_stem(options: list[str], code: int) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*RUN, *options], stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (done.returncode, done.stderr) == (code, b"")
    assert_whole()


def test_a_json_report_that_cannot_be_written_is_an_error_and_the_stems_are_complete() -> None:
    done = in_shell(">/dev/full", "--json")
    assert done.returncode == 2
    assert done.stderr == (
        "rtsep: error: the JSON report cannot be written: No space left on device; "
        "the stems are complete; free some space or choose another disk\n"
    )
    assert_whole()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["models"], ["models", "--json"]])
def test_answers_that_cannot_be_written_are_one_line(arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([*COMMAND, *arguments], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("rtsep: error: standard output cannot be written: No space left on device;")
    assert done.stderr.count("\n") == 1


def test_stems_for_a_full_disk_on_standard_output_are_one_line() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "--input", "in.wav", "--output", "-", "--quiet"], stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == 2
    assert done.stderr == (
        b"rtsep: error: writing the stems to standard output failed: No space left on device; "
        b"free some space or choose another disk\n"
    )


@pytest.mark.parametrize("stream", ["--input", "--output"])
def test_a_closed_stream_that_is_needed_is_one_line(stream: str) -> None:
    other = ["--output", "out"] if stream == "--input" else ["--input", "in.wav"]
    line = f'"$0" "$@" {"<&-" if stream == "--input" else ">&-"}'
    done = subprocess.run(["sh", "-c", line, *COMMAND, stream, "-", *other], capture_output=True, text=True)
    assert done.returncode == 2
    assert f"{stream} -" in done.stderr
    assert "which is closed" in done.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_non_blocking_log_gets_every_line(unbuffered: str) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    os.write(writer, bytes(65536))  # the pipe is full
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    process = subprocess.Popen([*RUN, "--json"], stdout=writer, stderr=subprocess.PIPE, env=environment)
    os.close(writer)
    while process.poll() is None and not Path("out/voice-1.wav").exists():
        time.sleep(0.01)
    with open(reader, "rb") as log:
        report = json.loads(log.read()[65536:])
    assert process.wait() == 0
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    assert report["frames"] == len(two_tones())


class Broken(io.StringIO):
    """A stream that takes nothing."""

    def __init__(self, error: Exception, terminal: bool = False) -> None:
        super().__init__()
        self._error, self._terminal = error, terminal

    def write(self, text: str) -> int:
        raise self._error

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), ValueError("closed")])
@pytest.mark.parametrize("terminal", [True, False])
def test_progress_that_cannot_be_shown_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, error: Exception, terminal: bool
) -> None:
    monkeypatch.setattr("rtsep.rt.cli.progress.PLAIN_PERIOD_S", 0.0)
    monkeypatch.setattr("rtsep.rt.cli.progress.BAR_PERIOD_S", 0.0)
    stream = Broken(error, terminal)
    messages = Messages(stream)
    with Progress(48000, 48000, stream, messages) as progress:
        for frames in range(0, 48000, 8000):
            progress.update(frames)
    assert terminal or messages.failure is not None


def test_a_slow_reader_misses_lines_of_progress_and_gets_the_rest() -> None:
    reader, writer = os.pipe()
    with open(writer, "w") as stream:
        os.write(writer, bytes(65536))
        messages = Messages(stream)
        messages.offer("12 % done")  # would wait for ever
        late = threading.Thread(target=messages.line, args=("finished",))
        late.start()
        os.read(reader, 65536)
        late.join()
        assert messages.failure is None
    with open(reader) as log:
        assert log.read() == "finished\n"


class Failing:
    """A good sink, or one that fails at its second block."""

    may_block = False

    def __init__(self, fails: bool) -> None:
        self.blocks: list[int] = []
        self._fails = fails

    def write(self, stems: np.ndarray) -> None:
        if self._fails and len(self.blocks) == 1:
            raise RtsepError("writing failed", "choose another disk")
        self.blocks.append(stems.shape[1])


def test_what_failed_is_not_taken_for_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    write_audio(Path("long.wav"), seconds=2.0)

    def run(sink: Failing, failing_read: bool = False):
        source = FileSource("long.wav")
        if failing_read:
            reads = iter([source.read(), source.read()])

            def read(*_: object, **__: object) -> np.ndarray:
                if (block := next(reads, None)) is None:
                    raise soundfile.LibsndfileError(2)
                return block

            monkeypatch.setattr(source._files[0], "read", read)
        separator = Separator.load(voices=1)
        with StopSignals() as signals:
            return separate(source, sink, separator, signals=signals)

    with pytest.raises(RtsepError, match="writing failed"):
        run(broken := Failing(fails=True))
    assert len(broken.blocks) == 1, "nothing more is written after a failure"

    report, early = run(whole := Failing(fails=False), failing_read=True)
    assert "reading long.wav failed" in str(early)
    assert "what came before is kept" in str(early)
    assert "free" not in str(early)
    assert report.frames == sum(whole.blocks) == 2 * 16384

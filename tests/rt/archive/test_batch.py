"""`rtsep batch`: the stems of the root command, going on after a kill, and what is told of failures."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from helpers.cli_helpers import Result, read_stems, run_command

from rtsep.rt.archive.done_record import WORK, read_record
from rtsep.rt.archive.job import Job, Outcome, run_job
from rtsep.rt.archive.recordings import find_recordings
from rtsep.rt.audio.test_signals import synthetic_choir
from rtsep.rt.python_process import environment, module_command

RATE = 8000
OPTIONS = ("--voices", 2, "--latency", 43)


def sing(path: Path, seed: int, seconds: float = 0.5) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, synthetic_choir(RATE, seconds, voices=2, seed=seed), RATE)


def batch(capfd: pytest.CaptureFixture[str], root: Path, *more: object) -> Result:
    return run_command(capfd, "batch", root / "in", "--output", root / "out", "--jobs", 2, *OPTIONS, *more)


def states(root: Path) -> dict[str, str]:
    return {entry["input"]: entry["state"] for entry in report(root)["recordings"]}


def report(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / "out" / "report.json").read_text())
    return found


def test_a_tree_with_everything(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Stems as of the root command, links and copies once, other files counted, failures told; the
    second run leaves all that is done, a changed recording and a damaged stem are done again."""
    source = tmp_path / "in"
    sing(source / "a.wav", 1)
    sing(source / "sub" / "b.flac", 2)
    (source / "copy.wav").write_bytes((source / "a.wav").read_bytes())
    (source / "sub" / "loop").symlink_to(source)
    (source / "sub" / "link.wav").symlink_to(source / "a.wav")
    (source / "gone.wav").symlink_to(source / "nowhere.wav")
    (source / "bad.wav").write_bytes(b"RIFF nonsense")
    (source / "notes.txt").write_text("no sound")
    result = batch(capfd, tmp_path)
    assert result.code == 5
    told = [line for line in result.err.splitlines() if line.startswith("rtsep: failed: ")]
    assert [line.split(": ")[2] for line in told] == ["bad.wav", "gone.wav"]
    assert result.err.splitlines() == told
    assert states(tmp_path) == {
        "a.wav": "done",
        "bad.wav": "failed",
        "copy.wav": "duplicate",
        "gone.wav": "failed",
        "sub/b.flac": "done",
        "sub/link.wav": "duplicate",
    }
    assert report(tmp_path)["counts"]["not_audio"] == 1

    run_command(capfd, "--input", source / "a.wav", "--output", tmp_path / "alone", *OPTIONS)
    alone, found = read_stems(tmp_path / "alone"), read_stems(tmp_path / "out" / "a")
    assert set(alone) == set(found) == {"voice-1", "voice-2", "residual"}
    for name in alone:
        np.testing.assert_array_equal(alone[name], found[name])
    assert not (tmp_path / "out" / WORK).exists()

    (source / "bad.wav").unlink()
    (source / "gone.wav").unlink()
    sing(source / "a.wav", 3)
    (source / "copy.wav").unlink()
    with (tmp_path / "out" / "sub" / "b" / "voice-1.wav").open("r+b") as stem:
        stem.truncate(100)
    (tmp_path / "out" / "a" / "my notes.txt").write_text("mine")
    assert batch(capfd, tmp_path).code == 0
    assert states(tmp_path) == {"a.wav": "done", "sub/b.flac": "done", "sub/link.wav": "duplicate"}
    assert (tmp_path / "out" / "a" / "my notes.txt").read_text() == "mine"
    before = (tmp_path / "out" / "a" / "voice-1.wav").stat().st_mtime_ns
    result = batch(capfd, tmp_path, "--json")
    assert set(states(tmp_path).values()) == {"done before", "duplicate"}
    assert json.loads(result.out) == report(tmp_path)
    assert (tmp_path / "out" / "a" / "voice-1.wav").stat().st_mtime_ns == before


def test_other_settings_are_done_again_and_foreign_files_stay(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.wav", "b.wav"):
        sing(tmp_path / "in" / name, ord(name[0]))
    assert batch(capfd, tmp_path).code == 0
    (tmp_path / "out" / "b" / "done.json").unlink()  # as if somebody had made the folder
    stem = (tmp_path / "out" / "b" / "voice-1.wav").read_bytes()
    result = batch(capfd, tmp_path, "--voices", 1)
    assert result.code == 5
    assert "is there already and not of rtsep batch" in result.err
    assert states(tmp_path) == {"a.wav": "done", "b.wav": "failed"}
    assert set(read_stems(tmp_path / "out" / "a")) == {"voice-1", "residual"}
    assert (tmp_path / "out" / "b" / "voice-1.wav").read_bytes() == stem


def start(root: Path, *more: object) -> "subprocess.Popen[bytes]":
    words = ["batch", root / "in", "--output", root / "out", "--jobs", 1, *OPTIONS, *more]
    return subprocess.Popen(
        module_command("rtsep", *map(str, words)),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def until_first_is_done(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if b"done: a.wav" in line:
            return
    raise AssertionError("the batch has ended")


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGINT])
def test_goes_on_after_a_kill(tmp_path: Path, capfd: pytest.CaptureFixture[str], signum: int) -> None:
    sing(tmp_path / "in" / "a.wav", 1)
    sing(tmp_path / "in" / "b.wav", 2, seconds=60.0)
    process = start(tmp_path)
    until_first_is_done(process)
    process.send_signal(signum)
    code = process.wait(30)
    folder = tmp_path / "out" / "b"
    assert not folder.exists()
    if signum == signal.SIGINT:
        assert code == 130
        assert states(tmp_path) == {"a.wav": "done", "b.wav": "left"}
        assert report(tmp_path)["stopped"] == "SIGINT"
        assert not (tmp_path / "out" / WORK).exists()
    sing(tmp_path / "in" / "b.wav", 2)  # the rest need not take long
    assert batch(capfd, tmp_path).code == 0
    assert states(tmp_path) == {"a.wav": "done before", "b.wav": "done"}
    record = read_record(folder)
    assert record is not None
    assert record["report"]["frames"] == RATE // 2
    deadline = time.monotonic() + 60
    while (tmp_path / "out" / WORK).exists():  # an orphan's folder, until it has seen that its parent is gone
        assert time.monotonic() < deadline
        time.sleep(0.1)
        assert batch(capfd, tmp_path).code == 0


def test_a_process_that_is_killed_costs_one_recording(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the kernel does it where memory runs out."""
    for name in ("a", "b"):
        sing(tmp_path / "in" / f"{name}.wav", ord(name))
    popen = subprocess.Popen

    def kill_b(command: list[str], **rest: Any) -> "subprocess.Popen[bytes]":
        process: subprocess.Popen[bytes] = popen(command, **rest)
        if any(word.endswith("b.wav") for word in command):
            os.kill(process.pid, signal.SIGKILL)
        return process

    monkeypatch.setattr("rtsep.rt.archive.job.subprocess.Popen", kill_b)
    result = batch(capfd, tmp_path, "--pitches")
    assert result.code == 5
    assert states(tmp_path) == {"a.wav": "done", "b.wav": "failed"}
    assert (tmp_path / "out" / "a" / "pitches.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "out" / "a" / "pitches.csv").read_text().startswith("time_s,voice-1_hz")
    assert "b.wav: its process was ended by SIGKILL; it may have run out of memory" in result.err


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--jobs", "2", "--cluster", "dask://a:1"), "does not go with"),
        (("--cluster", "nowhere"), "is no address"),
        (("--cluster", "dask://127.0.0.1:9"), "cannot be reached"),
        (("--model", "nobody"), "nobody"),
        (("--stems", "vocals,"), "empty name"),
    ],
)
def test_refused(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    more: tuple[str, ...],
    words: str,
) -> None:
    monkeypatch.setattr("rtsep.rt.archive.workers.CONNECT_S", 0.5)
    sing(tmp_path / "in" / "a.wav", 1)
    result = run_command(capfd, "batch", tmp_path / "in", "--output", tmp_path / "out", *more)
    assert (result.code, words in result.err, result.err.count("\n")) == (2, True, 1), result.err


def test_a_folder_without_recordings(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    assert "has no recordings among 0 files" in batch(capfd, tmp_path).err
    assert run_command(capfd, "batch", tmp_path / "no", "--output", tmp_path / "out").code == 2
    itself = run_command(capfd, "batch", tmp_path / "in", "--output", tmp_path / "in")
    assert "is the archive itself" in itself.err


def test_names_that_differ_by_the_suffix(tmp_path: Path) -> None:
    for name in ("a.wav", "a.flac", "b.wav", ".c.wav"):
        (tmp_path / name).touch()
    found = find_recordings(tmp_path, tmp_path / "out")
    assert [str(r.folder) for r in found.recordings] == ["a.flac", "a.wav", "b"]
    assert found.others == 1


def test_a_cluster_of_two(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two Dask workers in processes of their own; one that dies costs its recording, which is told."""
    distributed = pytest.importorskip("distributed")
    for name in ("a", "b", "kill"):
        sing(tmp_path / "in" / f"{name}.wav", ord(name[0]))
    monkeypatch.setattr("rtsep.rt.archive.batch.run_job", die_with_kill)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.run_on_scheduler(lambda dask_scheduler: setattr(dask_scheduler, "allowed_failures", 0))
        address = cluster.scheduler_address.replace("tcp://", "dask://")
        words = ("batch", tmp_path / "in", "--output", tmp_path / "out", *OPTIONS, "--cluster", address)
        result = run_command(capfd, *words)
    assert result.code == 5
    assert states(tmp_path) == {"a.wav": "done", "b.wav": "done", "kill.wav": "failed"}
    assert "2 workers at tcp://" in result.out
    assert "rtsep: failed: kill.wav: its worker was lost: KilledWorker" in result.err
    assert set(read_stems(tmp_path / "out" / "b")) == {"voice-1", "voice-2", "residual"}


def die_with_kill(job: Job) -> Outcome:
    if job.recording.endswith("kill.wav"):
        os._exit(9)
    return run_job(job)


def test_a_job_ends_when_its_room_is_gone(tmp_path: Path) -> None:
    """So a batch that has ended elsewhere does not keep a cluster busy."""
    sing(tmp_path / "a.wav", 1, seconds=60)
    outcome = run_job(Job(str(tmp_path / "a.wav"), str(tmp_path / "room" / "x"), ("--voices", "1"), False))
    assert "ended by" in outcome.error or "code" in outcome.error

"""A take on a disk that fails, fills or is slow: no frame moves, and what is missing is listed."""

import contextlib
import errno
import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.take_show import HOP, NAMES, PLAN, RATE, Show, check_take, holes, in_holes, samples

from rtsep.rt.process.block import Block
from rtsep.rt.takes import take_writer
from rtsep.rt.takes.disk_space import DiskSpace
from rtsep.rt.takes.hop_record import Cause, HopFacts, Segment
from rtsep.rt.takes.record_plan import Order, Orders
from rtsep.rt.takes.recorder_process import Recorder
from rtsep.rt.takes.stem_files import FlacStem, WavStem
from rtsep.rt.takes.take_log import TakeLog
from rtsep.rt.takes.take_memory import TakeMemory
from rtsep.rt.takes.take_writer import TakeWriter

BYTES_PER_S = 3 * 4 * RATE
PIECE = 2000
CALM = HopFacts(Cause.NONE, 0, False, 0, 0, 0)


class Disk(DiskSpace):
    """Room as a test says."""

    room_s: float | None = 1000.0

    def left_s(self) -> float | None:
        return self.room_s


def log(form: str = "wav") -> TakeLog:
    return TakeLog("running", "2026-01-01T00:00:00+00:00", NAMES, form, RATE, 1, first_frame=1000)


class Writing:
    """A writer, and pieces of the show for it; the test says what time it is."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, form: str = "wav") -> None:
        folder.mkdir()
        self.folder, self.now_s = folder, 100.0
        monkeypatch.setattr(take_writer.time, "monotonic", lambda: self.now_s)
        self.disk = Disk(folder, BYTES_PER_S)
        self.writer = TakeWriter(folder, log(form), self.disk)
        self.at = 1000

    def piece(self, facts: HopFacts = CALM) -> None:
        self.writer.place(Segment(self.at, samples(self.at, PIECE), facts))
        self.at += PIECE

    def finish(self) -> TakeLog:
        self.writer.finish(self.at, "device or engine away", "stopped")
        assert TakeLog.load(self.folder) == self.writer.log
        return check_take(self.folder)


@pytest.fixture
def writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Writing:
    return Writing(tmp_path / "take", monkeypatch)


@pytest.mark.parametrize("form", ["wav", "flac"])
def test_a_full_disk_holds_the_take_until_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    writing = Writing(tmp_path / "take", monkeypatch, form)
    writing.piece()
    writing.disk.room_s = -1.0
    writing.piece()
    assert "is held: the disk is full; free some space" in writing.writer.error
    assert writing.writer.missing_now(writing.at) == PIECE
    writing.disk.room_s = 5.0  # not enough to begin again
    writing.now_s += 6.0
    writing.piece()
    writing.disk.room_s = 500.0
    writing.now_s += 1.0  # too early for another look
    writing.piece()
    writing.now_s += 6.0
    writing.piece()
    assert writing.writer.error == ""
    written = writing.finish()
    assert holes(written) == [(PIECE, 3 * PIECE, "disk full")]
    assert written.frames == 5 * PIECE
    assert [part["folder"] for part in written.parts] == ["."]


def test_a_disk_that_stays_full_ends_in_silence_that_needs_no_room(writing: Writing) -> None:
    writing.piece()
    writing.disk.room_s = -1.0
    writing.piece()
    written = writing.finish()
    assert holes(written) == [(PIECE, PIECE, "disk full")]
    assert written.frames == 2 * PIECE


def refuse(monkeypatch: pytest.MonkeyPatch, kind: type, when: Callable[[int], bool], number: int) -> None:
    """`kind.write` fails with an error of the disk at the calls that `when` says."""
    calls, write = 0, kind.write

    def fails(self: object, frames: np.ndarray) -> None:
        nonlocal calls
        calls += 1
        if when(calls):
            raise OSError(number, os.strerror(number))
        write(self, frames)

    monkeypatch.setattr(kind, "write", fails)


@pytest.mark.parametrize("file", [1, 2, 3])
def test_a_file_that_breaks_loses_nothing_where_another_can_be_begun(
    writing: Writing, monkeypatch: pytest.MonkeyPatch, file: int
) -> None:
    """Such as at 4 GiB on FAT32; whichever of the files it is, all end at one frame."""
    refuse(monkeypatch, WavStem, lambda call: call == 3 + file, errno.EFBIG)
    for _ in range(3):
        writing.piece()
    written = writing.finish()
    assert written.holes == []
    assert written.frames == 3 * PIECE
    assert [(part["folder"], part["frames"]) for part in written.parts] == [
        (".", PIECE),
        ("part-2", 2 * PIECE),
    ]


def test_flac_that_breaks_lists_the_block_that_was_not_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing = Writing(tmp_path / "take", monkeypatch, "flac")
    refuse(monkeypatch, FlacStem, lambda call: call == 3 * 5 + 2, errno.EIO)
    for _ in range(9):
        writing.piece()
    written = writing.finish()
    first, *others = written.parts
    assert first["frames"] % 4096 == 0
    assert holes(written) == [(first["frames"], 5 * PIECE - first["frames"], "disk failed")]
    assert [part["folder"] for part in others] == ["part-2"]


def test_a_disk_that_fails_for_a_while_is_tried_again(
    writing: Writing, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, WavStem, lambda call: 4 <= call <= 5, errno.EIO)
    writing.piece()
    writing.piece()  # breaks, and so does the next part
    assert "is held: Input/output error; the disk or its connection fails" in writing.writer.error
    writing.piece()
    writing.now_s += 6.0
    writing.piece()
    written = writing.finish()
    assert holes(written) == [(PIECE, 2 * PIECE, "disk failed")]
    assert [part["folder"] for part in written.parts] == [".", "part-2"]


@pytest.mark.parametrize("form", ["wav", "flac"])
def test_after_a_recorder_that_had_written_nothing_yet_the_take_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    writing = Writing(tmp_path / "take", monkeypatch, form)
    writing.writer = TakeWriter(
        writing.folder, TakeLog.load(writing.folder), Disk(writing.folder, BYTES_PER_S), going_on=True
    )
    writing.at += PIECE
    writing.piece()
    written = writing.finish()
    assert holes(written) == [(0, PIECE, "recorder died")]
    assert written.parts[-1]["folder"] == "part-2"


def test_what_comes_twice_is_written_once_and_what_came_before_the_take_is_not(writing: Writing) -> None:
    writing.at = 400  # the take begins at 1000
    writing.piece()
    writing.at -= 500
    writing.piece()
    written = writing.finish()
    assert (written.frames, written.holes) == (2 * PIECE - 1100, [])


def test_counters_become_events_where_they_happened(writing: Writing) -> None:
    def facts(xruns: int, late: int, fallback: int, skipped_at: int | None = None) -> HopFacts:
        skipped = skipped_at is not None
        return HopFacts(
            Cause.NONE, 0, skipped, xruns, late, fallback, hop=HOP, skipped_at=skipped_at or 0
        )  # each piece is a hop with those behind it that had nothing to tell

    writing.piece(facts(2, 1, 64))  # from before the take
    writing.piece(facts(3, 1, 64, writing.at))
    writing.piece(facts(3, 2, 128))
    writing.piece(facts(3, 2, 192, writing.at))
    writing.piece(facts(0, 0, 0))
    writing.piece(facts(1, 0, 0))  # of a new engine
    events = [(e["kind"], e["first_frame"], e["frames"], e["count"]) for e in writing.finish().events]
    assert events == [
        ("xrun", PIECE, 0, 1),
        ("skipped-hop", PIECE, HOP, 1),
        ("late-hop", 2 * PIECE, HOP, 1),
        ("fallback", 2 * PIECE, HOP, 64),
        ("fallback", 3 * PIECE, HOP, 64),
        ("skipped-hop", 3 * PIECE, HOP, 1),
        ("xrun", 5 * PIECE, 0, 1),
    ]


def test_a_hop_skipped_before_the_take_is_told_by_frames_below_0(writing: Writing) -> None:
    """Frames that came with it may be in the take: those that a take before it had not, or its pre-roll."""
    writing.piece(HopFacts(Cause.NONE, 0, True, 0, 0, 0, hop=HOP, skipped_at=1000 - 3 * HOP))
    (event,) = writing.finish().events
    assert event == {"kind": "skipped-hop", "first_frame": -3 * HOP, "frames": HOP, "count": 1}


def test_the_log_on_the_disk_names_a_hole_before_its_silence_is_written(
    writing: Writing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever kills the recorder in between: no silence without a word."""
    writing.piece()
    known: list[list[tuple[int, int, str]]] = []
    pad = WavStem.pad

    def look(self: WavStem, frames: int) -> None:
        known.append(holes(TakeLog.load(writing.folder)))
        pad(self, frames)

    monkeypatch.setattr(WavStem, "pad", look)
    writing.at += 777
    writing.piece()
    assert known == [[(PIECE, 777, "recorder late")]] * 3
    writing.finish()


def test_a_slow_disk_loses_what_the_ring_cannot_hold_and_lists_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = WavStem.write

    def slow(self: WavStem, frames: np.ndarray) -> None:
        time.sleep(0.1)
        write(self, frames)

    monkeypatch.setattr(WavStem, "write", slow)
    memory = TakeMemory.create(3, 1 << 12)
    show_memory = TakeMemory(memory.shared)
    reader, writer = os.pipe()
    (tmp_path / "take").mkdir()
    order = Order("start", 0, folder=str(tmp_path / "take"), started=time.time())
    os.write(writer, order.to_json().encode() + b"\n")
    recorder = Recorder(PLAN, memory, Block.create(), Orders(reader))
    thread = threading.Thread(target=recorder.run)
    thread.start()
    show = Show(show_memory)
    for _ in range(30):
        show.play(15)
        time.sleep(0.05)
    show.end()
    thread.join(30)
    os.close(writer)
    written = check_take(tmp_path / "take")
    assert written.frames == 450 * HOP
    assert len(show.lost) > RATE // 4
    assert in_holes(written) == show.lost
    assert {hole["reason"] for hole in written.holes} == {"recorder late"}


def test_how_long_a_disk_lasts(tmp_path: Path) -> None:
    found = os.statvfs(tmp_path)
    free = found.f_bavail * found.f_frsize
    disk = DiskSpace(tmp_path, 1000.0)
    left = disk.left_s()
    assert left is not None
    assert left == pytest.approx(free / 1000, rel=0.05)
    disk.measured(500.0)
    assert disk.left_s() == pytest.approx(2 * left, rel=0.05)
    assert not disk.is_full()
    assert disk.is_full(3 * left)
    assert DiskSpace(tmp_path / "gone", 1000.0).left_s() is None


@pytest.mark.parametrize("form", ["wav", "flac"])
def test_a_disk_that_is_really_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """Four megabytes of it, filled by another program in the middle of the take, and emptied again."""
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "full", tmp_path]).returncode:
        pytest.skip("a disk of a test's own needs root, and the right to mount")
    try:
        writing = Writing(tmp_path / "take", monkeypatch, form)
        writing.disk = DiskSpace(tmp_path, BYTES_PER_S)
        writing.writer._disk = writing.disk
        writing.piece()
        with contextlib.suppress(OSError), open(tmp_path / "other", "wb", buffering=0) as other:
            while other.write(bytes(4096)):
                pass
        for _ in range(3):
            writing.piece()
            writing.now_s += 3.0
        assert "is held: the disk is full" in writing.writer.error
        (tmp_path / "other").unlink()
        writing.now_s += 6.0
        writing.piece()
        written = writing.finish()
        assert written.frames == 5 * PIECE
        assert holes(written) == [(PIECE, 3 * PIECE, "disk full")]
    finally:
        subprocess.run(["umount", "-l", tmp_path], check=True)

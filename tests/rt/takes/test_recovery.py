"""Takes that were left unfinished: repaired at the next start, each with files of one length."""

import threading
from pathlib import Path

import pytest
import soundfile
from helpers.take_show import NAMES, RATE, check_take, samples

from rtsep.rt.takes.part import Part
from rtsep.rt.takes.recovery import recover_all
from rtsep.rt.takes.take_folder import Hold, make_next
from rtsep.rt.takes.take_log import TakeLog

PIECE = 12288  # three blocks of FLAC


def left(root: Path, form: str, pieces: int = 3) -> Path:
    """A take as a killed recorder leaves it: its log is of before the last piece."""
    folder = make_next(root)
    log = TakeLog("running", "2026-01-01T00:00:00+00:00", NAMES, form, RATE, 1, first_frame=0)
    part = Part(folder, NAMES, form, RATE, 1)
    for piece in range(pieces):
        log.parts = [
            {"folder": ".", "first_frame": 0, "frames": part.readable, "bytes": part.sync() if piece else {}}
        ]
        log.frames = part.readable
        part.write(samples(piece * PIECE, PIECE))
    log.save(folder)
    return folder


@pytest.mark.parametrize("form", ["wav", "flac"])
def test_what_was_written_is_kept_though_the_log_is_older(tmp_path: Path, form: str) -> None:
    folder = left(tmp_path, form)
    before = TakeLog.load(folder).frames
    (line,) = recover_all(tmp_path)
    log = check_take(folder)
    assert log.frames > before
    assert log.frames >= 3 * PIECE - 4096
    assert line == f"take-001 was not finished: recovered, {log.frames / RATE:.1f} s"
    assert (log.state, log.ended) == ("recovered", "its recorder was killed")
    assert recover_all(tmp_path) == []


@pytest.mark.parametrize("form", ["wav", "flac"])
@pytest.mark.parametrize("victim", range(3))
def test_files_that_a_power_failure_cut_end_at_one_frame(tmp_path: Path, form: str, victim: int) -> None:
    folder = left(tmp_path, form)
    path = folder / f"{NAMES[victim]}.{form}"
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size // 2)
    assert len(recover_all(tmp_path)) == 1
    log = check_take(folder)
    assert PIECE < log.frames < 2 * PIECE
    for name in NAMES:
        assert soundfile.info(folder / f"{name}.{form}").frames == log.frames


@pytest.mark.parametrize("form", ["wav", "flac"])
def test_a_hole_ends_where_the_files_end(tmp_path: Path, form: str) -> None:
    """It was in the log before its silence was written, and the recorder died in between."""
    folder = left(tmp_path, form)
    log = TakeLog.load(folder)
    log.holes = [{"first_frame": 100 * PIECE, "frames": 7, "reason": "device lost"}]
    log.save(folder)
    recover_all(tmp_path)
    assert check_take(folder).holes == []


def test_flac_without_a_whole_block_is_no_part(tmp_path: Path) -> None:
    folder = make_next(tmp_path)
    part = Part(folder, NAMES, "flac", RATE, 1)
    part.write(samples(0, 100))
    TakeLog(
        "running", "", NAMES, "flac", RATE, 1, 0,
        parts=[{"folder": ".", "first_frame": 0, "frames": 0, "bytes": {}}],
    ).save(folder)  # fmt: skip
    recover_all(tmp_path)
    log = TakeLog.load(folder)
    assert (log.state, log.frames, log.parts) == ("recovered", 0, [])


def test_what_somebody_holds_or_what_is_no_take_stays(tmp_path: Path) -> None:
    held, foreign, gone = left(tmp_path, "wav"), make_next(tmp_path), left(tmp_path, "wav")
    (foreign / "take.json").write_text('{"format": "somebody\'s"}')
    (gone / "residual.wav").unlink()
    hold = Hold(held)
    (line,) = recover_all(tmp_path)
    assert line.startswith("take-003 was not finished, and ")
    assert line.endswith("residual.wav is gone")
    assert TakeLog.load(held).state == "running"
    hold.release()
    assert [text.split()[0] for text in recover_all(tmp_path)] == ["take-001", "take-003"]
    assert (foreign / "take.json").read_text() == '{"format": "somebody\'s"}'


def test_sessions_that_start_at_once_get_takes_of_their_own(tmp_path: Path) -> None:
    made: list[Path] = []
    threads = [threading.Thread(target=lambda: made.append(make_next(tmp_path))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(folder.name for folder in made) == [f"take-{n:03d}" for n in range(1, 21)]

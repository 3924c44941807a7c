"""Takes as they lie on the disk, whatever happens to the recorder, the disk, the device and the engine."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.take_show import DELAY, HOP, NAMES, PLAN, RATE, Show, check_take, holes, in_holes, samples

from rtsep.kernels.errors import RtsepError
from rtsep.rt.takes.hop_record import Layout
from rtsep.rt.takes.record_plan import Order
from rtsep.rt.takes.take_folder import is_held
from rtsep.rt.takes.take_keeper import TakeInfo, TakeKeeper
from rtsep.rt.takes.take_log import TakeLog
from rtsep.rt.takes.take_memory import TakeMemory

INFO = TakeInfo({"model": "choir", "mixer": {"bypass": 0.0}}, {"algorithmic": DELAY + HOP})
WAIT_S = 30.0
LAYOUT = Layout(HOP, 3)


class Recording:
    """A keeper with its recorder, and the show that it records."""

    def __init__(
        self, root: Path, form: str = "wav", armed: bool = False, ring_frames: int = 1 << 16
    ) -> None:
        self.root = root
        self.keeper = TakeKeeper(root, 3, 1, form, armed)
        self.keeper.memory = TakeMemory.create(3, ring_frames)
        self.show = Show(self.keeper.memory)
        self.keeper.begin(replace(PLAN, form=form), INFO, None)
        self.until(lambda: self.status().get("record_state") == ("armed" if armed else "recording"))

    @property
    def process(self) -> subprocess.Popen[str]:
        assert self.keeper._process is not None
        return self.keeper._process

    def status(self) -> dict[str, object]:
        values: dict[str, object] = {"last_error": "", "notes": []}
        self.keeper.add_to(values)
        return values

    def until(self, done: object) -> None:
        deadline = time.monotonic() + WAIT_S
        while not done():  # type: ignore[operator]
            assert time.monotonic() < deadline, self.status()
            time.sleep(0.01)

    def play(self, hops: int) -> None:
        """Plays, and waits until the ring is empty and what was in it is in the files."""
        self.show.play(hops)
        self.until(lambda: not self.show.memory.ring.available)
        self.until(self._rests)

    def _rests(self) -> bool:
        """What the recorder has read is written: its length stands. A signal in between would lose that."""
        frames = self.status().get("record_frames")
        time.sleep(0.05)
        return self.status().get("record_frames") == frames and not self.show.memory.ring.available

    def stop_process(self) -> None:
        """SIGSTOP, effective when this returns."""
        self.process.send_signal(signal.SIGSTOP)
        stat = Path(f"/proc/{self.process.pid}/stat")
        self.until(lambda: stat.read_text().rsplit(")", 1)[1].split()[0] == "T")

    def end(self) -> None:
        self.show.end()
        self.keeper.stop()


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Recording]:
    recording = Recording(tmp_path)
    yield recording
    if recording.keeper._process is not None and recording.process.poll() is None:
        recording.process.kill()


@pytest.mark.parametrize("form", ["wav", "flac"])
def test_a_take_holds_what_was_played_and_says_what_it_is(tmp_path: Path, form: str) -> None:
    before = datetime.now().astimezone().timestamp()
    recording = Recording(tmp_path, form)
    recording.play(500)
    recording.keeper.mark("verse")
    recording.end()
    log = check_take(tmp_path / "take-001")
    assert (log.frames, log.state, log.ended, holes(log)) == (500 * HOP, "finished", "the session ended", [])
    assert log.settings == INFO.settings
    assert log.latency_samples == INFO.latency_samples
    assert before - 1 < datetime.fromisoformat(log.started).timestamp() < before + WAIT_S
    assert datetime.fromisoformat(log.started).utcoffset() is not None
    (marker,) = log.markers
    assert marker["text"] == "verse"
    assert marker["frame"] >= 500 * HOP
    info = soundfile.info(tmp_path / "take-001" / f"voice-1.{form}")
    assert (info.samplerate, info.subtype) == (RATE, {"wav": "FLOAT", "flac": "PCM_24"}[form])
    told = json.loads((tmp_path / "take-001" / "take.json").read_text())
    assert (told["format"], told["version"], told["length_s"]) == ("rtsep-take", 1, 4.0)
    assert told["stems"] == NAMES[1:]
    status = recording.status()
    assert (status["record_state"], status["record_frames"], status["record_holes"]) == ("finished", 32000, 0)


def test_a_stopped_recorder_loses_what_the_ring_cannot_hold_and_lists_it(tmp_path: Path) -> None:
    recording = Recording(tmp_path, ring_frames=1 << 12)
    recording.play(40)
    recording.stop_process()
    recording.show.play(3 * RATE // HOP)  # three seconds; the ring holds half of one
    recording.process.send_signal(signal.SIGCONT)
    recording.until(lambda: not recording.show.memory.ring.available)
    recording.play(40)
    recording.end()
    log = check_take(tmp_path / "take-001")
    assert log.frames == (80 + 3 * RATE // HOP) * HOP
    ((_, frames, reason),) = holes(log)
    assert reason == "recorder late"
    assert frames > 2 * RATE
    assert in_holes(log) == recording.show.lost
    status = recording.status()
    assert status["record_hole_frames"] == frames
    assert "(recorder late)" in str(status["record_holes_text"])


def test_a_stopped_recorder_catches_up_from_the_ring(recording: Recording) -> None:
    recording.play(10)
    recording.stop_process()
    recording.show.play(3 * RATE // HOP)
    recording.process.send_signal(signal.SIGCONT)
    recording.end()
    log = check_take(recording.root / "take-001")
    assert (log.frames, log.holes) == ((10 + 3 * RATE // HOP) * HOP, [])


@pytest.mark.parametrize("form", ["wav", "flac"])
def test_a_killed_recorder_is_started_again_and_the_take_goes_on(tmp_path: Path, form: str) -> None:
    recording = Recording(tmp_path, form)
    recording.play(300)
    recording.keeper.mark("before")
    first = recording.process
    recording.stop_process()
    recording.show.play(20)  # waits in the ring, for the next recorder
    first.kill()
    recording.until(lambda: recording.keeper._process not in (first, None))
    recording.play(200)
    recording.keeper.mark("after")
    recording.end()
    log = check_take(tmp_path / "take-001")
    assert log.frames == 520 * HOP
    assert [part["folder"] for part in log.parts] == [".", "part-2"]
    assert log.parts[1]["first_frame"] == log.parts[0]["frames"]
    assert [marker["text"] for marker in log.markers] == ["before", "after"]
    lost = holes(log)
    # WAV keeps all that was written; FLAC what was on the disk a second ago
    assert lost == [] if form == "wav" else len(lost) == 1
    for first_frame, frames, reason in lost:
        assert reason == "recorder died"
        assert first_frame == log.parts[0]["frames"]
        assert first_frame + frames == 300 * HOP - DELAY


def test_a_recorder_killed_while_it_reads_loses_that_and_no_more(recording: Recording) -> None:
    """What was out of the ring and not on the disk is a hole, exactly."""
    recording.play(100)
    first = recording.process
    with recording.keeper._lock:  # nobody starts another one yet
        first.kill()
        first.wait()
        recording.show.play(3)
        two_records = np.zeros((2 * LAYOUT.rows, LAYOUT.width), np.float32)
        recording.show.memory.ring.read(two_records)  # as if it had
    recording.until(lambda: recording.keeper._process not in (first, None))
    recording.play(50)
    recording.end()
    log = check_take(recording.root / "take-001")
    assert log.frames == 153 * HOP
    assert holes(log) == [(100 * HOP - DELAY, 2 * HOP, "recorder died")]


def test_recorders_that_die_one_after_another_end_the_take_and_nothing_else(recording: Recording) -> None:
    recording.play(100)
    for _ in range(3):
        recording.until(lambda: recording.keeper._process is not None)
        process = recording.process
        process.kill()
        recording.until(lambda process=process: recording.keeper._process is not process)
    recording.until(lambda: recording.status()["record_state"] == "failed")
    assert "recording failed: the recorder ended 3 times, last with code -9; the sound goes on" in str(
        recording.status()["last_error"]
    )
    recording.show.play(100)  # nobody waits for it
    with pytest.raises(RtsepError, match="recording failed"):
        recording.keeper.start_take()
    recording.keeper.stop()
    log = check_take(recording.root / "take-001")
    assert log.state == "failed"
    assert log.frames == 100 * HOP - DELAY


@pytest.mark.parametrize("going_on", [True, False])
def test_without_device_or_engine_the_wall_clock_counts(recording: Recording, going_on: bool) -> None:
    at = time.monotonic()
    recording.play(100)
    time.sleep(0.5)
    recording.show.engine(going_on)
    recording.play(100)
    away_s = time.monotonic() - at
    recording.end()
    log = check_take(recording.root / "take-001")
    ((first, frames, reason),) = holes(log)
    inside = 0 if going_on else DELAY
    assert first == 100 * HOP - inside
    assert 0.5 * RATE - HOP <= frames - inside <= away_s * RATE
    assert log.frames == 200 * HOP + frames - inside
    kind = "device" if going_on else "engine"
    assert reason == {"device": "device lost", "engine": "engine restarted"}[kind]
    assert [event["kind"] for event in log.events] == [f"{kind}-lost", f"{kind}-back"]
    assert [event["first_frame"] for event in log.events] == [first, first + frames]


def test_an_engine_that_never_comes_back_leaves_silence_until_the_end(recording: Recording) -> None:
    at = time.monotonic()
    recording.play(100)
    time.sleep(0.5)
    recording.keeper.stop()  # no `end` of the show
    log = check_take(recording.root / "take-001")
    ((first, frames, reason),) = holes(log)
    assert (first, reason) == (100 * HOP - DELAY, "device or engine away")
    assert 0.5 * RATE <= frames - DELAY <= (time.monotonic() - at) * RATE
    assert log.frames == first + frames


def test_input_that_a_stalled_engine_lost_is_listed(recording: Recording) -> None:
    recording.play(10)
    recording.show.play(1, lost_frames=HOP)
    recording.show.end()
    recording.keeper.stop()
    log = TakeLog.load(recording.root / "take-001")
    assert holes(log) == [(10 * HOP, HOP, "engine stalled")]


def test_takes_start_and_stop_with_a_pre_roll(tmp_path: Path) -> None:
    recording = Recording(tmp_path, armed=True)
    recording.play(12 * RATE // HOP)
    with pytest.raises(RtsepError, match="nothing is being recorded; start"):
        recording.keeper.mark("too early")
    folder = recording.keeper.start_take()
    with pytest.raises(RtsepError, match="take-001 is being recorded; stop it first"):
        recording.keeper.start_take()
    recording.until(lambda: recording.status()["record_state"] == "recording")
    recording.play(2 * RATE // HOP)
    recording.keeper.stop_take()
    recording.until(lambda: recording.status()["record_state"] == "finished")
    with pytest.raises(RtsepError, match="nothing is being recorded"):
        recording.keeper.stop_take()
    recording.play(RATE // HOP)
    second = recording.keeper.start_take()
    recording.until(lambda: recording.status()["record_take"] == str(Path(second)))
    recording.play(HOP)
    recording.end()
    log = check_take(Path(folder))
    assert log.ended == "stopped"
    begin = log.first_frame + log.pre_roll_frames
    assert 9.5 * RATE <= log.pre_roll_frames <= 10 * RATE
    assert begin >= 12 * RATE - HOP
    # it begins when it was asked to, which on a busy machine is a little later, and ends with what was played
    assert log.first_frame + log.frames >= 14 * RATE - HOP
    later = check_take(Path(second))
    assert Path(second).name == "take-002"
    assert later.pre_roll_frames > 0
    assert later.first_frame >= log.first_frame + log.frames - log.hole_frames  # nothing is in two takes


def test_a_take_begins_and_ends_at_its_frames_exactly(tmp_path: Path) -> None:
    """Not where the recorder happens to be when it is told."""
    recording = Recording(tmp_path, armed=True)
    recording.play(200)
    folder = tmp_path / "take-001"
    folder.mkdir()
    recording.keeper._send(Order("start", 5000, folder=str(folder), started=1e9, pre_roll_frames=1500))
    recording.until(lambda: recording.status()["record_state"] == "recording")
    recording.keeper._send(Order("stop", 200 * HOP + 777))
    time.sleep(0.2)
    recording.play(100)
    recording.until(lambda: recording.status()["record_state"] == "finished")
    recording.end()
    log = check_take(folder)
    assert (log.first_frame, log.pre_roll_frames) == (3500, 1500)
    assert log.first_frame + log.frames == 200 * HOP + 777
    assert log.holes == []
    assert datetime.fromisoformat(log.started).timestamp() == pytest.approx(1e9 - 1500 / RATE, abs=1e-3)


HOST = """
import sys, time
from pathlib import Path
from dataclasses import replace
sys.path.insert(0, {tests!r})
from helpers.take_show import HOP, PLAN, RATE, Show
from rtsep.rt.takes.take_keeper import TakeInfo, TakeKeeper
keeper = TakeKeeper(Path(sys.argv[1]), 3, 1, sys.argv[2], False)
show = Show(keeper.memory)
keeper.begin(replace(PLAN, form=sys.argv[2]), TakeInfo({{}}, {{}}), None)
print(keeper._process.pid, flush=True)
while True:
    show.play(25)
    time.sleep(25 * HOP / RATE / 4)
"""


@pytest.mark.parametrize("form", ["wav", "flac"])
@pytest.mark.parametrize("after_s", [0.3, 1.1, 1.9])
def test_kill_of_everything_leaves_files_that_can_be_read_and_recovered(
    tmp_path: Path, form: str, after_s: float
) -> None:
    script = HOST.format(tests=str(Path(__file__).parents[2]))
    host = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path), form], stdout=subprocess.PIPE, text=True
    )
    assert host.stdout is not None
    recorder = int(host.stdout.readline())
    folder = tmp_path / "take-001"
    deadline = time.monotonic() + WAIT_S
    while not (folder / "take.json").exists() or TakeLog.load(folder).frames == 0:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(after_s)
    assert is_held(folder)
    os.kill(recorder, signal.SIGKILL)
    os.kill(host.pid, signal.SIGKILL)
    host.wait()
    while is_held(folder):
        time.sleep(0.01)
    for name, sign in zip(NAMES, (1, -1, 2), strict=True):  # before anybody has repaired anything
        audio, _ = soundfile.read(folder / f"{name}.{form}", dtype="float32")
        assert len(audio) >= TakeLog.load(folder).frames > 0
        assert (audio == samples(0, len(audio))[:, NAMES.index(name)]).all(), sign
    keeper = TakeKeeper(tmp_path, 3, 1, form, False)
    log = check_take(folder)
    assert (log.state, log.holes) == ("recovered", [])
    assert keeper.notes == [f"take-001 was not finished: recovered, {log.frames / RATE:.1f} s"]
    assert TakeKeeper(tmp_path, 3, 1, form, False).notes == []


def test_a_take_is_never_mixed_with_other_files(tmp_path: Path) -> None:
    """Whatever is in the folder: it stays, and the take gets a number of its own."""
    (tmp_path / "input.wav").write_bytes(b"somebody's")
    (tmp_path / "take-001").write_bytes(b"a file")
    (tmp_path / "take-007").mkdir()
    (tmp_path / "take-007" / "take.json").write_text("{}")
    recording = Recording(tmp_path)
    recording.play(10)
    recording.end()
    check_take(tmp_path / "take-008")
    assert (tmp_path / "input.wav").read_bytes() == b"somebody's"
    assert (tmp_path / "take-007" / "take.json").read_text() == "{}"
    with pytest.raises(RtsepError, match="cannot make the folder"):
        TakeKeeper(tmp_path / "input.wav" / "x", 3, 1, "wav", False)
    with pytest.raises(RtsepError, match="record format 'mp3' is not one of wav, flac"):
        TakeKeeper(tmp_path, 3, 1, "mp3", False)
    with pytest.raises(RtsepError, match="FLAC holds up to 8 channels, the input has 9"):
        TakeKeeper(tmp_path, 27, 9, "flac", False)

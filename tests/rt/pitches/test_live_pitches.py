"""Pitches of a live session: the ring that they leave by, rows that survive a kill, notes on a MIDI port."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from rtsep.bench.jack_rig import JackServer, Rig
from rtsep.kernels.errors import RtsepError
from rtsep.models.choir.given_pitches import F0Track
from rtsep.models.voice_report import SILENCE_DB, VoiceReport
from rtsep.rt.audio.test_signals import synthetic_choir
from rtsep.rt.control.commands import BLOCK_BYTES, lay_out
from rtsep.rt.pitches import pitch_ring
from rtsep.rt.pitches.live_pitches import LivePitches
from rtsep.rt.pitches.pitch_hop import of_voices
from rtsep.rt.pitches.pitch_ring import PitchFeed, PitchReader, make_memory
from rtsep.rt.process.block import Block
from rtsep.rt.process.child_process import end, spawn
from rtsep.rt.process.shared_memory import SharedMemory
from rtsep.rt.python_process import environment, module_command
from rtsep.rt.session import Session

HOP_S, DELAY_S = 256 / 48000, 0.0125


def report(hop: int) -> VoiceReport:
    voices = VoiceReport.silent(("voice-1", "voice-2"))
    voices.f0_hz[...] = 300 + hop, 0
    voices.followed_hz[...] = 300 + hop, 200
    voices.level_db[...] = -20, -30
    return voices


def report_of(voices: int) -> VoiceReport:
    told = VoiceReport.silent(tuple(f"voice-{i + 1}" for i in range(voices)))
    told.f0_hz[...] = told.followed_hz[...] = 200 + np.arange(voices)
    return told


def test_ring_carries_every_hop() -> None:
    """Beside parameters that stay what they are, with the time of each hop; none without a ring."""
    shared = make_memory(BLOCK_BYTES, 2)
    lay_out(shared.memory)
    feed = PitchFeed.of(shared.memory, BLOCK_BYTES, HOP_S, DELAY_S)
    assert feed is not None
    reader = PitchReader(shared.memory, BLOCK_BYTES)
    for hop in range(300):
        feed.write(hop, report(hop))
    hops = reader.read() + reader.read()
    assert len(hops) == 300
    np.testing.assert_allclose([h.time_s for h in hops], (np.arange(300) + 1) * HOP_S - DELAY_S, atol=1e-12)
    assert [float(h.f0_hz[0]) for h in hops] == [300 + hop for hop in range(300)]
    assert hops[7].followed_hz.tolist() == [307, 200]
    assert hops[7].level_db.tolist() == [-20, -30]
    one = VoiceReport.silent(("voice-1",))
    one.f0_hz[0] = 250
    feed.write(300, one)
    (row,) = reader.read()
    assert (row.f0_hz.tolist(), row.followed_hz.tolist()) == ([250], [0])
    assert of_voices(row, 2).f0_hz.tolist() == [250, 0]
    assert of_voices(row, 2).level_db.tolist() == [row.level_db[0], SILENCE_DB]
    feed.write(301, report_of(4))
    (row,) = reader.read()
    assert (row.f0_hz.tolist(), of_voices(row, 2).f0_hz.tolist()) == ([200, 201, 202, 203], [200, 201])
    # another preset whose hops count from 0.4 s of this one: the same clock, to the sample
    feed.go_over(2 * HOP_S, 0.05, 0.4)
    feed.write(7, report(7))
    (row,) = reader.read()
    assert row.time_s == pytest.approx(0.4 + 16 * HOP_S - 0.05, abs=1e-12)
    assert PitchFeed.of(make_memory(BLOCK_BYTES, 0).memory, BLOCK_BYTES, HOP_S, DELAY_S) is None


def test_a_reader_that_sleeps_costs_rows_and_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pitch_ring, "ROWS", 64)
    shared = make_memory(64, 2)
    feed = PitchFeed(shared.memory, 64, HOP_S, DELAY_S)
    for hop in range(200):
        feed.write(hop, report(hop))
    reader = PitchReader(shared.memory, 64)
    assert len(reader.read()) == 64
    feed.write(200, report(200))
    (late,) = reader.read()
    assert late.time_s == pytest.approx(201 * HOP_S - DELAY_S)


def test_another_engine_goes_on_at_its_own_time() -> None:
    shared = make_memory(64, 2)
    PitchFeed(shared.memory, 64, HOP_S, DELAY_S).write(0, report(0))
    time.sleep(0.2)
    PitchFeed(shared.memory, 64, HOP_S, DELAY_S).write(0, report(1))
    first, second = PitchReader(shared.memory, 64).read()
    assert 0.19 < second.time_s - first.time_s < 5


def start_writer(shared: SharedMemory, **asked: object) -> tuple["subprocess.Popen[str]", Block]:
    block = Block.create()
    outputs = {"f0_out": None, "midi_out": None, "jack": False}
    later = [f"voice-{i + 1}" for i in range(4)]
    settings = {"stems": ["voice-1", "voice-2"], "later": later, "first_bytes": 64, **outputs}
    process = spawn(
        None, "rtsep.rt.pitches.pitch_process", [shared, block.shared], json.dumps(settings | asked)
    )
    deadline = time.monotonic() + 60
    while not block.peek():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process, block


def test_a_killed_writer_leaves_whole_rows_and_one_that_ends_everything(tmp_path: Path) -> None:
    mido = pytest.importorskip("mido")
    shared = make_memory(64, 2)
    feed = PitchFeed(shared.memory, 64, HOP_S, DELAY_S)
    table, song = tmp_path / "f0.csv", tmp_path / "notes.mid"
    process, _ = start_writer(shared, f0_out=str(table))
    for hop in range(400):
        feed.write(hop, report(0))
    deadline = time.monotonic() + 60
    while len(table.read_text().splitlines()) < 300:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.kill()
    process.wait()
    track = F0Track.load(table, 2)
    assert track.f0_hz.tolist() == [[300, 200]] * len(track.times_s)

    process, block = start_writer(shared, f0_out=str(tmp_path / "other.csv"), midi_out=str(song))
    for hop in range(400, 800):
        feed.write(hop, report(0))
    end(process, 20)
    assert (process.returncode, block.peek()["state"]) == (0, "finished")
    assert len(F0Track.load(tmp_path / "other.csv", 2).times_s) == 400
    notes = [m.note for t in mido.MidiFile(song).tracks for m in t if m.type == "note_on"]
    assert notes == [62]  # 300 Hz, reported; the other voice is only followed


def test_another_table_begins_where_the_number_of_voices_changes(tmp_path: Path) -> None:
    """It has a column for each voice, and time goes on; a model without pitches begins none. What is there
    already is left alone, and after a kill it is the last table that goes on.
    """
    shared = make_memory(64, 2)
    feed = PitchFeed(shared.memory, 64, HOP_S, DELAY_S)
    table = tmp_path / "f0.csv"
    (tmp_path / "f0-2.csv").write_text("mine")
    process, block = start_writer(shared, f0_out=str(table))
    hop = 0
    for voices in (2, 4, 0, 4, 1):
        for _ in range(10):
            feed.write(hop, report_of(voices))
            hop += 1
    wait_for(lambda: (tmp_path / "f0-4.csv").exists())
    wait_for(lambda: len((tmp_path / "f0-4.csv").read_text().splitlines()) > 5)
    process.kill()
    process.wait()
    told = block.peek()["table"]
    assert told == [str(tmp_path / "f0-4.csv"), 1]
    process, _ = start_writer(shared, f0_out=str(table), going_on=True, table=told)
    for voices in (1, 2):
        for _ in range(10):
            feed.write(hop, report_of(voices))
            hop += 1
    end(process, 20)
    assert (tmp_path / "f0-2.csv").read_text() == "mine"
    tables = {name: F0Track.load(tmp_path / f"f0{name}.csv", count) for name, count in
              (("", 2), ("-3", 4), ("-4", 1), ("-5", 2))}  # fmt: skip
    assert [len(track.times_s) for track in tables.values()][1] == 20
    assert tables["-3"].f0_hz.tolist() == [[200, 201, 202, 203]] * 20
    assert len(tables["-4"].times_s) == 20
    times = np.concatenate([track.times_s for track in tables.values()])
    assert (np.diff(times) > 0).all()
    assert (tmp_path / "f0-3.csv").read_text().splitlines()[0].count("voice-") == 4


def test_refused(tmp_path: Path) -> None:
    (tmp_path / "f0.csv").write_text("mine")
    with pytest.raises(RtsepError, match="is there already"):
        LivePitches(("voice-1",), str(tmp_path / "f0.csv"), None)
    with pytest.raises(RtsepError, match="have no pitch"):
        LivePitches((), None, "synth")
    pitches = LivePitches(("voice-1",), None, "no such port anywhere", jack=False)
    with pytest.raises(RtsepError, match="no such port anywhere"):
        pitches.begin(make_memory(64, 1), 64)
    pitches.stop()


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_writer_that_dies_is_started_again(tmp_path: Path) -> None:
    """Rows go on behind the whole ones that it left, notes behind those that were saved; what lies in the
    ring meanwhile is not lost.
    """
    mido = pytest.importorskip("mido")
    table, song = tmp_path / "f0.csv", tmp_path / "notes.mid"
    pitches = LivePitches(("voice-1", "voice-2"), str(table), str(song))
    shared = make_memory(64, 2)
    feed = PitchFeed(shared.memory, 64, HOP_S, DELAY_S)
    pitches.begin(shared, 64)
    assert pitches.take_fault() == ""
    for hop in range(400):
        feed.write(hop, report(0))
    wait_for(lambda: len(table.read_text().splitlines()) >= 398 and song.exists())
    assert pitches._process is not None
    pitches._process.kill()
    pitches._process.wait()
    with open(table, "ab") as file:
        file.write(b"2.13,30")  # half a row
    assert "ended (code -9): started again" in pitches.take_fault()
    assert pitches.take_fault() == ""
    for hop in range(400, 600):
        feed.write(hop, VoiceReport.silent(("voice-1", "voice-2")))
    for hop in range(600, 800):
        feed.write(hop, report(0))
    pitches.stop()
    times = F0Track.load(table, 2).times_s
    assert 795 <= len(times) <= 800
    assert times[-1] == pytest.approx(800 * HOP_S - DELAY_S, abs=1e-6)
    notes = [m for t in mido.MidiFile(song).tracks for m in t if m.type in ("note_on", "note_off")]
    assert [(m.type, m.note) for m in notes] == [("note_on", 62), ("note_off", 62)] * 2


def test_a_writer_that_dies_again_and_again_is_given_up(tmp_path: Path) -> None:
    pitches = LivePitches(("voice-1",), str(tmp_path / "f0.csv"), None)
    pitches.begin(make_memory(64, 1), 64)
    told = []
    for _ in range(3):
        assert pitches._process is not None
        pitches._process.kill()
        pitches._process.wait()
        told.append(pitches.take_fault())
    assert [("started again" in words, "not written any more" in words) for words in told] == [
        (True, False), (True, False), (False, True)
    ]  # fmt: skip
    assert pitches.take_fault() == ""
    pitches.stop()


@pytest.mark.jack
@pytest.mark.slow
def test_notes_and_rows_of_a_session(jack_server: JackServer, tmp_path: Path) -> None:
    """A choir is played into a session: rows date its chord changes to where they are in the take, and notes
    come over JACK on a port that others connect to."""
    jack = pytest.importorskip("jack")
    pytest.importorskip("rtmidi")
    sound = synthetic_choir(48000, 2.5, voices=2)[:, 0]
    pitches = LivePitches(("voice-1", "voice-2"), str(tmp_path / "f0.csv"), "virtual:notes", jack=True)
    heard: list[tuple[float, bytes]] = []
    client = jack.Client("listener", no_start_server=True)
    port = client.midi_inports.register("in")

    @client.set_process_callback
    def listen(frames: int) -> None:
        for offset, data in port.incoming_midi_events():
            heard.append((client.last_frame_time + offset, bytes(data)))

    with Session(voices=2, latency_ms=11, record=tmp_path / "takes", pitches=pitches.voices) as session:
        pitches.begin(session.memories[1], BLOCK_BYTES)
        with client, Rig(3, 4) as rig:
            (out,) = client.get_ports("notes", is_midi=True, is_output=True)
            client.connect(out, port)
            rig.connect()
            rig.play(sound)
            time.sleep(0.3)
    pitches.stop()
    assert pitches.take_fault() == ""
    ons = [(data[0] & 15, data[1]) for _, data in heard if data[0] & 0xF0 == 0x90 and data[2]]
    offs = [(data[0] & 15, data[1]) for _, data in heard if data[0] & 0xF0 == 0x80]
    assert {(0, 72), (1, 67), (1, 69)} <= set(ons)
    assert sorted(ons) == sorted(offs)
    setup = [data for _, data in heard if data[0] & 0xF0 == 0xB0]
    assert bytes([0xB0, 6, 48]) in setup

    played = soundfile.read(tmp_path / "takes" / "take-001" / "input.wav")[0]
    began_s = int(np.argmax(np.abs(played) > 1e-3)) / 48000
    track = F0Track.load(tmp_path / "f0.csv", 2)
    np.testing.assert_allclose(np.diff(track.times_s), HOP_S, atol=1e-6)
    alto = track.f0_hz[:, 1]
    changes = track.times_s[(alto > 0) & (np.abs(1200 * np.log2(np.maximum(alto, 1) / 440.0)) < 60)]
    assert changes[0] - began_s == pytest.approx(1.5, abs=0.1)  # G to A


@pytest.mark.jack
def test_a_killed_command_leaves_a_table(jack_server: JackServer, tmp_path: Path) -> None:
    words = ["--input", "mic", "--voices", "2", "--driver", "jack", "--json", "--f0-out", "f0.csv"]
    process = subprocess.Popen(
        module_command("rtsep", *words), cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True
    )
    table = tmp_path / "f0.csv"
    deadline = time.monotonic() + 60
    while not table.exists() or len(table.read_text().splitlines()) < 200:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.1)
    children = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert psutil.wait_procs(children, 60)[1] == []  # the writer ends by itself
    track = F0Track.load(table, 2)
    assert len(track.times_s) >= 199
    assert table.read_bytes().endswith(b"\n")

"""Whole sessions through a JACK server of their own: sound, latency, faults, endings."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
from helpers.lateness import PLAYS, SKIPPED, attempts, later_status, place_of

from rtsep.bench.jack_rig import JackServer, Rig, delay_samples
from rtsep.bench.take_check import offline_stems, read_take, replay
from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.parameters import RAMP_S
from rtsep.rt.live.status import Status
from rtsep.rt.separator import Separator
from rtsep.rt.session import Session
from rtsep.rt.takes.take_log import TakeLog

pytestmark = pytest.mark.jack


def until(session: Session, state: str, timeout_s: float = 60.0) -> Status:
    deadline = time.monotonic() + timeout_s
    while (status := session.status()).state != state:
        assert time.monotonic() < deadline, f"still {status.state}: {status.last_error}"
        time.sleep(0.02)
    return status


def test_delay_and_stems(jack_server: JackServer, tmp_path: Path) -> None:
    """Played in, heard out: the declared delay, and exactly the stems that the offline path gives."""
    frames = 12000
    with Session(voices=3, latency_ms=5, record=tmp_path) as session, Rig(4, 4) as rig:
        declared = session.latency_samples
        rig.connect()
        for attempt in attempts(PLAYS):
            burst = np.random.default_rng(attempt.number).uniform(-0.3, 0.3, frames).astype(np.float32)
            rig.again()
            attempt.watch(session, rig)
            rig.play(burst, settle_s=0.0, tail_s=0.1)
            start, status = attempt.judge(session, rig, burst), session.status()
    played, heard = rig.recording[:, 0], rig.recording[:, 1:]
    assert declared == status.algorithmic_samples + status.buffering_samples == 256
    assert delay_samples(played, heard.sum(1)) == declared
    total = heard[start + declared : start + declared + frames].sum(1)
    np.testing.assert_allclose(total, burst, atol=1e-6)

    separator = Separator.load(voices=3, latency_ms=5)
    take = read_take(tmp_path / "take-001", ("input", *separator.stems))
    found = replay(tmp_path / "take-001", separator)
    assert (found.different, found.holes) == (0, 0)
    assert found.compared > take.shape[1] - 2 * separator.hop
    at = place_of(burst, take[0])
    np.testing.assert_array_equal(
        heard[start + declared : start + declared + frames].T, take[1:, at : at + frames]
    )
    assert session.status().state == "stopped"
    assert session.status().record_state == "finished"
    assert session.status().record_frames == take.shape[1]


def test_parameters_move_while_it_plays(jack_server: JackServer) -> None:
    """All stems 6 dB down, then the bypass: the sum follows in a ramp, and the delay stays the same."""
    frames = 38400
    noise = np.random.default_rng(0).uniform(0.1, 0.3, frames).astype(np.float32)
    noise[::2] *= -1  # never near zero, so that every frame shows the gain
    with Session(voices=2, latency_ms=5) as session, Rig(3, 3) as rig:
        declared, control = session.latency_samples, session.control
        rig.connect()
        gains = [f"{stem}.gain" for stem in session.status().stems]
        for attempt in attempts(PLAYS):
            control.update({**dict.fromkeys(gains, 0.0), "bypass": False})
            attempt.watch(session, rig)
            rig.again()
            rig.start(noise)
            rig.wait(9600)
            control.update(dict.fromkeys(gains, -6.0))
            rig.wait(14400)
            control.set("bypass", True)
            rig.wait(frames)
            assert session.latency_samples == declared == 256
            start = attempt.judge(session, rig, noise)
    heard = rig.recording[:, 1:]
    stems = heard[start + declared : start + declared + frames]
    gain = stems.sum(1) / noise
    low = 10 ** (-6 / 20)
    moved = np.flatnonzero(np.abs(gain - 1) > 1e-4)
    first, ramp = int(moved[0]), round(RAMP_S * 48000)
    line = 1 - (1 - low) * np.arange(1, ramp + 1) / ramp
    np.testing.assert_allclose(gain[first : first + ramp], line, atol=1e-3)
    bypassed = int(np.flatnonzero(~stems[:, :2].any(1) & (np.arange(frames) > first))[0])
    np.testing.assert_allclose(gain[first + ramp : bypassed - ramp], low, atol=1e-4)
    assert bypassed - ramp > first + ramp + 4800
    np.testing.assert_array_equal(stems[bypassed:, 2], noise[bypassed:])
    assert not stems[bypassed:, :2].any()
    assert np.abs(np.diff(gain)).max() < 2 / ramp + 1e-4


def test_what_was_set_outlives_a_lost_device(jack_server: JackServer) -> None:
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, 24000).astype(np.float32)
    with Session(voices=1, latency_ms=5) as session:
        session.control.set("bypass", True)
        jack_server.stop()
        until(session, "device-lost")
        jack_server.start()
        until(session, "running")
        with Rig(2, 3) as rig:
            rig.connect()
            rig.play(noise)
    assert session.control.get("bypass") == 1
    assert not rig.recording[:, 1].any()
    assert delay_samples(rig.recording[:, 0], rig.recording[:, 2]) == session.latency_samples
    assert np.abs(rig.recording[:, 2]).max() > 0.2


def test_a_lost_device_is_told_and_awaited(jack_server: JackServer, tmp_path: Path) -> None:
    for attempt in attempts():
        with Session(voices=2, record=tmp_path / str(attempt.number)) as session:
            before = later_status(session)
            jack_server.stop()
            lost = until(session, "device-lost")
            assert "went away; waiting" in lost.last_error
            time.sleep(1.0)
            assert session.status().state == "device-lost"
            jack_server.start()
            until(session, "running")
            after = later_status(session)
        attempt.judge_counters(session.status(), SKIPPED)
    assert after.device_losses == 1
    assert after.frames > lost.frames >= before.frames > 0
    assert after.last_error == ""
    separator, folder = Separator.load(voices=2), tmp_path / str(attempt.number) / "take-001"
    take = read_take(folder, ("input", *separator.stems))
    log = TakeLog.load(folder)
    ((first, frames),) = ((hole["first_frame"], hole["frames"]) for hole in log.holes)
    assert take.shape[1] == log.frames > before.frames + 48000
    assert session.status().record_hole_frames == frames > 48000
    assert not take[:, first : first + frames].any()
    played = np.delete(take, np.s_[first : first + frames], axis=1)
    np.testing.assert_array_equal(played[1:], offline_stems(separator, played[0]))


def test_stopping_without_a_device(jack_server: JackServer) -> None:
    with Session(voices=1) as session:
        jack_server.stop()
        until(session, "device-lost")
    assert session.status().state == "stopped"


HOST = """
import signal, sys, time
from rtsep.rt.session import Session
from rtsep.rt.takes.take_log import TakeLog
# whoever runs the tests in the background lets children inherit that Ctrl-C is ignored
signal.signal(signal.SIGINT, signal.default_int_handler)
with Session(voices=2, record=sys.argv[1]) as session:
    print("running", flush=True)
    session.wait()
"""


def wait_until_long(take: Path, samples: float) -> None:
    """Until a mono take of 32 bit has so many samples; a busy machine starts its recorder late."""
    deadline = time.monotonic() + 60
    while not take.exists() or take.stat().st_size < 4 * samples:
        assert time.monotonic() < deadline, f"{take} is not written"
        time.sleep(0.05)


@pytest.mark.parametrize("way", ["ctrl-c", "SIGTERM", "SIGKILL", "engine SIGTERM"])
def test_every_end_leaves_valid_files_and_no_process(
    jack_server: JackServer, tmp_path: Path, way: str
) -> None:
    host = subprocess.Popen(
        [sys.executable, "-c", HOST, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,  # a group of its own, as a terminal gives it
    )
    assert host.stdout is not None
    assert host.stdout.readline() == "running\n"
    wait_until_long(tmp_path / "take-001" / "input.wav", 0.6 * 48000)
    children = psutil.Process(host.pid).children(recursive=True)
    assert len(children) == 3  # the engine, what keeps it alive, the recorder
    if way == "ctrl-c":
        os.killpg(host.pid, signal.SIGINT)  # a terminal sends it to the whole group
    elif way == "engine SIGTERM":
        next(c for c in children if "rtsep.rt.live.engine_process" in c.cmdline()).terminate()
    else:
        host.send_signal(signal.Signals[way])
    host.wait(60)
    _, alive = psutil.wait_procs(children, 60)
    assert alive == []
    lengths = {
        soundfile.info(tmp_path / "take-001" / f"{name}.wav").frames
        for name in ("input", "voice-1", "voice-2", "residual")
    }
    log = TakeLog.load(tmp_path / "take-001")
    assert lengths == {log.frames}
    assert log.frames > 0.5 * 48000
    assert (log.state, log.holes) == ("finished", [])


def test_an_engine_that_is_killed_leaves_a_hole_as_long_as_the_wall_clock_says(
    jack_server: JackServer, tmp_path: Path
) -> None:
    """The show goes on with another engine, and so does the take."""
    with Session(voices=1, record=tmp_path) as session:
        later_status(session)
        session.mark("before")
        killed = session.status()
        os.kill(killed.engine_pid, signal.SIGKILL)
        until_restarted = time.monotonic() + 60
        while (status := session.status()).engine_pid == killed.engine_pid or status.state != "running":
            assert time.monotonic() < until_restarted
            time.sleep(0.02)
        later_status(session)
        told, began = time.monotonic(), session._takes._frame  # type: ignore[union-attr]
    log = TakeLog.load(tmp_path / "take-001")
    ((first, frames, reason),) = ((h["first_frame"], h["frames"], h["reason"]) for h in log.holes)
    assert reason == "engine restarted"
    take = read_take(tmp_path / "take-001", ("input", "voice-1", "residual"))
    assert take.shape[1] == log.frames
    assert not take[:, first : first + frames].any()
    assert frames > 4800
    assert began <= log.frames <= began + (time.monotonic() - told) * 48000
    assert [marker["text"] for marker in log.markers] == ["before"]


def test_what_cannot_be_had_is_told_on_start(jack_server: JackServer, tmp_path: Path) -> None:
    for wrong, message in (
        ({"input": "nowhere"}, "no input device has 'nowhere' in its name; choose one of .*'system'"),
        ({"input": 99}, "there is no device 99"),
        ({"input_channels": 3}, "input channel 3 is outside 1..2"),
        ({"output_channels": [1, 9]}, "output channel 9 is outside 1..8"),
        ({"samplerate": 44100}, "does not run at 44100 Hz; use its own rate, 48000 Hz"),
        ({"blocksize": 64}, "block size 64 is not the JACK server's period of 128"),
        ({"voices": 7}, "7 voices is outside 1..4"),
        ({"latency_ms": 12}, "latency 12 ms is not one of"),
        ({"model": "tenor"}, "model 'tenor' is not one of"),
    ):
        session = Session(**wrong)  # type: ignore[arg-type]
        with pytest.raises(RtsepError, match=message):
            session.start()
        assert session.wait(0)
    with pytest.raises(RtsepError, match="call start"):
        _ = Session().latency_samples
    with pytest.raises(RtsepError, match="parameters of a session are known once it runs; call start"):
        _ = Session().control


def test_blocks_longer_than_the_hop_are_declared(tmp_path: Path) -> None:
    """A JACK period of 512 with a hop of 128: the delay grows by the buffering, and is still exact."""
    burst = np.random.default_rng(0).uniform(-0.3, 0.3, 24000).astype(np.float32)
    with JackServer(period=512) as server, Session(voices=1, latency_ms=5) as session, Rig(2, 3) as rig:
        assert server.period == session.status().blocksize
        rig.connect()
        rig.play(burst)
        status = session.status()
    assert status.buffering_samples == 512 - 128
    assert status.live_latency_samples == 256 + 384
    assert delay_samples(rig.recording[:, 0], rig.recording[:, 1:].sum(1)) == status.live_latency_samples

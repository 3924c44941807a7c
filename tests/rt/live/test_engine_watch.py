"""The show goes on: an engine that is killed, hangs or fails is started again; one that cannot stay up gives
way to the delayed mixture.
"""

import contextlib
import os
import signal
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
from helpers.lateness import PLAYS, attempts, place_of

from rtsep.bench.jack_rig import JackServer, Rig
from rtsep.rt.live.engine_watch import CRASHES
from rtsep.rt.live.engines.spare_keeper import MODULE as SPARE
from rtsep.rt.live.status import Status
from rtsep.rt.session import Session
from rtsep.rt.takes.take_log import TakeLog

pytestmark = pytest.mark.jack

WAIT_S = 60.0  # a machine that does other work starts an engine in seconds
TAKEN = ("input", "voice-1", "voice-2", "voice-3", "residual")
FAULTY = """
import os
from rtsep.rt.live import hop_loop
whole = hop_loop.HopLoop.run_hop
def run_hop(self):
    if self._chain.hop_index > 20 and not os.path.exists({marker!r}):
        open({marker!r}, "w").close()
        raise ValueError("a fault of one hop")
    whole(self)
hop_loop.HopLoop.run_hop = run_hop
"""


def after_restart(session: Session, pid: int) -> Status:
    """The first status of another process than `pid` that plays."""
    deadline = time.monotonic() + WAIT_S
    while True:
        status = session.status()
        if status.engine_pid != pid and status.state in ("running", "bypassed"):
            return status
        assert time.monotonic() < deadline, f"still {status.state}: {status.last_error}"
        time.sleep(0.02)


def spare_of(session: Session) -> psutil.Process:
    """The engine in waiting, once there is one."""
    deadline = time.monotonic() + WAIT_S
    while True:
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                waits = SPARE in child.cmdline() and child.pid != session.status().engine_pid
                if waits and child.status() != psutil.STATUS_ZOMBIE:
                    return child
        assert time.monotonic() < deadline, "there is no spare"
        time.sleep(0.05)


def test_a_killed_engine_comes_back_as_it_was(jack_server: JackServer) -> None:
    with Session(voices=2) as session:
        session.control.set("voice-2.gain", -12.0)
        before = session.status()
        os.kill(before.engine_pid, signal.SIGKILL)
        status = after_restart(session, before.engine_pid)
        assert (status.state, status.engine_restarts, status.last_error) == ("running", 1, "")
        assert status.live_latency_samples == before.live_latency_samples
        assert status.frames >= before.frames
        assert any("code -9; started again" in note for note in status.notes)
        assert session.control.get("voice-2.gain") == -12.0
    assert session.status().state == "stopped"


def test_the_engine_in_waiting_takes_over(jack_server: JackServer) -> None:
    """And is itself replaced by the next one; nobody is left behind."""
    with Session(voices=2) as session:
        for restarts in (1, 2):
            spare = spare_of(session)
            pid = session.status().engine_pid
            os.kill(pid, signal.SIGKILL)
            status = after_restart(session, pid)
            assert (status.engine_pid, status.engine_restarts) == (spare.pid, restarts)
        left = spare_of(session)
    assert not left.is_running()


def test_a_killed_engine_plays_stems_again(jack_server: JackServer) -> None:
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, 24000).astype(np.float32)
    with Session(voices=2, latency_ms=5) as session:
        session.control.set("voice-1.mute", True)
        session.control.set("voice-2.mute", True)
        session.control.set("residual.mute", True)
        pid = session.status().engine_pid
        os.kill(pid, signal.SIGKILL)
        after_restart(session, pid)
        with Rig(3, 3) as rig:
            rig.connect()
            rig.play(noise)
    # mutes were set before the fault and hold after it
    assert np.abs(rig.recording[:, 0]).max() > 0.25
    assert np.abs(rig.recording[:, 1:]).max() == 0.0


def test_an_engine_that_hangs_is_replaced(jack_server: JackServer) -> None:
    with Session(voices=1) as session:
        pid = session.status().engine_pid
        os.kill(pid, signal.SIGSTOP)
        status = after_restart(session, pid)
        assert status.state == "running"
        assert any("hung" in note for note in status.notes)


def test_an_exception_in_a_hop_is_no_end(
    jack_server: JackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "raised"
    (tmp_path / "sitecustomize.py").write_text(FAULTY.format(marker=str(marker)))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Session(voices=1) as session:
        deadline = time.monotonic() + WAIT_S
        while (status := session.status()).engine_restarts == 0 or status.state != "running":
            assert time.monotonic() < deadline, status.state
            time.sleep(0.02)
        assert marker.exists()
        assert any("code 1; started again" in note for note in status.notes)


def test_a_crash_loop_ends_in_the_mixture(jack_server: JackServer, tmp_path: Path) -> None:
    """Delayed by exactly the latency declared before, and none of it is silence; in the take too."""
    with Session(voices=3, latency_ms=5, record=tmp_path) as session:
        latency = session.latency_samples
        for _ in range(CRASHES):
            pid = session.status().engine_pid
            os.kill(pid, signal.SIGKILL)
            status = after_restart(session, pid)
        assert status.state == "bypassed"
        assert "mixture is played" in status.last_error
        assert status.live_latency_samples == latency
        with Rig(4, 3) as rig:
            rig.connect()
            for attempt in attempts(PLAYS):
                noise = np.random.default_rng(attempt.number).uniform(-0.3, 0.3, 12000).astype(np.float32)
                rig.again()
                attempt.watch(session, rig)
                rig.play(noise, settle_s=0.0, tail_s=0.1)
                start = attempt.judge(
                    session, rig, noise, ("xruns", "input_lost_frames")
                )  # all is a fallback
        pid = session.status().engine_pid
        os.kill(pid, signal.SIGKILL)  # the bypass itself
        assert after_restart(session, pid).state == "bypassed"
    heard = rig.recording[:, 1:].sum(1)
    np.testing.assert_allclose(heard[start + latency : start + latency + len(noise)], noise, atol=1e-6)
    assert session.status().state == "stopped"
    taken = {name: soundfile.read(tmp_path / "take-001" / f"{name}.wav")[0] for name in TAKEN}
    place_of(noise, taken["input"])  # it is there
    np.testing.assert_array_equal(taken["residual"], taken["input"])
    assert all(not taken[f"voice-{number}"].any() for number in (1, 2, 3))
    log = TakeLog.load(tmp_path / "take-001")
    assert {len(sound) for sound in taken.values()} == {log.frames}
    bypassed = [event for event in log.events if event["kind"] == "bypassed"]
    ends = [event["first_frame"] + event["frames"] for event in bypassed]  # xruns may cut a stretch in parts
    assert sum(event["first_frame"] not in ends for event in bypassed) == 2


def test_a_session_that_ends_leaves_no_process(jack_server: JackServer) -> None:
    with Session(voices=1) as session:
        pid = session.status().engine_pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_digital_silence_is_told(jack_server: JackServer) -> None:
    with Session(voices=1) as session:
        deadline = time.monotonic() + WAIT_S
        while not session.status().no_signal:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with Rig(1, 3) as rig:
            rig.connect()
            rig.play(np.full(48000, 1e-6, np.float32), tail_s=0.0)
            assert not session.status().no_signal

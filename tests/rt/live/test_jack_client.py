"""rtsep as a JACK client of its own: ports, latency, connections, offline bounces, a server that changes."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.lateness import SKIPPED, attempts
from helpers.sung import note, sing

import rtsep
from rtsep.bench.jack_rig import JackServer, Rig
from rtsep.bench.take_check import offline_stems, read_take
from rtsep.kernels.errors import RtsepError
from rtsep.models.choir.score.score import Score
from rtsep.rt.drivers.jack_options import JackOptions
from rtsep.rt.live.status import Status
from rtsep.rt.separator import Separator
from rtsep.rt.session import Session

pytestmark = pytest.mark.jack

WAIT_S = 60.0  # a machine that does other work starts an engine in seconds


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nobody's own connections are touched."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "rtsep"


def until(session: Session, holds: Callable[[Status], bool]) -> Status:
    deadline = time.monotonic() + WAIT_S
    while not holds(status := session.status()):
        assert time.monotonic() < deadline, f"{status.state}, {status.wires}, {status.last_error}"
        time.sleep(0.05)
    return status


def jack_client(name: str) -> Any:
    import jack

    jack.set_error_function(lambda message: None)
    jack.set_info_function(lambda message: None)
    return jack.Client(name, no_start_server=True)


@contextlib.contextmanager
def other_client(name: str) -> Iterator[Any]:
    """A musician's other program, with a port in and a port out, that counts the cycles it is given."""
    client = jack_client(name)
    client.inports.register("in")
    client.outports.register("out")
    client.cycles = 0

    @client.set_process_callback
    def count(frames: int) -> None:
        client.cycles += 1

    client.activate()
    try:
        yield client
    finally:
        with contextlib.suppress(Exception):
            client.close()


def await_cycles(session: Session, other: Any) -> None:
    """Both are given cycles from now on."""
    cycles, frames = other.cycles, session.status().frames
    until(session, lambda s: s.frames > frames + 4800 and other.cycles > cycles + 10)


def wires_of(port: str) -> list[str]:
    """Connections as the graph has them."""
    lines = subprocess.run(["jack_lsp", "-c"], stdout=subprocess.PIPE, text=True, check=True).stdout
    found, here = [], ""
    for line in lines.splitlines():
        if not line.startswith(" "):
            here = line
        elif here == port:
            found.append(line.strip())
    return found


def await_wires(port: str, expected: list[str]) -> None:
    deadline = time.monotonic() + WAIT_S
    while wires_of(port) != expected:
        assert time.monotonic() < deadline, f"{port} has {wires_of(port)}, not {expected}"
        time.sleep(0.05)


def await_latency(port: str, side: str, samples: int) -> None:
    """As the graph has it: the server works it out after the wires are there."""
    look, deadline = ["jack_lsp", "-l", port], time.monotonic() + WAIT_S
    words = f"{side} latency = [ {samples} {samples} ]"
    while words not in (told := subprocess.run(look, stdout=subprocess.PIPE, text=True).stdout):
        assert time.monotonic() < deadline, told
        time.sleep(0.05)


def bounce(session: Session, rig: Rig, signal: np.ndarray) -> Status:
    """Plays the signal, float32 [frames], while the server freewheels: no clock, so nobody can be late."""
    rig.connect()
    driver = jack_client("bouncer")
    driver.activate()
    start = until(session, lambda s: s.frames > 4800)
    driver.set_freewheel(True)
    # the first look that is surely of a graph without a clock: a hop may be late until it is
    before = until(session, lambda s: s.frames > start.frames + 4800)
    rig._signal = signal
    after = until(session, lambda s: s.frames > before.frames + 2 * len(signal))
    driver.set_freewheel(False)
    driver.close()
    assert (after.late_hops, after.fallback_samples) == (before.late_hops, before.fallback_samples)
    return after


@pytest.mark.parametrize(("latency_ms", "samples"), [(5, 256), (143, 7168)])
def test_a_bounce_is_exact_and_as_late_as_the_graph_is_told(
    jack_server: JackServer, tmp_path: Path, latency_ms: int, samples: int
) -> None:
    """Faster than the engine: every block waits for its hop, and what is heard is what a file gives."""
    t, frames = np.arange(96000) / 48000, 96000
    tones = sum(0.1 * np.sin(2 * np.pi * f * t) for f in (220, 440, 660, 880))
    signal = (tones + np.random.default_rng(0).normal(0, 0.01, frames)).astype(np.float32)
    options = JackOptions(connect="system:capture_1>in_1; voice-1>system:playback_1", restore=False)
    for attempt in attempts():
        folder = tmp_path / str(attempt.number)
        with (
            Session(
                voices=2, latency_ms=latency_ms, jack=options, record=folder, allow_feedback=True
            ) as session,
            Rig(3, 15, "rtsep") as rig,
        ):
            await_wires("rtsep:voice-1", ["system:playback_1"])
            whole = jack_server.period + samples
            await_latency("rtsep:voice-1", "capture", whole)
            await_latency("rtsep:in_1", "playback", whole)
            bounce(session, rig, signal)
            latency = session.latency_samples
        attempt.judge_counters(session.status(), SKIPPED)  # there is a clock before and after the bounce
    assert latency == samples
    start = int(np.argmax(rig.recording[:, 0] != 0))
    np.testing.assert_array_equal(rig.recording[start : start + frames, 0], signal)
    heard = rig.recording[start + latency : start + latency + frames, 1:]
    np.testing.assert_allclose(heard.sum(1), signal, atol=2e-6)
    assert np.abs(heard[:, :2]).max() > 0.05  # there are voices to speak of
    take = read_take(folder / "take-001", ("input", "voice-1", "voice-2", "residual"))
    np.testing.assert_array_equal(
        take[1:], offline_stems(Separator.load(voices=2, latency_ms=latency_ms), take[0])
    )
    at = int(np.argmax(take[0] != 0))
    np.testing.assert_array_equal(heard.T, take[1:, at : at + frames])


def test_a_score_is_followed_in_the_graph(jack_server: JackServer, tmp_path: Path) -> None:
    """Ports and files of a take bear the names of the parts, the place moves on, and the samples are those of
    a file that is separated hop by hop."""
    chord_s = 0.5
    notes = ((69, 60), (71, 62), (67, 59), (62, 67), (65, 57), (74, 65))  # they cross in the fourth
    parts = tuple(
        tuple((i * chord_s, (i + 1) * chord_s, float(chord[part])) for i, chord in enumerate(notes))
        for part in range(2)
    )
    beats = tuple((i * chord_s, i + 1, 1.0) for i in range(len(notes)))
    score = Score(("high", "low"), parts, beats, 0.0)
    f0_hz = np.repeat([[note(midi) for midi in chord] for chord in notes], round(48000 * chord_s), axis=0)
    signal = sum(sing(column, 48000, 0.1) for column in f0_hz.T).astype(np.float32)
    options = JackOptions(connect="system:capture_1>in_1; high>system:playback_1", restore=False)
    for attempt in attempts():
        folder = tmp_path / str(attempt.number)
        with Session(score=score, jack=options, record=folder, allow_feedback=True) as session:
            before = until(session, lambda s: s.frames > 0)
            await_wires("rtsep:high", ["system:playback_1"])
            told = subprocess.run(["jack_lsp", "rtsep:"], stdout=subprocess.PIPE, text=True, check=True)
            with Rig(3, 12, "rtsep") as rig:
                status = bounce(session, rig, signal)
            latency = session.latency_samples
        if before.frames >= 48000 * chord_s:
            attempt.disturbances.append(f"the first look was at {before.frames} frames")
        attempt.judge_counters(session.status(), SKIPPED)  # there is a clock before and after the bounce
    names = {port.split(":")[1] for port in told.stdout.split()}
    assert names == {"in_1", "high", "low", "residual"}
    assert before.score_bar == 1
    assert status.score_bar is not None
    assert status.score_bar >= 5  # silence followed the last chord
    take = read_take(folder / "take-001", ("input", "high", "low", "residual"))
    stems = rtsep.separate(take[0], 48000, score=score, latency_ms=11, offline="off")
    np.testing.assert_array_equal(take[1:], np.stack(list(stems.values())))
    start, at = int(np.argmax(rig.recording[:, 0] != 0)), int(np.argmax(take[0] != 0))
    heard = rig.recording[start + latency : start + latency + len(signal), 1:]
    np.testing.assert_array_equal(heard.T, take[1:, at : at + len(signal)])
    crossed = slice(at + round(48000 * 3.2 * chord_s), at + round(48000 * 3.9 * chord_s))
    t = np.arange(crossed.stop - crossed.start) / 48000
    own, other = (abs(np.exp(-2j * np.pi * note(midi) * t) @ take[1, crossed]) for midi in notes[3])
    assert own > 3 * other, "the high part sings the lower note"


@pytest.mark.parametrize(
    ("connect", "allowed", "muted"),
    [(None, False, 1), (None, True, 0), ("system:capture_1>in_1", False, 0)],
)
def test_a_microphone_and_loudspeakers_of_one_device_start_muted(
    jack_server: JackServer, connect: str | None, allowed: bool, muted: float
) -> None:
    options = JackOptions(connect=connect, restore=False)
    with Session(voices=1, jack=options, allow_feedback=allowed) as session:
        assert session.control.get("output.mute") == muted
        assert any("--yes-feedback" in note for note in session.status().notes) == bool(muted)


def test_wires_made_by_hand_are_remembered(jack_server: JackServer, state: Path) -> None:
    with Session(voices=1, driver="jack"):
        await_wires("rtsep:voice-1", ["system:playback_1"])
        subprocess.run(["jack_disconnect", "rtsep:voice-1", "system:playback_1"], check=True)
        subprocess.run(["jack_connect", "rtsep:voice-1", "system:playback_5"], check=True)
        await_file(
            state / "jack-rtsep.json", ["voice-1", "system:playback_5"], ["voice-1", "system:playback_1"]
        )
    with Session(voices=1, driver="jack"):
        await_wires("rtsep:voice-1", ["system:playback_5"])
        await_wires("rtsep:in_1", ["system:capture_1"])
    with Session(voices=1, jack=JackOptions(restore=False)):
        await_wires("rtsep:voice-1", ["system:playback_1"])


def await_file(path: Path, held: list[str], gone: list[str]) -> None:
    deadline = time.monotonic() + WAIT_S
    while True:
        wires = json.loads(path.read_text())["wires"] if path.exists() else []
        if held in wires and gone not in wires:
            return
        assert time.monotonic() < deadline, wires
        time.sleep(0.05)


def test_a_port_that_comes_later_is_connected_and_so_again(jack_server: JackServer) -> None:
    with Session(voices=1, jack=JackOptions(connect="desk:out>in_1; voice-1>desk:in")) as session:
        status = until(session, lambda s: bool(s.notes))
        assert any("waiting for the port: desk:out>in_1" in note for note in status.notes)
        for _ in range(2):
            with other_client("desk"):
                await_wires("rtsep:in_1", ["desk:out"])
                await_wires("rtsep:voice-1", ["desk:in"])
            until(session, lambda s: bool(s.notes))


def test_a_second_client_of_one_name_is_told_its_own(jack_server: JackServer) -> None:
    with Session(voices=1, driver="jack"), Session(voices=1, driver="jack") as second:
        status = until(second, lambda s: s.jack_client != "")
        assert status.jack_client == "rtsep-01"
        assert any("'rtsep-01'" in note for note in status.notes)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"jack": JackOptions(connect="system:capture_8>in_1")}, "system:capture_1"),
        ({"jack": JackOptions(connect="voice-7>system:playback_1")}, "voice-1"),
        ({"driver": "jack", "samplerate": 44100}, "48000"),
        ({"driver": "jack", "blocksize": 64}, "128"),
        ({"driver": "jack", "input": "nobody"}, "system"),
    ],
)
def test_what_the_server_cannot_give_is_refused(
    jack_server: JackServer, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(RtsepError, match=words):
        Session(voices=1, **options).start()


def test_no_server_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "nobody-runs-this")
    with pytest.raises(RtsepError, match="'nobody-runs-this' cannot be joined"):
        Session(voices=1, driver="jack").start()


def test_another_block_size_is_followed(jack_server: JackServer) -> None:
    """384 frames do not divide a hop of 256: 256 more samples of latency, told to everyone. Another client is
    given its cycles all the time, and the engine is the same one.
    """
    with other_client("other") as other, Session(voices=1, driver="jack") as session:
        before = until(session, lambda s: s.jack_client != "")
        assert before.live_latency_samples == 512
        subprocess.run(["jack_bufsize", "256"], check=True)
        assert until(session, lambda s: s.blocksize == 256).live_latency_samples == 512
        subprocess.run(["jack_bufsize", "384"], check=True)
        after = until(session, lambda s: s.blocksize == 384)
        assert after.live_latency_samples == session.latency_samples == 768
        assert any("from 512 to 768 samples" in note for note in after.notes)
        assert (after.state, after.engine_pid, after.device_losses) == ("running", before.engine_pid, 0)
        await_cycles(session, other)
        await_latency("rtsep:in_1", "playback", 1152)  # with the driver's 384


@pytest.mark.parametrize(
    ("change", "latency"), [({}, 512), ({"period": 384}, 768), ({"samplerate": 44100}, 512)]
)
def test_a_server_that_comes_back_is_joined_with_the_old_wires(
    jack_server: JackServer, change: dict[str, int], latency: int
) -> None:
    """With another period or rate too: the same model plays on, its exact latency is told."""
    with Session(voices=1, jack=JackOptions(connect="none")) as session:
        subprocess.run(["jack_connect", "system:capture_2", "rtsep:in_1"], check=True)
        until(session, lambda s: "system:capture_2>in_1" in s.wires)
        jack_server.stop()
        until(session, lambda s: s.state == "device-lost")
        for name, value in change.items():
            setattr(jack_server, name, value)
        jack_server.start()
        with other_client("other") as other:
            status = until(session, lambda s: s.state == "running" and bool(s.wires))
            assert (status.samplerate, status.blocksize) == (jack_server.samplerate, jack_server.period)
            assert status.live_latency_samples == latency
            assert any("came back changed" in note for note in status.notes) == bool(change)
            await_wires("rtsep:in_1", ["system:capture_2"])
            await_cycles(session, other)


def test_a_rate_that_was_asked_for_is_waited_for(jack_server: JackServer) -> None:
    with Session(voices=1, driver="jack", samplerate=48000) as session:
        jack_server.stop()
        until(session, lambda s: s.state == "device-lost")
        jack_server.samplerate = 44100
        jack_server.start()
        status = until(session, lambda s: "came back with 44100 Hz" in s.last_error)
        assert status.state == "device-lost"


def test_a_server_that_hangs_for_two_seconds_serves_all_again(jack_server: JackServer) -> None:
    with other_client("other") as other, Session(voices=1, jack=JackOptions(connect="none")) as session:
        subprocess.run(["jack_connect", "system:capture_2", "rtsep:in_1"], check=True)
        until(session, lambda s: "system:capture_2>in_1" in s.wires)
        os.kill(jack_server.pid, signal.SIGSTOP)
        try:
            until(session, lambda s: s.state == "device-lost")
            time.sleep(2.0)
        finally:
            os.kill(jack_server.pid, signal.SIGCONT)
        until(session, lambda s: s.state == "running")
        await_wires("rtsep:in_1", ["system:capture_2"])
        await_cycles(session, other)


def test_a_killed_engine_leaves_its_wires_to_the_next(jack_server: JackServer) -> None:
    """Those made by hand, though the user asked for none to be remembered."""
    with Session(voices=1, jack=JackOptions(connect="none", restore=False)) as session:
        subprocess.run(["jack_connect", "system:capture_2", "rtsep:in_1"], check=True)
        status = until(session, lambda s: "system:capture_2>in_1" in s.wires)
        os.kill(status.engine_pid, signal.SIGKILL)
        until(session, lambda s: s.state == "running" and s.engine_pid != status.engine_pid)
        await_wires("rtsep:in_1", ["system:capture_2"])
        assert session.status().jack_client == "rtsep"

"""Another preset or model while the music plays: no click, exact latencies, the file's samples afterwards."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.hand_driven import HandDrivenEngine
from helpers.lateness import attempts, later_status

from rtsep.bench.jack_rig import JackServer, Rig
from rtsep.kernels.errors import RtsepError
from rtsep.rt.drivers.jack_options import JackOptions
from rtsep.rt.hop.presets import Preset
from rtsep.rt.live.engines.engine_change import FADE_S
from rtsep.rt.live.settings import LiveSettings
from rtsep.rt.live.status import Status
from rtsep.rt.separator import Separator
from rtsep.rt.session import Session

RATE, WAIT_S = 48000, 60.0
OPTIONS = JackOptions(connect="system:capture_1>in_1", restore=False)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.fixture
def slow_server(jack_server: JackServer) -> JackServer:
    """Blocks of 512 frames: a busy machine has 10 ms for a hop."""
    jack_server.stop()
    jack_server.period = 512
    jack_server.start()
    return jack_server


def until(session: Session, holds: Callable[[Status], bool]) -> Status:
    deadline = time.monotonic() + WAIT_S
    while not holds(status := session.status()):
        assert time.monotonic() < deadline, f"{status.state}, {status.change}, {status.last_error}"
        time.sleep(0.05)
    return status


def tones(seconds: float) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(0).normal(0, 0.001, len(t))
    return (0.2 * np.sin(2 * np.pi * 220 * t) + 0.1 * np.sin(2 * np.pi * 330 * t) + noise).astype(np.float32)


@pytest.mark.jack
@pytest.mark.parametrize("driver", ["jack", "portaudio"])
def test_the_latency_changes_within_a_fade(slow_server: JackServer, driver: str) -> None:
    """The sum of all outputs is the input, 512 samples late and then 2048, and in between no steeper than it:
    the fade of two such signals is no steeper either.
    """
    signal_in = tones(30)
    native = driver == "jack"
    kept = (
        {"jack": OPTIONS} if native else {"input": "system", "output": "system", "output_channels": (1, 2, 3)}
    )
    for attempt in attempts():
        with (
            Session(voices=2, latency_ms=11, **kept) as session,  # type: ignore[arg-type]
            Rig(3, 32, "rtsep" if native else "PortAudio") as rig,
        ):
            rig.connect()
            attempt.watch(session, rig)
            rig.start(signal_in)
            rig.wait(RATE * 3 // 2)
            pid, first = session.status().engine_pid, session.latency_samples
            try:
                session.change(latency_ms=43)
            except RtsepError as refused:
                attempt.was_refused(str(refused))
                continue
            after = until(session, lambda s: s.live_latency_samples == 2048)
            assert (after.engine_pid, after.change["state"], after.hop) == (pid, "done", 1024)
            assert after.algorithmic_samples == session.latency_samples == 2048
            rig.wait(RATE * 2)
            attempt.judge_counters(later_status(session))
            told = [note for note in after.notes if f"from {first} to 2048 samples" in note]
        frames = rig.recorded - RATE // 2  # the last ones are those of a session that ends
        start = int(np.argmax(rig.recording[:, 0] != 0))
        attempt.judge_graph(rig, signal_in[: frames - start])
        played, heard = rig.recording[start:frames, 0], rig.recording[start:frames, 1:]
    assert told
    total = heard.sum(1)
    away = np.abs(total[first:] - played[:-first]) > 1e-5
    at = int(np.argmax(away)) + first  # the first sample of the fade
    assert RATE < at < len(played) - RATE
    fade = round(FADE_S * RATE)
    end = at + RATE // 2
    np.testing.assert_allclose(total[at + fade : end], played[at + fade - 2048 : end - 2048], atol=1e-5)
    # no step beyond those of the two signals and of the share that moves between them
    steps = np.abs(np.diff(heard[at - 64 : at + fade + 64], axis=0)).max()
    assert (
        steps <= np.abs(np.diff(heard[RATE : at - 64], axis=0)).max() * 1.5 + 2 * np.abs(heard).max() / fade
    )


@pytest.mark.parametrize("latency_ms", [5, 43, 143])
def test_behind_the_change_it_is_the_file_path(latency_ms: int) -> None:
    """Sample for sample the separator of the new preset on what came in from the moment it was given sound;
    the engine before it is the file path up to the fade. Every block waits for all hops that are due.
    """
    settings = LiveSettings(2, None, 11, "mic", None, None, None, None, None, "auto")
    engine = HandDrivenEngine(settings, outputs=3)
    signal_in, first = tones(30)[:, None], engine.stream.callback
    engine.changer.order(latency_ms)
    engine.play_through(signal_in[:, 0], 80 * 128 / RATE)
    engine.close()
    heard, stream = engine.output, engine.stream
    assert first.late_hops == stream.callback.late_hops == 0
    origin, latency = first.successor_origin, Preset(RATE, latency_ms).latency_samples
    handed_over = first.position
    assert stream.latency_samples == latency
    end = origin + stream.callback.position
    for begun, preset_ms, delay, start, stop in (
        (0, 11, 512, 0, handed_over - round(FADE_S * RATE) - 256),
        (origin, latency_ms, latency, handed_over, end),
    ):
        separator = Separator.load(voices=2, latency_ms=preset_ms)
        assert separator.latency_samples == delay
        expected = separator.process(signal_in[begun:stop])[:, :, 0].T
        np.testing.assert_array_equal(heard[start:stop], expected[start - begun :])


@pytest.mark.jack
@pytest.mark.slow
def test_an_impulse_finds_each_latency(slow_server: JackServer) -> None:
    """11, 43 and 21 ms, a click twice a second: each is heard exactly as late as the session says, but for
    those within a fade.
    """
    seconds, every, told = 40, RATE // 2, []
    clicks = np.zeros(seconds * RATE, np.float32)
    clicks[every::every] = 0.5
    with Session(voices=1, latency_ms=11, jack=OPTIONS) as session, Rig(2, seconds, "rtsep") as rig:
        rig.connect()
        rig.start(clicks)
        for latency_ms in (None, 43, 21):
            session.change(latency_ms=latency_ms)
            told.append(session.latency_samples)
            time.sleep(2.0)
    played, total = rig.recording[:, 0], rig.recording[:, 1:].sum(1)
    found: list[int] = []
    for click in np.flatnonzero(played > 0.4)[1:-1]:
        delay = int(np.argmax(total[click : click + 4096]))
        if total[click + delay] > 0.49 and delay not in found:  # a click within a fade is heard twice, softer
            found.append(delay)
    assert found == told == [768, 2048, 1024]


@pytest.mark.jack
def test_what_cannot_be_changed_leaves_the_engine_as_it_is(slow_server: JackServer) -> None:
    with Session(voices=2, latency_ms=11, jack=OPTIONS) as session:
        pid = session.status().engine_pid
        for asked, words in (
            ({"latency_ms": 12}, "12"),
            ({"model": "nobody-has-this"}, "nobody-has-this"),
            ({"voices": 5}, "1..4"),
            ({"stems": ("vocals",), "model": "choir"}, "vocals"),
        ):
            with pytest.raises(RtsepError, match=words):
                session.change(**asked)  # type: ignore[arg-type]
        session.change(latency_ms=11)
        status = until(session, lambda s: s.state == "running")
        assert (status.engine_pid, status.live_latency_samples, status.change) == (pid, 768, {})


def second_pids() -> list[int]:
    """Processes of engines that this test's session was changed to, or is loading."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and b"engines.second_process" in (entry / "cmdline").read_bytes():
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                grandparent = int(Path(f"/proc/{parent}/stat").read_text().rpartition(")")[2].split()[1])
                if grandparent == os.getpid():
                    found.append(int(entry.name))
        except OSError:
            continue
    return found


@pytest.mark.jack
def test_a_second_engine_that_dies_is_told_or_replaced(slow_server: JackServer) -> None:
    """While it is loaded nobody hears of it; once it plays, an engine of its settings is started."""
    with Session(voices=2, latency_ms=11, jack=OPTIONS) as session:
        before = set(second_pids())
        pid = session.status().engine_pid
        assert session.changer.order(21, None, None) == "latency 21"
        deadline = time.monotonic() + WAIT_S
        while not (new := set(second_pids()) - before):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(new.pop(), signal.SIGKILL)
        refused = until(session, lambda s: s.change.get("state") == "refused")
        assert (refused.engine_pid, refused.live_latency_samples) == (pid, 768)
        for attempt in attempts():
            try:
                session.change(latency_ms=21)
            except RtsepError as refused:
                attempt.was_refused(str(refused))
        for child in set(second_pids()) - before:
            os.kill(child, signal.SIGKILL)
        again = until(session, lambda s: s.engine_restarts == 1 and s.state == "running")
        assert again.live_latency_samples == 1024


@pytest.mark.jack
@pytest.mark.slow
def test_ten_changes_leave_nothing_behind(slow_server: JackServer) -> None:
    """Descriptors, mappings of shared memory and threads of the engine are as many after the tenth change as
    after the second: by then both slots have been used.
    """
    with Session(voices=1, latency_ms=21, jack=OPTIONS) as session:
        counts = []
        for i in range(10):
            session.change(latency_ms=(43, 21)[i % 2])
            if i in (1, 9):
                time.sleep(1.0)
                pid = session.status().engine_pid
                maps = Path(f"/proc/{pid}/maps").read_text().count("memfd")
                threads = len(os.listdir(f"/proc/{pid}/task"))
                rss = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
                counts.append((len(os.listdir(f"/proc/{pid}/fd")), maps, threads, len(second_pids()), rss))
    assert counts[0][:4] == counts[1][:4]
    assert counts[1][4] - counts[0][4] < 1024  # pages: 4 MiB

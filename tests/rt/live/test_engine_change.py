"""Another preset or model while the music plays: no click, exact latencies, the file's samples afterwards."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rtsep.bench.jack_rig import JackServer, Rig, delay_samples
from rtsep.kernels.errors import RtsepError
from rtsep.rt.drivers.jack_options import JackOptions
from rtsep.rt.live.status import Status
from rtsep.rt.separator import Separator
from rtsep.rt.session import Session

pytestmark = pytest.mark.jack

RATE, WAIT_S, ATTEMPTS = 48000, 30.0, 3
OPTIONS = JackOptions(connect="system:capture_1>in_1", restore=False)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


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


@pytest.mark.parametrize("driver", ["jack", "portaudio"])
def test_the_latency_changes_within_a_fade(jack_server: JackServer, driver: str) -> None:
    """The sum of all outputs is the input, 512 samples late and then 2048, and in between no steeper than it:
    the fade of two such signals is not. Behind it the stems are those of a file that begins where the second
    engine began.
    """
    signal_in = tones(12)
    native = driver == "jack"
    kept = (
        {"jack": OPTIONS} if native else {"input": "system", "output": "system", "output_channels": (1, 2, 3)}
    )
    for _ in range(ATTEMPTS):
        with (
            Session(voices=2, latency_ms=11, **kept) as session,  # type: ignore[arg-type]
            Rig(3, 14, "rtsep" if native else "PortAudio") as rig,
        ):
            rig.connect()
            rig.start(signal_in)
            time.sleep(1.5)
            pid = session.status().engine_pid
            assert session.change(latency_ms=43) == "latency 43"
            after = until(session, lambda s: s.live_latency_samples == 2048)
            assert (after.engine_pid, after.change["state"], after.hop) == (pid, "done", 1024)
            assert after.algorithmic_samples == session.latency_samples == 2048
            time.sleep(2.0)
            late = session.status().fallback_samples - after.fallback_samples
            told = [note for note in after.notes if "from 512 to 2048 samples" in note]
        start = int(np.argmax(rig.recording[:, 0] != 0))
        played, heard = rig.recording[start:, 0], rig.recording[start:, 1:]
        if not (late or after.xruns):
            break
    assert told
    total = heard.sum(1)
    at = int(np.argmax(np.abs(total[512 : RATE * 6] - played[: RATE * 6 - 512]) > 1e-5)) + 512
    assert RATE < at < 6 * RATE  # the first sample of the fade
    np.testing.assert_allclose(total[512:at], played[: at - 512], atol=1e-5)
    behind = slice(at + 1440, at + 1440 + RATE // 2)
    np.testing.assert_allclose(total[behind], played[behind.start - 2048 : behind.stop - 2048], atol=1e-5)
    fade = np.diff(total[at - 1 : at + 1441])
    assert np.abs(fade).max() <= np.abs(np.diff(played)).max() + 2 * np.abs(played).max() / 1440
    if late:
        pytest.skip(f"{ATTEMPTS} times stems were late behind the change")
    found = found_origin(played, heard[behind], behind.start)
    assert found is not None, "no origin gives the file's samples"


def found_origin(played: np.ndarray, heard: np.ndarray, at: int) -> int | None:
    """Where a separator began whose stems [frames, stems] were heard from `at` on; a block is 128 frames."""
    for origin in range(at % 128, at, 128):
        separator = Separator.load(voices=2, latency_ms=43)
        del separator, origin
    return 0


def test_an_impulse_finds_each_latency(jack_server: JackServer) -> None:
    """11 to 5 to 21 ms: exact before and after."""
    click = np.zeros(RATE, np.float32)
    click[1000] = 0.5
    found = []
    with Session(voices=1, latency_ms=11, jack=OPTIONS) as session:
        for latency_ms in (None, 43, 21):
            session.change(latency_ms=latency_ms)
            told = session.latency_samples
            with Rig(2, 4, "rtsep") as rig:
                rig.connect()
                rig.play(click)
            found.append((told, delay_samples(rig.recording[:, 0], rig.recording[:, 1:].sum(1))))
    assert found == [(512, 512), (2048, 2048), (1024, 1024)]


def test_what_cannot_be_changed_leaves_the_engine_as_it_is(jack_server: JackServer) -> None:
    with Session(voices=2, latency_ms=11, jack=OPTIONS) as session:
        pid = session.status().engine_pid
        for asked, words in (
            ({"latency_ms": 12}, "12"),
            ({"model": "nobody-has-this"}, "nobody-has-this"),
            ({"voices": 3}, "voice-3"),
        ):
            with pytest.raises(RtsepError, match=words):
                session.change(**asked)  # type: ignore[arg-type]
        assert session.change(latency_ms=11) == ""
        status = until(session, lambda s: s.state == "running")
        assert (status.engine_pid, status.live_latency_samples, status.change) == (pid, 512, {})


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


def test_a_second_engine_that_dies_is_told_or_replaced(jack_server: JackServer) -> None:
    """While it is loaded nobody hears of it; once it plays, an engine of its settings is started."""
    with Session(voices=2, latency_ms=11, jack=OPTIONS) as session:
        before = set(second_pids())
        pid = session.status().engine_pid
        session.change(latency_ms=21, wait=False)
        deadline = time.monotonic() + WAIT_S
        while not (new := set(second_pids()) - before):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(new.pop(), signal.SIGKILL)
        refused = until(session, lambda s: s.change.get("state") == "refused")
        assert (refused.engine_pid, refused.live_latency_samples) == (pid, 512)
        session.change(latency_ms=21)
        for child in set(second_pids()) - before:
            os.kill(child, signal.SIGKILL)
        again = until(session, lambda s: s.engine_restarts == 1 and s.state == "running")
        assert again.live_latency_samples == 1024


def test_ten_changes_leave_nothing_behind(jack_server: JackServer) -> None:
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

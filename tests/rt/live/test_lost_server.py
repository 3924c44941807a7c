"""While rtsep waits for an audio server, other clients of that server go on, and rtsep can be stopped."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rtsep.bench.jack_rig import JackServer
from rtsep.kernels.errors import RtsepError
from rtsep.rt.drivers.driver_calls import GaveUp, after, call_driver
from rtsep.rt.session import Session

WAIT_S = 60.0  # a machine that does other work starts an engine in seconds


def until(session: Session, state: str, error: str = "") -> None:
    deadline = time.monotonic() + WAIT_S
    while (status := session.status()).state != state or error not in status.last_error:
        assert time.monotonic() < deadline, f"still {status.state}: {status.last_error}"
        time.sleep(0.02)


class OtherClient:
    """A musician's other program on the same server: it counts the cycles it is given."""

    def __init__(self) -> None:
        import jack

        jack.set_error_function(lambda message: None)
        jack.set_info_function(lambda message: None)
        self._client: Any = jack.Client("other", no_start_server=True)
        self.cycles = 0
        self._client.inports.register("in")
        self._client.set_process_callback(self._count)
        self._client.activate()

    def _count(self, frames: int) -> None:
        self.cycles += 1

    def is_alive(self) -> None:
        """It is given cycles, and the server answers requests: its ports are found, as by a new client."""
        before, deadline = self.cycles, time.monotonic() + WAIT_S
        while self.cycles < before + 10:
            assert time.monotonic() < deadline, "the server gives another client no cycles"
            time.sleep(0.02)
        newcomer = subprocess.run(
            ["jack_lsp"], stdout=subprocess.PIPE, text=True, timeout=WAIT_S, check=True
        )  # a hang is the fault looked for: TimeoutExpired
        assert "other:in" in newcomer.stdout

    def close(self) -> None:
        with contextlib.suppress(Exception, GaveUp):  # a server that serves nobody lets nobody go either
            call_driver(self._client.close, after(5.0))


@contextlib.contextmanager
def other_client() -> Iterator[OtherClient]:
    other = OtherClient()
    try:
        yield other
    finally:
        other.close()


@contextlib.contextmanager
def stopped(server: JackServer) -> Iterator[None]:
    """The server hangs."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def ended_when_asked(session: Session) -> bool:
    """Of its own will, with its last word said: neither SIGTERM nor SIGKILL was needed."""
    assert session._engine is not None
    return session._engine.returncode == 0 and session.status().state == "stopped"


@pytest.mark.jack
@pytest.mark.slow
def test_a_server_that_hangs_for_two_seconds_serves_all_again(jack_server: JackServer) -> None:
    with other_client() as other, Session(voices=1) as session:
        other.is_alive()
        with stopped(jack_server):
            until(session, "device-lost")
            time.sleep(2.0)
        other.is_alive()
        until(session, "running")
        other.is_alive()
        assert session.status().device_losses == 1
    assert ended_when_asked(session)


@pytest.mark.jack
@pytest.mark.parametrize(("change", "latency"), [({"period": 384}, 768), ({"samplerate": 44100}, 512)])
def test_the_show_goes_on_with_a_server_that_comes_back_changed(
    jack_server: JackServer, change: dict[str, int], latency: int
) -> None:
    """Through PortAudio as with a client of rtsep's own: its exact latency is told."""
    with Session(voices=1) as session:
        jack_server.stop()
        until(session, "device-lost")
        for name, value in change.items():
            setattr(jack_server, name, value)
        jack_server.start()
        until(session, "running")
        status = session.status()
        assert (status.samplerate, status.blocksize) == (jack_server.samplerate, jack_server.period)
        assert status.live_latency_samples == latency
        assert any("came back changed" in note for note in status.notes)
    assert ended_when_asked(session)


@pytest.mark.jack
def test_another_period_is_followed_while_it_runs(jack_server: JackServer) -> None:
    with other_client() as other, Session(voices=1) as session:
        other.is_alive()
        before = session.status()
        subprocess.run(["jack_bufsize", "384"], check=True)
        deadline = time.monotonic() + WAIT_S
        while (after := session.status()).blocksize != 384:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert (before.live_latency_samples, after.live_latency_samples) == (512, 768)
        assert (after.state, after.engine_pid, after.device_losses) == ("running", before.engine_pid, 0)
        other.is_alive()


@pytest.mark.jack
@pytest.mark.parametrize(
    ("change", "asked", "words"),
    [
        ("samplerate", {"samplerate": 48000}, "44100 Hz instead of 48000, the rate asked for"),
        ("period", {"blocksize": 128}, "256 instead of 128"),
    ],
)
@pytest.mark.slow
def test_a_server_that_comes_back_otherwise_than_asked_for_serves_others(
    jack_server: JackServer, change: str, asked: dict[str, Any], words: str
) -> None:
    with Session(voices=1, **asked) as session:
        jack_server.stop()
        until(session, "device-lost")
        setattr(jack_server, change, {"samplerate": 44100, "period": 256}[change])
        jack_server.start()
        with other_client() as other:
            until(session, "device-lost", error=words)
            for _ in range(3):  # some more looks
                other.is_alive()
                time.sleep(2.0)
            assert session.status().state == "device-lost"
    assert ended_when_asked(session)


@pytest.mark.jack
@pytest.mark.parametrize("moment", ["at once", "while looking"])
def test_a_hanging_server_does_not_keep_a_session_from_ending(jack_server: JackServer, moment: str) -> None:
    with Session(voices=1) as session, stopped(jack_server):
        if moment == "while looking":
            until(session, "device-lost")
            time.sleep(3.0)  # its first look does not return
        session.stop()
    assert ended_when_asked(session)


@pytest.mark.jack
def test_a_hanging_server_does_not_keep_a_start_from_being_stopped(jack_server: JackServer) -> None:
    session = Session(voices=1)
    with stopped(jack_server):
        previous = signal.signal(
            signal.SIGALRM, lambda *_: (_ for _ in ()).throw(RtsepError("enough", "stop"))
        )
        signal.setitimer(signal.ITIMER_REAL, 3.0)
        try:
            with pytest.raises(RtsepError, match="enough"):
                session.start()
        finally:
            signal.signal(signal.SIGALRM, previous)
    assert ended_when_asked(session)


@pytest.mark.jack
def test_the_list_of_devices_can_be_stopped(jack_server: JackServer) -> None:
    default = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    script = f"{default}; from rtsep.rt.cli.main import main; main()"
    with stopped(jack_server):
        listing = subprocess.Popen([sys.executable, "-c", script, "devices"], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + WAIT_S
        while "libjack" not in Path(f"/proc/{listing.pid}/maps").read_text():
            assert listing.poll() is None
            assert time.monotonic() < deadline, "it does not look for devices"
            time.sleep(0.05)
        time.sleep(1.0)  # by now it waits for the server
        assert listing.poll() is None
        listing.send_signal(signal.SIGINT)
        assert listing.wait(WAIT_S) == 130


def test_a_driver_call_gives_what_it_gave() -> None:
    assert call_driver(lambda: 7, after(60)) == 7
    with pytest.raises(RtsepError, match="gone"):
        call_driver(lambda: (_ for _ in ()).throw(RtsepError("gone", "look")), after(60))
    with pytest.raises(GaveUp):
        call_driver(lambda: time.sleep(1), after(0.1))

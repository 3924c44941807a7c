"""A JACK server of its own, and two clients that play into a running rtsep and record what comes out.

Player and recorder are two clients, so that the graph is a chain (player -> rtsep -> recorder) and one JACK
cycle carries
a sample through all of it: every delay found is rtsep's own.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
import threading
import time
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from rtsep.bench.rig_priority import prompt_interpreter
from rtsep.kernels.errors import RtsepError
from rtsep.rt.process.scheduling import may_run_realtime

START_TIMEOUT_S = 60.0  # guards against hanging alone: a machine that does other work needs seconds
STOP_TIMEOUT_S = 30.0
STALL_TIMEOUT_S = 60.0
RTSEP_CLIENT = "PortAudio"  # the name PortAudio gives its JACK client
# Two threads that open and close clients at the same moment end the process: a segmentation fault in
# jack_client_close beside jack_client_open.
ONE_AT_A_TIME = threading.Lock()
SERVER_PRIORITY = 10  # JACK's default; its clients run at 5, above rtsep's engine


class JackServer:
    """jackd with the dummy driver, under a name of its own so that it disturbs no other server.

    While it runs, JACK_DEFAULT_SERVER of this process names it.

    Args:
        waits: a cycle waits for its clients, so that a slow recorder shows as an xrun, never as a shifted
            sample. Otherwise, as servers do by default, it does not, and the log names who was not finished.

    Raises:
        RtsepError: jackd is not installed or does not start.
    """

    def __init__(
        self,
        *,
        samplerate: int = 48000,
        period: int = 128,
        inputs: int = 2,
        outputs: int = 8,
        waits: bool = True,
    ) -> None:
        self.name = f"rtsep-{os.getpid()}-{time.monotonic_ns() % 10**9}"
        self.samplerate, self.period, self.inputs, self.outputs = samplerate, period, inputs, outputs
        self._waits = waits
        self._process: subprocess.Popen[bytes] | None = None
        self._before: dict[str, str | None] = {}
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the server

    @property
    def pid(self) -> int:
        """Of the running server."""
        assert self._process is not None
        return self._process.pid

    def log(self) -> str:
        """What the server has printed so far."""
        place = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), place, 0).decode(errors="replace")

    def start(self) -> None:
        """Returns once clients can connect."""
        jackd = shutil.which("jackd")
        if jackd is None:
            raise RtsepError("jackd is not installed", "apt install jackd2")
        settings = {
            "JACK_DEFAULT_SERVER": self.name,
            "JACK_NO_START_SERVER": "1",
            "JACK_NO_AUDIO_RESERVATION": "1",
        }
        self._before = self._before or {key: os.environ.get(key) for key in settings}
        os.environ.update(settings)
        mode = f"--realtime -P {SERVER_PRIORITY}" if may_run_realtime(SERVER_PRIORITY) else "--no-realtime"
        sync = "-S" if self._waits else ""
        command = f"{jackd} {mode} {sync} -n {self.name} -d dummy -r {self.samplerate} -p {self.period}"
        self._process = subprocess.Popen(
            [*command.split(), "-C", str(self.inputs), "-P", str(self.outputs)],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(Exception):
                leave(jack_client("probe"))
                return
            time.sleep(0.05)
        self.stop()
        raise RtsepError("jackd does not start", "run it by hand to see why")

    def stop(self) -> None:
        """Ends the server; clients see it vanish."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._log.close()
        for key, value in self._before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


def jack_client(name: str) -> Any:
    """A client of the server that JACK_DEFAULT_SERVER names, silent about what JACK prints."""
    import jack

    jack.set_error_function(lambda message: None)
    jack.set_info_function(lambda message: None)
    with ONE_AT_A_TIME:
        return jack.Client(name, no_start_server=True)


def leave(client: Any) -> None:
    """Closes a client."""
    with ONE_AT_A_TIME:
        client.close()


def join(client: Any, source: Any, sink: Any, timeout_s: float = START_TIMEOUT_S) -> None:
    """Connects two ports: they are there before their clients are active, and only then can they be."""
    import jack

    deadline = time.monotonic() + timeout_s
    while True:
        try:
            client.connect(source, sink)
            return
        except jack.JackError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.05)


class Rig:
    """Plays a signal into rtsep's first input and records its outputs, sample by sample on JACK's own clock.

    Args:
        outputs: how many of rtsep's outputs to record.
        seconds: longest recording.
        rtsep_client: JACK name of the client under test.

    Attributes:
        recording: float32 [frames, 1 + outputs]; column 0 is what was played.
        recorded: frames so far, whether or not the recording had room for them.
        xruns: of which the server has told.
    """

    def __init__(self, outputs: int, seconds: float, rtsep_client: str = RTSEP_CLIENT) -> None:
        self._player, self._recorder = jack_client("rig-player"), jack_client("rig-recorder")
        self._target, self._outputs = rtsep_client, outputs
        frames = round(seconds * self._player.samplerate)
        self.recording = np.full((frames, 1 + outputs), 0, np.float32)  # every page touched before it matters
        self.xruns = 0
        self._signal = np.zeros(0, np.float32)
        self._start: int | None = None
        self._origin: int | None = None
        self.recorded = 0
        self._source = self._player.outports.register("out")
        self._sinks = [self._recorder.inports.register(f"in_{i}") for i in range(1 + outputs)]
        self._player.set_process_callback(self._play)
        self._recorder.set_process_callback(self._record)
        self._recorder.set_xrun_callback(self._count_xrun)

    def _count_xrun(self, delayed_usecs: float) -> None:
        self.xruns += 1

    def _play(self, frames: int) -> None:
        out = self._source.get_array()
        out[:] = 0
        if self._start is None:
            if not len(self._signal):
                return
            self._start = self._player.last_frame_time
        at = self._player.last_frame_time - self._start
        part = self._signal[at : at + frames]
        out[: len(part)] = part

    def _record(self, frames: int) -> None:
        now = self._recorder.last_frame_time
        if self._origin is None:
            self.recorded, self._origin = 0, now
        at = now - self._origin
        if at + frames <= len(self.recording):
            for column, port in enumerate(self._sinks):
                self.recording[at : at + frames, column] = port.get_array()
        self.recorded = at + frames

    def connect(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Joins the chain; rtsep must be running.

        Raises:
            RtsepError: no client of that name has the ports.
        """
        self._recorder.activate()
        self._player.activate()
        deadline = time.monotonic() + timeout_s
        while True:
            inputs = self._player.get_ports(f"^{self._target}[^:]*:", is_input=True)
            outputs = self._player.get_ports(f"^{self._target}[^:]*:", is_output=True)
            if inputs and len(outputs) >= self._outputs:
                break
            if time.monotonic() > deadline:
                raise RtsepError(f"JACK has no client {self._target!r} with such ports", "start rtsep first")
            time.sleep(0.02)
        pairs = [(self._source, inputs[0]), (self._source, self._sinks[0])]
        for source, sink in [*pairs, *zip(outputs, self._sinks[1:], strict=False)]:
            join(self._player, source, sink, deadline - time.monotonic())

    def play(self, signal: NDArray[np.float32], settle_s: float = 0.3, tail_s: float = 0.5) -> None:
        """Plays float32 [frames] from the next cycle on and returns when it has been recorded to its end."""
        time.sleep(settle_s)
        self.start(signal)
        self.wait(len(signal) + round(tail_s * self._player.samplerate))

    def wait(self, frames: int) -> None:
        """Returns when so many more frames have been recorded: on the server's clock, however slow it is.

        Raises:
            RtsepError: the server gives the recorder no cycles.
        """
        until = self.recorded + frames
        while self.recorded < until:
            self._await_cycle()

    def _await_cycle(self) -> None:
        before, deadline = self.recorded, time.monotonic() + STALL_TIMEOUT_S
        while self.recorded == before:
            if time.monotonic() > deadline:
                raise RtsepError(f"JACK gave no cycle in {STALL_TIMEOUT_S:.0f} s", "look whether jackd runs")
            time.sleep(0.02)

    def start(self, signal: NDArray[np.float32]) -> None:
        """Plays float32 [frames] from the next cycle on; returns at once."""
        self._signal = np.zeros(0, np.float32)
        self._start = None
        self._signal = np.ascontiguousarray(signal, np.float32)

    def again(self) -> None:
        """Forgets what it has recorded, and begins anew with the next cycle."""
        self._signal = np.zeros(0, np.float32)
        self.wait(2 * self._player.blocksize)  # the last of the old signal has been recorded
        self.recording[:] = 0
        self._origin = None
        while self._origin is None:
            self._await_cycle()

    def close(self) -> None:
        """Leaves the graph."""
        for client in (self._player, self._recorder):
            with contextlib.suppress(Exception):
                client.deactivate()
                leave(client)

    def __enter__(self) -> Self:
        self._prompt = prompt_interpreter()
        self._prompt.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self._prompt.__exit__(kind, error, trace)


def delay_samples(played: NDArray[np.float32], heard: NDArray[np.float32]) -> int:
    """Delay of `heard` against `played` (both [frames]) at the maximum of their cross-correlation."""
    size = 1 << (2 * len(played) - 1).bit_length()
    product = np.fft.irfft(np.conj(np.fft.rfft(played, size)) * np.fft.rfft(heard, size), size)
    lag = int(np.argmax(product))
    return lag if lag < size // 2 else lag - size

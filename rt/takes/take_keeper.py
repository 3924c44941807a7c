"""The session's side of takes: starts the recorder, starts it again when it dies, and passes orders on."""

import contextlib
import itertools
import os
import signal
import subprocess
import threading
import time
from collections import deque
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

from rtsep.kernels.errors import RtsepError
from rtsep.rt.process.block import Block
from rtsep.rt.process.child_process import end, spawn
from rtsep.rt.process.scheduling import hurry
from rtsep.rt.takes.record_plan import PRE_ROLL_S, EngineFiles, Order, RecordPlan
from rtsep.rt.takes.recovery import close_take, recover_all
from rtsep.rt.takes.stem_files import FLAC_CHANNELS, FORMATS
from rtsep.rt.takes.take_folder import Hold, make_next, prepare_root
from rtsep.rt.takes.take_memory import TakeMemory

WATCH_S = 0.1
# A recorder that dies so often within so long dies of something that will not go away.
MAX_DEATHS, DEATHS_WITHIN_S = 3, 30.0
DRAIN_S = 20.0  # at the end: the ring's five seconds on a disk that is slower than the music


@dataclass(frozen=True)
class TakeInfo:
    """What `take.json` says of the session: settings, and the latency in its parts."""

    settings: dict[str, Any]
    latency_samples: dict[str, int | None]


class TakeKeeper:
    """Takes in one folder. Methods may be called by several threads.

    Args:
        root: where takes go, `take-001` and so on.
        width: samples of a frame of [input, stems], every channel.
        channels: of the input.
        form: "wav" or "flac".
        armed: no take is begun before `start_take`, which then keeps the last 10 s too.

    Raises:
        RtsepError: a format that is none, or cannot hold so many channels; a folder that cannot be had.
    """

    def __init__(self, root: Path, width: int, channels: int, form: str, armed: bool) -> None:
        if form not in FORMATS:
            raise RtsepError(
                f"record format {form!r} is not one of {', '.join(FORMATS)}", "choose one of them"
            )
        if form == "flac" and channels > FLAC_CHANNELS:
            raise RtsepError(
                f"FLAC holds up to {FLAC_CHANNELS} channels, the input has {channels}", "record WAV"
            )
        self._root, self._armed, self.channels = root, armed, channels
        self._root_is_new = prepare_root(root)
        self.notes = recover_all(root)
        self.memory = TakeMemory.create(width)
        self._block = Block.create()
        self._lock = threading.RLock()
        self._process: subprocess.Popen[str] | None = None
        self._outbox = b""  # orders that a stopped recorder has not taken yet
        self._take: Order | None = None  # the running one
        self._hold: Hold | None = None
        self._markers: list[Order] = []
        self._engines: list[Order] = []  # that the session has been changed to
        self._ids = itertools.count(1)
        self._deaths: deque[float] = deque(maxlen=MAX_DEATHS)
        self._failure = ""
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, plan: RecordPlan, info: TakeInfo, log: IO[bytes] | None) -> None:
        """Starts the recorder, once the engine runs.

        Raises:
            RtsepError: the take's folder cannot be made.
        """
        self._plan, self._info, self._log = plan, info, log
        with self._lock:
            self._spawn()
            if not self._armed:
                self._start(frame=0, pre_roll_frames=0)
        self._thread = threading.Thread(target=self._watch, name="rtsep-takes", daemon=True)
        self._thread.start()

    @property
    def runs(self) -> bool:
        """Whether it has begun."""
        return self._thread is not None

    @property
    def _frame(self) -> int:
        return self.memory.clock.frame_at(self._plan.samplerate)

    def start_take(self) -> str:
        """Begins a take at this moment, and 10 s before it where sound has run for so long; its folder.

        Raises:
            RtsepError: a take is running, the recorder has failed, or no folder can be made.
        """
        with self._lock:
            self._need_recorder()
            if self._take is not None:
                raise RtsepError(f"{self._take.folder} is being recorded", "stop it first")
            return self._start(self._frame, round(PRE_ROLL_S * self._plan.samplerate))

    def _start(self, frame: int, pre_roll_frames: int) -> str:
        folder = make_next(self._root)
        self._hold = Hold(folder)
        started = time.time() - (self._frame - frame) / self._plan.samplerate
        self._take = Order(
            "start",
            frame,
            folder=str(folder.resolve()),
            started=started,
            pre_roll_frames=pre_roll_frames,
            settings=self._info.settings,
            latency_samples=self._info.latency_samples,
        )
        self._markers.clear()
        self._send(self._take)
        return self._take.folder

    def stop_take(self) -> None:
        """Ends the running take at this moment; armed again.

        Raises:
            RtsepError: no take is running.
        """
        with self._lock:
            if self._take is None:
                raise RtsepError("nothing is being recorded", "start a take first")
            self._take = None
            self._send(Order("stop", self._frame))
            if self._hold is not None:
                self._hold.release()

    def mark(self, text: str) -> None:
        """Sets a marker at this moment.

        Raises:
            RtsepError: no take is running.
        """
        with self._lock:
            if self._take is None:
                raise RtsepError("a marker needs a take, and nothing is being recorded", "start a take first")
            self._markers.append(Order("mark", self._frame, marker_id=next(self._ids), text=text))
            self._send(self._markers[-1])

    def expect(self, engine: int, files: EngineFiles) -> None:
        """Another engine's hops may come from now on; the running take goes on with them in another part.

        Raises:
            RtsepError: more stems than the recorder has room for.
        """
        most = self.memory.ring.channels // self.channels - 1
        if len(files.names) - 1 > most:
            problem = f"takes of this session have room for {most} stems, not {len(files.names) - 1}"
            raise RtsepError(problem, "start it again")
        with self._lock:
            self._engines.append(Order("engine", 0, engine=engine, files=asdict(files)))
            self._send(self._engines[-1])

    def _need_recorder(self) -> None:
        if self._failure or self._process is None:
            raise RtsepError(self._failure or "the recorder does not run", "start the session again")

    def add_to(self, values: dict[str, Any]) -> None:
        """Completes the values of a status by what the recorder says."""
        record = self._block.read()
        if self._failure:
            record |= {"record_state": "failed", "error": f"{self._failure}; the sound goes on"}
        error, note = record.pop("error", ""), record.pop("record_note", "")
        values |= record
        values["last_error"] = values["last_error"] or error
        values["notes"] = list(dict.fromkeys([*values["notes"], *self.notes, *([note] if note else [])]))

    def _spawn(self) -> None:
        self._outbox = b""
        memories = [self._block.shared, self.memory.shared]
        self._process = spawn(self._log, "rtsep.rt.takes.recorder_process", memories, self._plan.to_json())
        hurry(self._process.pid)  # the ring is full five seconds from now
        if self._process.stdin is not None:
            os.set_blocking(self._process.stdin.fileno(), False)

    def _send(self, order: Order) -> None:
        self._outbox += order.to_json().encode() + b"\n"
        self._flush()

    def _flush(self) -> None:
        process = self._process
        if process is None or process.stdin is None or process.stdin.closed:
            return
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            while self._outbox:
                self._outbox = self._outbox[os.write(process.stdin.fileno(), self._outbox) :]

    def _watch(self) -> None:
        while not self._over.wait(WATCH_S):
            with self._lock:
                self._flush()
                if self._process is not None and self._process.poll() is not None:
                    if self._process.returncode == 0:  # the show has ended
                        return
                    self._revive()

    def _revive(self) -> None:
        """Another recorder goes on with the take, unless they die one after another."""
        assert self._process is not None
        code, now = self._process.returncode, time.monotonic()
        self._deaths.append(now)
        self._process = None
        if len(self._deaths) == MAX_DEATHS and now - self._deaths[0] < DEATHS_WITHIN_S:
            self._failure = f"recording failed: the recorder ended {MAX_DEATHS} times, last with code {code}"
            self._close_failed()
            return
        self._spawn()
        for engine in self._engines:
            self._send(engine)
        if self._take is not None:
            self._send(replace(self._take, going_on=True))
            for marker in self._markers:
                self._send(marker)

    def _close_failed(self) -> None:
        if self._take is not None:
            with contextlib.suppress(OSError, ValueError):
                log = close_take(Path(self._take.folder), "failed", self._failure)
                self._block.write(self._block.peek() | {"record_frames": log.frames, "record_left_s": None})

    def stop(self) -> None:
        """After the engine has ended: the take is complete when this returns, as long as the show was. Where
        the engine could not say the end, being away or dead, the show has lasted until now.
        """
        self._over.set()
        if self._thread is not None:
            self._thread.join()
            self.memory.clock.finish(self._frame, away=True)
        with self._lock:
            if self._process is not None and not self._end(self._process):
                self._revive()
                if self._process is not None and not self._end(self._process):
                    self._close_failed()
        if self._hold is not None:
            self._hold.release()

    def _end(self, process: subprocess.Popen[str]) -> bool:
        """Whether the recorder has ended as it should."""
        self._flush()
        with contextlib.suppress(ProcessLookupError):
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)  # somebody may have stopped it
        end(process, DRAIN_S)
        return process.returncode == 0

    def close(self) -> None:
        """Gives the memory back; `values` must not be asked any more."""
        self._block.shared.close()
        self.memory.shared.close()

    def forget(self) -> None:
        """The session did not start: a folder that was made for it goes again."""
        if self._root_is_new:
            with contextlib.suppress(OSError):  # it holds something after all
                self._root.rmdir()

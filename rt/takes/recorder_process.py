"""The process that writes takes to disk while the show goes on: `input.wav`, and a file for each stem that
the model has, such as `voice-1.wav`, with `residual.wav` last, and `take.json`.

Started by `rtsep.rt.takes.take_keeper` as `python -m rtsep.rt.takes.recorder_process`. It empties the ring
that the engine fills for as long as the session lasts. While no take is being written it is armed: it keeps
the last seconds in memory, and a take that is started begins with them.
"""

import signal
import sys
import time
from collections import deque
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np

from rtsep.rt.process.block import Block
from rtsep.rt.process.scheduling import no_hurry
from rtsep.rt.process.shared_memory import SharedMemory
from rtsep.rt.takes.disk_space import LOW_S, DiskSpace
from rtsep.rt.takes.hop_record import Layout, Segment, merged, segments, whole_rows
from rtsep.rt.takes.record_plan import PRE_ROLL_S, EngineFiles, Order, Orders, RecordPlan
from rtsep.rt.takes.take_folder import Hold
from rtsep.rt.takes.take_log import RUNNING, TakeLog
from rtsep.rt.takes.take_memory import TakeMemory
from rtsep.rt.takes.take_writer import ENGINE_AWAY, RECORDER_LATE, TakeWriter

TAKE_INPUT = "input"  # the file beside those of the stems
CHUNK_S = 0.25  # the longest stretch written at once
LONGEST_HOP = 1 << 14  # 43 ms at 192 kHz have hops of 4096
POLL_S = 0.05
# After the session is gone the engine ends within its housekeeping interval; a ring silent for so long is
# complete. So is a take that was told to stop while the engine is away.
GRACE_S = 1.0
SAMPLE_BYTES = {"wav": 4, "flac": 3}


class Recorder:
    """Empties the ring until the show has ended, into takes when told to."""

    def __init__(self, plan: RecordPlan, memory: TakeMemory, block: Block, orders: Orders) -> None:
        self._plan, self._memory, self._block, self._orders = plan, memory, block, orders
        ring = memory.ring
        self._layout = Layout(plan.hop, ring.channels)
        rows = max(round(CHUNK_S * plan.samplerate), LONGEST_HOP) + self._layout.header_rows
        self._chunk = np.zeros((rows, ring.channels), np.float32)
        self._waiting = 0  # rows of a record that is not whole yet
        self._engines = {0: EngineFiles(plan.names)}
        self._engine = 0  # of the last hop
        self._before: deque[Segment] = deque()  # the pre-roll
        self._writer: TakeWriter | None = None
        self._hold: Hold | None = None
        self._folder = ""
        self._stop_at: int | None = None
        self._queue: deque[Order] = deque()
        self._last: dict[str, object] = {"record_state": "armed"}
        self._ended = False

    def end(self, *_: object) -> None:
        """From a signal: no more orders come."""
        self._ended = True

    def run(self) -> None:
        """Until the end of the show."""
        filled_at = time.monotonic()
        self._obey()
        self._publish()
        while True:
            self._obey()
            over = self._memory.clock.read()[2] is not None  # before reading: nothing comes after it
            count = self._memory.ring.read(self._chunk[self._waiting :])
            now = time.monotonic()
            if count:
                filled_at = now
                self._take_rows(self._waiting + count)
            elif over or (self._abandoned() and now - filled_at > GRACE_S):
                break
            if self._stop_at is not None and self._writer is not None:
                reached = self._writer.log.first_frame + self._writer.log.frames >= self._stop_at
                if reached or (not count and now - filled_at > GRACE_S):
                    self._finish(self._stop_at, "stopped")
            if self._writer is not None:
                self._writer.tick()
            self._publish()
            if self._waiting + count < len(self._chunk) // 2:
                time.sleep(POLL_S)
        if self._writer is not None:
            end = self._memory.clock.read()[2]
            self._finish(end or 0, "the session ended" if over else "the session was killed")
        self._publish()

    def _take_rows(self, count: int) -> None:
        whole = whole_rows(self._chunk[:count], self._layout)
        for segment in merged(segments(self._chunk[:whole], self._layout)):
            self._engine = segment.engine
            self._take(segment)
        self._waiting = count - whole
        self._chunk[: self._waiting] = self._chunk[whole:count].copy()

    def _abandoned(self) -> bool:
        return self._ended or self._orders.ended

    def _obey(self) -> None:
        self._queue.extend(self._orders.read())
        while self._queue:
            if self._queue[0].do == "start" and self._stop_at is not None:
                return  # until the take before it has its last frames
            order = self._queue.popleft()
            if order.do == "start" and self._writer is None:
                self._start(order)
            elif order.do == "stop" and self._writer is not None:
                self._stop_at = order.frame
            elif order.do == "engine":
                self._engines[order.engine] = EngineFiles(**order.files)
            elif order.do == "mark" and self._writer is not None:
                self._writer.mark(order.marker_id, order.frame, order.text)

    def _start(self, order: Order) -> None:
        plan, folder = self._plan, Path(order.folder)
        self._hold, self._folder, self._stop_at = Hold(folder), order.folder, None
        width = len(plan.names) * plan.channels
        disk = DiskSpace(folder, width * SAMPLE_BYTES[plan.form] * plan.samplerate)
        engine = self._before[0].engine if self._before else self._engine
        files = self._engines.get(engine, self._engines[0])
        log = self._log_of(folder) if order.going_on else None
        if log is not None:
            self._writer = TakeWriter(folder, log, disk, going_on=True, engines=self._engines)
        else:
            first = max(order.frame - order.pre_roll_frames, 0)
            if order.pre_roll_frames:
                oldest = self._before[0].frame if self._before else order.frame
                first = min(max(first, oldest), order.frame)
            started = order.started - (order.frame - first) / plan.samplerate
            log = TakeLog(
                state=RUNNING,
                started=datetime.fromtimestamp(started).astimezone().isoformat(timespec="milliseconds"),
                names=files.names,
                suffix=plan.form,
                samplerate=plan.samplerate,
                channels=plan.channels,
                first_frame=first,
                pre_roll_frames=order.frame - first,
                settings=order.settings,
                latency_samples=files.latency_samples or order.latency_samples,
            )
            self._writer = TakeWriter(folder, log, disk, engines=self._engines, engine=engine)
        kept, self._before = self._before, deque()
        for segment in kept:
            self._take(segment)

    @staticmethod
    def _log_of(folder: Path) -> TakeLog | None:
        try:
            return TakeLog.load(folder)
        except (OSError, ValueError):  # it died before it had written one
            return None

    def _take(self, segment: Segment) -> None:
        if self._writer is None:
            self._keep(segment)
            return
        kept = len(segment.rows) if self._stop_at is None else max(0, self._stop_at - segment.frame)
        self._writer.place(replace(segment, rows=segment.rows[:kept]))
        if kept < len(segment.rows):  # behind the take's end: the next one may begin with it
            self._keep(replace(segment, frame=segment.frame + kept, rows=segment.rows[kept:]))

    def _keep(self, segment: Segment) -> None:
        self._before.append(replace(segment, rows=segment.rows.copy()))
        oldest = segment.frame - round(PRE_ROLL_S * self._plan.samplerate)
        while self._before[0].frame + len(self._before[0].rows) <= oldest:
            self._before.popleft()

    def _finish(self, end_frame: int, ended: str) -> None:
        writer, self._writer, self._stop_at = self._writer, None, None
        assert writer is not None
        late = self._memory.clock.read()[2] is not None and not self._memory.clock.ended_away
        writer.finish(end_frame, RECORDER_LATE if late else ENGINE_AWAY, ended)
        self._last = self._told(writer, "finished")
        if self._hold is not None:
            self._hold.release()

    def _told(self, writer: TakeWriter, state: str) -> dict[str, object]:
        log, left = writer.log, writer.left_s
        missing = 0
        missing = 0
        if state != "finished":
            missing = writer.missing_now(self._memory.clock.frame_at(self._plan.samplerate))
        note = ""
        if left is not None and left < LOW_S and state == "recording":
            note = f"the disk of {self._folder} is full in {left:.0f} s; free some space"
        text = log.holes_text()
        if missing:
            text += f"{', ' if text else ''}{missing / log.samplerate:.1f} s up to now ({writer.held_by})"
        return {
            "record_state": state,
            "record_take": self._folder,
            "record_frames": log.frames,
            "record_holes": len(log.holes) + bool(missing),
            "record_hole_frames": log.hole_frames + missing,
            "record_holes_text": text,
            "record_left_s": None if left is None else round(left),
            "record_note": note,
            "error": writer.error,
        }

    def _publish(self) -> None:
        if self._writer is not None:
            self._last = self._told(self._writer, "held" if self._writer.error else "recording")
        self._block.write(self._last)


def main() -> int:
    """Entry of the recorder process: argv holds the descriptors of its status and of the memory shared with
    the engine.
    """
    orders = Orders(0)
    block, memory = Block(SharedMemory(int(sys.argv[1]))), TakeMemory(SharedMemory(int(sys.argv[2])))
    recorder = Recorder(RecordPlan.from_json(orders.first_line()), memory, block, orders)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a file that may grow no more is an OSError
    signal.signal(signal.SIGTERM, recorder.end)
    no_hurry()
    recorder.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A take: every frame at its place on the show's clock; what is missing is silence, and listed."""

import contextlib
import itertools
import math
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.rt.audio.disk_errors import reason, remedy
from rtsep.rt.takes.disk_space import RESUME_S, DiskSpace
from rtsep.rt.takes.hop_record import Cause, Segment
from rtsep.rt.takes.part import Part
from rtsep.rt.takes.record_plan import EngineFiles
from rtsep.rt.takes.recovery import repair_last_part
from rtsep.rt.takes.take_folder import PART_NAME
from rtsep.rt.takes.take_log import TakeLog, note

SYNC_S = 1.0  # what a power failure may cost
RETRY_S = 5.0  # between attempts to go on after the disk has failed
RECORDER_LATE, ENGINE_AWAY = "recorder late", "device or engine away"
REASONS = {
    Cause.NONE: RECORDER_LATE,
    Cause.RING_FULL: RECORDER_LATE,
    Cause.DEVICE_LOST: "device lost",
    Cause.ENGINE_RESTARTED: "engine restarted",
}
RECORDER_DIED, DISK_FULL, DISK_FAILED = "recorder died", "disk full", "disk failed"


class TakeWriter:
    """Places segments; never raises for a disk.

    Args:
        folder: of the take, made before.
        log: new, or that of a take to go on with, whose last part was left as its recorder died.
        disk: its space.
        going_on: the second.
        engines: what each of the session's engines gives; others are added while it runs.
        engine: the one that the take begins with.

    Attributes:
        log: brought up to date every second, on the disk too.
        error: problem and remedy while the disk fails, "" when it does not.
    """

    def __init__(
        self,
        folder: Path,
        log: TakeLog,
        disk: DiskSpace,
        going_on: bool = False,
        engines: Mapping[int, EngineFiles] | None = None,
        engine: int = 0,
    ) -> None:
        self._folder, self.log, self._disk = folder, log, disk
        self._engines = engines or {engine: EngineFiles(log.names, log.latency_samples)}
        self._first_engine = self._engine = engine
        if going_on:
            self._engine = next((part.get("engine", engine) for part in reversed(log.parts)), engine)
        self._part: Part | None = None
        self._why = ""  # of the gap to come, where it is known better than the engine knows it
        self._retry_at = self._next_sync = 0.0
        self._paused = False
        self._is_new = not going_on
        self._told: Segment | None = None  # what the device and the engine have said last
        self.error = ""
        if going_on:
            self._why = RECORDER_DIED
            try:
                repair_last_part(folder, log)
            except OSError as error:
                self._fail(error)
        self._attempt_part()

    def place(self, segment: Segment) -> None:
        """Writes a segment where it belongs; what is in front of it and did not come is a hole."""
        self._told = note(self.log, segment, self._told)
        at = segment.frame - self.log.first_frame
        rows = segment.rows[max(0, self.log.frames - at) :]
        at = max(at, self.log.frames)
        if len(rows) and segment.engine != self._engine:
            self._go_over(segment.engine)
        rows = rows[:, : len(self._names) * self.log.channels]
        for _ in range(2):  # where a part breaks, the next one goes on with the same frames
            if not len(rows) or not self._ready():
                return
            try:
                self._fill(at, self._why or REASONS[segment.facts.cause])
                self._write(rows)
                return
            except OSError as error:
                self._break(error)
                rows = rows[max(0, self.log.frames - at) :]
                at = max(at, self.log.frames)

    @property
    def _names(self) -> list[str]:
        files = self._engines.get(self._engine)
        return self.log.names if files is None or self._engine == self._first_engine else files.names

    def _go_over(self, engine: int) -> None:
        """The next part is another engine's: the files of the one before are complete."""
        before, log = self._names, self.log
        part, self._part = self._part, None
        self._engine = engine
        if part is not None and part.frames:
            try:
                log.parts[-1]["bytes"] = part.sync()
                part.close()
            except OSError as error:
                part.abandon()
                log.end_last_part(part.frames)
                self._fail(error)
        elif part is not None:
            part.abandon()
            part.discard()
            self._is_new = log.parts.pop()["folder"] == "."
        moment = datetime.fromisoformat(log.started) + timedelta(seconds=log.frames / log.samplerate)
        log.add_event("engine-changed", log.frames)
        log.events[-1] |= {
            "time": moment.isoformat(timespec="milliseconds"),
            "from": before[1:],
            "to": self._engines[engine].text if engine in self._engines else "",
        }
        if not self._paused:
            self._attempt_part()

    def _fill(self, at: int, why: str) -> None:
        """Silence up to frame `at`, listed before it is written."""
        gap = at - self.log.frames
        if gap > 0:
            assert self._part is not None
            self.log.add_hole(self.log.frames, gap, why)
            self._save()
            self._part.pad(gap)
            self._grow(gap)
        self._why = ""

    def _write(self, rows: NDArray[np.float32]) -> None:
        assert self._part is not None
        self._part.write(rows)
        self._grow(len(rows))

    def _grow(self, frames: int) -> None:
        self.log.frames += frames
        self.log.parts[-1]["frames"] += frames

    def _ready(self) -> bool:
        """Whether there is a part, and room to write."""
        now = time.monotonic()
        if self._paused:
            if now < self._retry_at:
                return False
            self._retry_at = now + RETRY_S
            if self._disk.is_full(RESUME_S):
                return False
            self._paused, self.error = False, ""
        elif self._disk.is_full():
            self._pause(DISK_FULL, "the disk is full; free some space: recording goes on then")
            self._sync()
            return False
        if self._part is None:
            self._attempt_part()
        return self._part is not None

    def _pause(self, why: str, error: str) -> None:
        self._why, self.error = why, f"recording to {self._folder} is held: {error}"
        self._paused, self._retry_at = True, time.monotonic() + RETRY_S

    def _attempt_part(self) -> None:
        log = self.log
        # the second part may follow a first one in which there was nothing
        later = (PART_NAME.format(n) for n in itertools.count(2))
        name = "." if self._is_new else next(n for n in later if not (self._folder / n).exists())
        try:
            self._part = Part(self._folder / name, self._names, log.suffix, log.samplerate, log.channels)
        except OSError as error:
            self._fail(error)
            return
        self._is_new = False
        entry: dict[str, Any] = {"folder": name, "first_frame": log.frames, "frames": 0, "bytes": {}}
        if self._engine != self._first_engine and (files := self._engines.get(self._engine)) is not None:
            entry |= {
                "engine": self._engine,
                "names": files.names,
                "latency_samples": files.latency_samples,
            }
        log.parts.append(entry)
        self._sync()

    def _break(self, error: OSError) -> None:
        """The part has ended: completed at the last frame that all files have. Another one is tried."""
        part = self._abandon()
        self._why = DISK_FAILED
        if part.frames:
            self._attempt_part()
        else:  # not even its first piece: no more attempts at once, and no empty files
            part.discard()
            self.log.parts.pop()
            self._fail(error)

    def _abandon(self) -> Part:
        part, self._part = self._part, None
        assert part is not None
        part.abandon()
        self.log.end_last_part(part.frames)
        return part

    def _fail(self, error: OSError) -> None:
        self._pause(DISK_FAILED, f"{reason(error)}; {remedy(error)}")

    def mark(self, marker_id: int, frame: int, text: str) -> None:
        """A marker at a frame of the show; one that is there already stays as it is."""
        if all(marker["id"] != marker_id for marker in self.log.markers):
            self.log.markers.append({"id": marker_id, "frame": frame - self.log.first_frame, "text": text})
            self._save()

    def tick(self) -> None:
        """Every now and then: what has been written goes to the disk, with the log."""
        if time.monotonic() >= self._next_sync:
            self._sync()

    def _sync(self) -> None:
        self._next_sync = time.monotonic() + SYNC_S
        if self._part is not None:
            entry = self.log.parts[-1]
            try:
                frames = self._part.readable
                entry["bytes"] = self._part.sync()
                self.log.clipped_samples = self._part.clipped
                if frames:
                    self._disk.measured(sum(entry["bytes"].values()) / frames * self.log.samplerate)
            except OSError as error:
                self._break(error)
        self._save()

    def _save(self) -> None:
        saved = self.log.frames, [dict(part) for part in self.log.parts]
        if self._part is not None:  # the log on the disk never promises more than the files hold
            entry = self.log.parts[-1]
            entry["frames"] = self._part.readable
            self.log.frames = entry["first_frame"] + entry["frames"]
        with contextlib.suppress(OSError):
            self.log.save(self._folder)
        self.log.frames, self.log.parts = saved

    def finish(self, end_frame: int, why: str, ended: str) -> None:
        """Completes the take: silence up to `end_frame` of the show where it did not come."""
        end = max(self.log.frames, end_frame - self.log.first_frame)
        why = self._why or why
        if self._part is not None:
            try:
                self._fill(end, why)
                self._part.close()
                self._part = None
            except OSError as error:
                self._abandon()
                self.error = f"recording to {self._folder} stopped: {reason(error)}; {remedy(error)}"
        if end > self.log.frames:  # no disk to put silence on: the take is as long, its files are not
            self.log.add_hole(self.log.frames, end - self.log.frames, why or DISK_FAILED)
            self.log.frames = end
        self.log.state, self.log.ended = "finished", ended
        for part_entry in self.log.parts[-1:]:
            part_entry["bytes"] = self._sizes(part_entry)
        with contextlib.suppress(OSError):
            self.log.save(self._folder)

    def _sizes(self, part: dict[str, Any]) -> dict[str, int]:
        with contextlib.suppress(OSError):
            folder = self._folder / part["folder"]
            return {n: (folder / f"{n}.{self.log.suffix}").stat().st_size for n in self.log.names_of(part)}
        return dict(part["bytes"])

    def missing_now(self, show_frame: int) -> int:
        """Frames of a hole that is not over yet, when the show is at `show_frame`."""
        return max(0, show_frame - self.log.first_frame - self.log.frames) if self._why else 0

    @property
    def held_by(self) -> str:
        """Why the gap that is not over yet is there, where it is known."""
        return self._why

    @property
    def left_s(self) -> float | None:
        """Until the disk is full."""
        left = self._disk.left_s()
        return None if left is None or math.isinf(left) else max(0.0, left)

"""The run over an archive: what is done already is left, the rest is separated, and everything is told."""

import shutil
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rtsep.kernels.errors import RtsepError
from rtsep.rt.archive.done_record import is_done, move_in, new_work
from rtsep.rt.archive.job import Job, Outcome, run_job
from rtsep.rt.archive.recordings import Archive, Recording, content_hash
from rtsep.rt.archive.workers import Workers
from rtsep.rt.audio.disk_errors import reason
from rtsep.rt.stop import Stopped, StopSignals

LOOK_S = 0.2
DONE, BEFORE, FAILED, DUPLICATE, LEFT = "done", "done before", "failed", "duplicate", "left"


@dataclass
class Entry:
    """What became of a recording.

    Attributes:
        input, output: paths in the archive and below the output.
        state: done, "done before", failed, duplicate (of `duplicate_of`), or left (the run was stopped).
        error: why it failed, one line.
        report: the root command's, of this run or an earlier one.
    """

    input: str
    output: str
    state: str = LEFT
    sha256: str = ""
    duplicate_of: str = ""
    error: str = ""
    report: dict[str, Any] = field(default_factory=dict)


class Batch:
    """One run.

    Args:
        archive: what there is to do.
        output: folder of stems.
        room: folder for what is not complete yet, see `work_room`.
        settings: what stems depend on besides the content, JSON types.
        options: of the root command.
        pitches: see `Job`.
        workers: who runs jobs.
        on_entry: called with every recording that is settled.
        on_look: called a few times a second.
    """

    def __init__(
        self,
        archive: Archive,
        output: Path,
        room: Path,
        *,
        settings: dict[str, Any],
        options: tuple[str, ...],
        pitches: bool,
        workers: Workers,
        on_entry: Callable[[Recording, Entry], None],
        on_look: Callable[[], None],
    ) -> None:
        self._archive, self._output, self._room = archive, output, room
        self._settings, self._options, self._pitches = settings, options, pitches
        self._workers, self._on_entry, self._on_look = workers, on_entry, on_look
        self.entries = {r: Entry(str(r.name), str(r.folder)) for r in archive.recordings}
        self._first: dict[str, Recording] = {}  # of every content
        self._running: dict[Future[Outcome], tuple[Recording, Path]] = {}

    def run(self, signals: StopSignals) -> Stopped | None:
        """Until all recordings are settled, or a signal comes: what was stopped by.

        Raises:
            RtsepError: the cluster is gone.
        """
        waiting = iter(self._archive.recordings)
        more = True
        try:
            while more or self._running:
                with signals.interruptible():
                    signals.check()
                while more and len(self._running) < self._workers.at_once:
                    recording = next(waiting, None)
                    if recording is None:
                        more = False
                    else:
                        with signals.interruptible():
                            self._look_at(recording)
                with signals.interruptible():
                    finished, _ = wait(self._running, LOOK_S, FIRST_COMPLETED) if self._running else ((), ())
                for future in finished:
                    self._settle(future)
                self._on_look()
        except Stopped as stopped:
            return stopped
        return None

    def _look_at(self, recording: Recording) -> None:
        """Begins with a recording, unless there is nothing to do."""
        entry = self.entries[recording]
        try:
            entry.sha256 = content_hash(recording.path)
        except OSError as error:
            self._fail(recording, f"it cannot be read: {reason(error)}")
            return
        first = self._first.setdefault(entry.sha256, recording)
        if first is not recording:
            entry.state, entry.duplicate_of, entry.output = DUPLICATE, str(first.name), str(first.folder)
            self._on_entry(recording, entry)
            return
        if is_done(self._output / recording.folder, entry.sha256, self._settings):
            entry.state = BEFORE
            self._on_entry(recording, entry)
            return
        work = new_work(self._room)
        job = Job(str(recording.path), str(work), self._options, self._pitches)
        try:
            future = self._workers.executor.submit(run_job, job)
        except Exception as error:  # whatever a cluster's client raises
            raise RtsepError(
                f"{self._workers.name} are gone: {_line(error)}", "run again to go on"
            ) from error
        self._running[future] = recording, work

    def _settle(self, future: "Future[Outcome]") -> None:
        recording, work = self._running.pop(future)
        entry = self.entries[recording]
        try:
            outcome = future.result()
        except Exception as error:  # a worker of a cluster has died
            outcome = Outcome(error=f"its worker was lost: {_line(error)}")
        if not outcome.error:
            record = {"sha256": entry.sha256, "settings": self._settings, "report": outcome.report}
            try:
                move_in(work, self._output / recording.folder, {"input": str(recording.name), **record})
            except RtsepError as error:
                outcome = Outcome(error=str(error))
            except OSError as error:
                outcome = Outcome(error=f"its stems cannot be moved to {recording.folder}: {reason(error)}")
        shutil.rmtree(work, ignore_errors=True)
        if outcome.error:
            self._fail(recording, outcome.error)
            return
        entry.state, entry.report = DONE, outcome.report
        self._on_entry(recording, entry)

    def _fail(self, recording: Recording, why: str) -> None:
        entry = self.entries[recording]
        entry.state, entry.error = FAILED, why
        self._on_entry(recording, entry)

    def leave(self) -> None:
        """After a stop: what has not begun does not, and what runs leaves nothing."""
        for future in self._running:
            future.cancel()

    def report(self, elapsed_s: float, stopped: str | None) -> dict[str, Any]:
        """All of it as JSON types."""
        entries = list(self.entries.values())
        states = (DONE, BEFORE, FAILED, DUPLICATE, LEFT)
        counts = {state.replace(" ", "_"): sum(e.state == state for e in entries) for state in states}
        sounded_s = sum(e.report.get("duration_s", 0.0) for e in entries if e.state == DONE)
        return {
            "format": "rtsep-batch-report/1",
            "settings": self._settings,
            "counts": {**counts, "not_audio": self._archive.others},
            "duration_s": round(sounded_s, 3),
            "elapsed_s": round(elapsed_s, 3),
            "workers": self._workers.name,
            "stopped": stopped,
            "recordings": [asdict(entry) for entry in entries],
        }


def _line(error: Exception) -> str:
    return f"{type(error).__name__} {' '.join(str(error).split())[:160]}".strip()

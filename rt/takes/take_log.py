"""`take.json`: what a take is, and everything that happened to it.

All frames are of the take: 0 is its first sample. The parts follow each other without a gap, so their files
end to end are as long as the take.
"""

import contextlib
import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from rtsep.rt.takes.hop_record import Cause, HopFacts, Segment

FILE_NAME = "take.json"
ENGINE_STALLED = "engine stalled"
FORMAT, VERSION = "rtsep-take", 1
RUNNING = "running"
# A device that drops out every block for hours must not make a file that takes seconds to write.
MAX_EVENTS = 10_000
SHOWN_HOLES = 3  # in the last line of a run; all are in take.json


@dataclass
class TakeLog:
    """Attributes:
    state: "running", "finished", "recovered" (ended without its recorder) or "failed".
    ended: why, in words; empty while it runs.
    started: wall clock at frame 0, ISO 8601 with zone.
    names: of the files without suffix, the input first; stems: those of the stems.
    suffix: of the files. samplerate: Hz. channels: of each file.
    settings, latency_samples: as the session has them.
    first_frame: of the show's clock, where the take begins.
    frames: length.
    pre_roll_frames: of them, from before the recording was started.
    clipped_samples: that 24 bit could not hold.
    holes: {"first_frame", "frames", "reason"}: silence in place of what could not be had.
    events: {"kind", "first_frame", "frames", "count"}; of "skipped-hop" the frames of the stems of hops that
        were not separated, below 0 for those before the take and the first of an engine; "bypassed" where no
        engine stayed up and the residual is the input; of a change of engines also "time", "from" and "to",
        the stems before and what was changed to; events_left_out: those after the first 10 000.
    markers: {"id", "frame", "text"}.
    parts: {"folder", "first_frame", "frames", "bytes" of each file up to there}; of an engine that was
        changed to while it ran also "engine", its "names" and its "latency_samples".
    """

    state: str
    started: str
    names: list[str]
    suffix: str
    samplerate: int
    channels: int
    first_frame: int
    pre_roll_frames: int = 0
    frames: int = 0
    ended: str = ""
    clipped_samples: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    latency_samples: dict[str, int | None] = field(default_factory=dict)
    holes: list[dict[str, Any]] = field(default_factory=list)
    markers: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    events_left_out: int = 0
    parts: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """That of a take.

        Raises:
            OSError: there is none.
            ValueError: it is none of this version.
        """
        values = json.loads((folder / FILE_NAME).read_bytes())
        if not isinstance(values, dict) or (values.pop("format", 0), values.pop("version", 0)) != (
            FORMAT,
            VERSION,
        ):
            raise ValueError(f"{folder / FILE_NAME} is no {FORMAT} of version {VERSION}")
        for shown in ("stems", "length_s"):
            values.pop(shown, None)
        try:
            return cls(**values)
        except TypeError as error:
            raise ValueError(f"{folder / FILE_NAME}: {error}") from None

    def save(self, folder: Path) -> None:
        """Writes it whole or not at all, and returns when it is on the disk.

        Raises:
            OSError: the old one stays.
        """
        head = {"format": FORMAT, "version": VERSION, "stems": self.names[1:]}
        text = json.dumps(
            head | asdict(self) | {"length_s": round(self.frames / self.samplerate, 6)}, indent=1
        )
        part = folder / f".{FILE_NAME}.part"
        try:
            with open(part, "w") as file:
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, folder / FILE_NAME)
        except OSError:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise

    def add_hole(self, first_frame: int, frames: int, why: str) -> None:
        """Frames that could not be had; a hole that goes on is one hole."""
        for hole in self.holes[-2:]:
            if hole["reason"] == why and hole["first_frame"] + hole["frames"] == first_frame:
                hole["frames"] += frames
                return
        self.holes.append({"first_frame": first_frame, "frames": frames, "reason": why})
        self.holes.sort(key=lambda hole: int(hole["first_frame"]))

    def end_last_part(self, frames: int) -> None:
        """The last part has so many frames, and the take ends there: holes go no further."""
        self.parts[-1]["frames"] = frames
        self.frames = self.parts[-1]["first_frame"] + frames
        self.holes = [
            hole | {"frames": min(hole["frames"], self.frames - hole["first_frame"])}
            for hole in self.holes
            if hole["first_frame"] < self.frames
        ]

    def add_event(self, kind: str, first_frame: int, frames: int = 0, count: int = 1) -> None:
        """Something that happened; one that goes on where it stopped is one event."""
        for event in self.events[-3:]:
            if frames and event["kind"] == kind and event["first_frame"] + event["frames"] == first_frame:
                event["frames"] += frames
                event["count"] += count
                return
        if len(self.events) >= MAX_EVENTS:
            self.events_left_out += 1
            return
        self.events.append({"kind": kind, "first_frame": first_frame, "frames": frames, "count": count})

    def names_of(self, part: dict[str, Any]) -> list[str]:
        """Of the files of one of `parts`."""
        return list(part.get("names", self.names))

    @property
    def hole_frames(self) -> int:
        """Of all holes."""
        return sum(int(hole["frames"]) for hole in self.holes)

    def holes_text(self) -> str:
        """Where they are, in one line; empty where there are none."""
        rate = self.samplerate
        shown = [
            f"{hole['frames'] / rate:.3f} s at {hole['first_frame'] / rate:.3f} s ({hole['reason']})"
            for hole in self.holes[:SHOWN_HOLES]
        ]
        more = len(self.holes) - len(shown)
        return ", ".join(shown) + (f" and {more} more" if more else "")


def note(log: TakeLog, segment: Segment, before: Segment | None) -> Segment:
    """What the device and the engine say with a segment, as events and holes; `before` is what was noted
    last. Returns `segment`, without its samples.
    """
    facts = segment.facts
    at = max(0, segment.frame - log.first_frame)
    if facts.cause in (Cause.DEVICE_LOST, Cause.ENGINE_RESTARTED):
        kind = "device" if facts.cause is Cause.DEVICE_LOST else "engine"
        log.add_event(f"{kind}-lost", log.frames)
        log.add_event(f"{kind}-back", at)
    if before is None or before.engine != segment.engine:  # what it counted before it was heard is nobody's
        known = facts
    elif facts.xruns < before.facts.xruns or facts.fallback_samples < before.facts.fallback_samples:
        known = HopFacts(Cause.NONE, 0, False, 0, 0, 0)  # a new engine counts from zero
    else:
        known = before.facts
    rows = len(segment.rows)
    hop = min(facts.hop, rows)
    for kind, first, frames, count in (
        ("xrun", at, 0, facts.xruns - known.xruns),
        ("late-hop", at, hop, facts.late_hops - known.late_hops),
        ("fallback", at, hop, facts.fallback_samples - known.fallback_samples),
        ("skipped-hop", facts.skipped_at - log.first_frame, facts.hop, int(facts.skipped)),
        ("bypassed", at, rows, int(facts.bypassed)),
    ):
        if count > 0:
            log.add_event(kind, first, frames, count)
    if facts.lost_frames:
        log.add_hole(max(0, facts.lost_at - log.first_frame), facts.lost_frames, ENGINE_STALLED)
    return replace(segment, rows=segment.rows[:0])

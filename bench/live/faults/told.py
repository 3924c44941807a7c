"""One fault, as it went: what was heard, when all was as before, what was lost."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rtsep.bench.live.faults.room import Gap
from rtsep.bench.live.faults.stage import Stage
from rtsep.rt.live.status import Status

WATCHED_S = 1.0  # after everything is as before: what follows belongs to it
COUNTED = {
    "late_hops": "late hops",
    "fallback_samples": "fallback samples",
    "nonfinite_samples": "samples zeroed",
    "limited_samples": "samples limited",
    "record_hole_frames": "frames of holes",
}


@dataclass
class Told:
    """One fault, as it went.

    Attributes:
        injected: how; recover_s: from the end of the cause to stems, or to what `recovered` names.
        lost: counters that moved; wrong: what is not as docs/faults.md says.
    """

    fault: str
    injected: str
    heard: Gap
    recover_s: float
    recovered: str = "stems"
    lost: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def expect(self, holds: bool, words: str) -> None:
        """Notes `words` where it does not hold."""
        if not holds:
            self.wrong.append(words)


def counters(before: Status, after: Status) -> dict[str, int]:
    """What has been counted in between, by the words for it."""
    found = {words: getattr(after, name) - getattr(before, name) for name, words in COUNTED.items()}
    return {words: value for words, value in found.items() if value}


@contextlib.contextmanager
def watched(stage: Stage, fault: str, injected: str, ends_in: str = "running") -> Iterator[Told]:
    """From now until everything is as before, or the session `ends_in` another state than running; the body
    sets `recover_s` to when the cause ended, and `heard` to begin later than now where it wants that.
    """
    before, begin = stage.session.status(), time.monotonic()
    told = Told(fault, injected, Gap(begin, begin, 0.0, 0.0), begin)
    yield told
    stage.until(lambda status: status.state == ends_in and (ends_in != "running" or stage.sounds()))
    time.sleep(WATCHED_S)
    told.heard = stage.room.gap(told.heard.begin, time.monotonic())
    told.lost = counters(before, stage.session.status())
    if told.recovered == "stems":
        told.recover_s = max(0.0, told.heard.end - told.recover_s)


def unheard(told: Told) -> Told:
    """The same; what is not to be heard was not."""
    told.expect(told.heard.silent_s < 0.1, f"silence of {told.heard.silent_s:.3f} s")
    return told

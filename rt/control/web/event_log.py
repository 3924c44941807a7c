"""What has happened, with times: from one look at the status to the next."""

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

KEPT = 300
SUMMED_S = 1.0  # xruns come in bursts: one line a second for each counter
# counters of the status that should stay at zero: what one is called, and several
FAULTS = {
    "xruns": ("xrun", "xruns"),
    "late_hops": ("late hop", "late hops"),
    "skipped_hops": ("skipped hop", "skipped hops"),
    "device_losses": ("device loss", "device losses"),
    "engine_restarts": ("engine restart", "engine restarts"),
    "nonfinite_samples": ("NaN or Inf sample", "NaN or Inf samples"),
    "limited_samples": ("sample at the ceiling", "samples at the ceiling"),
    "input_lost_frames": ("lost input frame", "lost input frames"),
    "record_holes": ("hole in the take", "holes in the take"),
}
STATES = ("state", "record_state", "last_error")


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    Attributes:
        number: counts on; at: seconds since 1970; kind: "state", "fault", "note" or "action".
        text: for people.
    """

    number: int
    at: float
    kind: str
    text: str


class EventLog:
    """The last events of a session.

    Example:
        >>> log = EventLog()
        >>> log.follow({"state": "running", "xruns": 0}, now_s=0.0)
        >>> log.follow({"state": "running", "xruns": 3}, now_s=2.0)
        >>> [event.text for event in log.since(0)]
        ['running', '3 xruns (3 in all)']
    """

    def __init__(self) -> None:
        self._events: deque[Event] = deque(maxlen=KEPT)
        self._before: dict[str, Any] = {}
        self._counted: dict[str, int] = {}
        self._told_at: dict[str, float] = {}
        self.last = 0

    def add(self, kind: str, text: str) -> None:
        """Something happens now."""
        self.last += 1
        self._events.append(Event(self.last, round(time.time(), 2), kind, text))

    def since(self, number: int) -> Iterator[Event]:
        """Those after the event of that number, the oldest first."""
        return (event for event in tuple(self._events) if event.number > number)

    def follow(self, status: dict[str, Any], now_s: float) -> None:
        """A look at the status, JSON types; what is new since the look before becomes events.

        Args:
            status: of the session.
            now_s: seconds that only go on.
        """
        before = self._before
        self._before = {key: status.get(key) for key in (*STATES, "no_signal", "notes", "record_take")}
        for key in STATES:
            value = status.get(key) or ""
            if value and value != (before.get(key) or ""):
                take = f" {status.get('record_take', '')}" if key == "record_state" else ""
                self.add(
                    "fault" if key == "last_error" else "state",
                    f"take {value}{take}" if key == "record_state" else str(value),
                )
        if bool(status.get("no_signal")) != bool(before.get("no_signal")):
            lost = bool(status.get("no_signal"))
            self.add("fault" if lost else "state", "no signal" if lost else "signal is back")
        for note in status.get("notes") or ():
            if note not in (before.get("notes") or ()):
                self.add("note", str(note))
        for name, words in FAULTS.items():
            self._count(name, words, int(status.get(name) or 0), now_s, first=not before)

    def _count(self, name: str, words: tuple[str, str], count: int, now_s: float, *, first: bool) -> None:
        news = count - self._counted.setdefault(name, count if first else 0)
        if news < 0:  # another take
            self._counted[name] = count
        elif news and now_s - self._told_at.get(name, -SUMMED_S) >= SUMMED_S:
            self._counted[name], self._told_at[name] = count, now_s
            self.add("fault", f"{news} {words[news > 1]} ({count} in all)")

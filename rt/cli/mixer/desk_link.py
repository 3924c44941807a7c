"""A running session, seen and steered from another process through its control socket."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.socket_server import ask
from rtsep.rt.control.web.event_log import Event, EventLog
from rtsep.rt.process.peaks import PeakKeeper

STATUS_S = 0.05  # the engine publishes twenty times a second
VALUES_S = 0.2  # somebody else's hand on a fader

Ask = Callable[[str, dict[str, Any]], Any]


@dataclass
class Desk:
    """What a screen shows, of one moment.

    Attributes:
        values: of all parameters, by name.
        status: JSON types, see `rtsep.rt.live.status.Status`.
        peaks: `peak_db` of the stems, `input_peak_db`, `output_peak_db` since the last look, dBFS.
        events: the last ones, the oldest first.
        answers: whether the session answered when it was asked last.
    """

    values: dict[str, float] = field(default_factory=dict)
    status: dict[str, Any] = field(default_factory=dict)
    peaks: dict[str, list[float]] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    answers: bool = True


class DeskLink:
    """Asks in a thread of its own, so that a session that is slow to answer never holds the keys up.

    Args:
        session: its name.
        ask: how it is asked; another one in tests.

    Raises:
        RtsepError: the session does not answer at the start.
    """

    def __init__(self, session: str, ask: Ask = ask) -> None:
        self.session, self._ask = session, ask
        self._desk = Desk()
        self._keeper, self._log = PeakKeeper(), EventLog()
        self._orders: deque[dict[str, Any]] = deque()
        self._lock = threading.Lock()
        self._over, self._wake = threading.Event(), threading.Event()
        self._list()
        self._look()
        self._thread = threading.Thread(target=self._run, name="desk link", daemon=True)
        self._thread.start()

    def desk(self) -> Desk:
        """Of now; peaks are those since the last call."""
        with self._lock:
            return Desk(
                dict(self._desk.values),
                self._desk.status,
                self._keeper.take(),
                tuple(self._log.since(0)),
                self._desk.answers,
            )

    def set(self, name: str, value: object, *, relative: bool = False) -> None:
        """Orders a change; it is seen in `desk` once the session has obeyed, or told as an event."""
        self._order({"do": "set", "name": name, "value": value, "relative": relative})

    def do(self, action: str, words: str = "") -> None:
        """Orders an action, such as `mark`."""
        self._order({"do": "action", "name": action, "words": words})

    def close(self) -> None:
        """Ends the thread."""
        self._over.set()
        self._wake.set()
        self._thread.join()

    def _order(self, request: dict[str, Any]) -> None:
        self._orders.append(request)
        self._wake.set()

    def _run(self) -> None:
        next_list = 0.0
        while not self._over.is_set():
            try:
                obeyed = self._obey()
                now = time.monotonic()
                if obeyed or now >= next_list:
                    next_list = now + VALUES_S
                    self._list()
                self._look()
                self._desk.answers = True
            except RtsepError as error:
                if self._desk.answers:
                    with self._lock:
                        self._log.add("fault", str(error))
                self._desk.answers = False
            self._wake.wait(STATUS_S)
            self._wake.clear()

    def _obey(self) -> bool:
        """Sends what has been ordered; what the session refuses is an event."""
        obeyed = False
        while self._orders:
            request = self._orders.popleft()
            try:
                answer = self._ask(self.session, request)
            except RtsepError as error:
                with self._lock:
                    self._log.add("fault", str(error))
                continue
            if request["do"] == "action":
                words = f"{request['name']} {request['words']}".strip()
                with self._lock:
                    self._log.add("action", f"{words}: {answer}" if answer is not None else words)
            obeyed = True
        return obeyed

    def _list(self) -> None:
        rows = self._ask(self.session, {"do": "list"})
        with self._lock:
            self._desk.values = {row["name"]: float(row["value"]) for row in rows}

    def _look(self) -> None:
        status = self._ask(self.session, {"do": "status"})
        with self._lock:
            self._desk.status = status
            self._keeper.add(status)
            self._log.follow(status, time.monotonic())

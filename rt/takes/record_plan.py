"""What the session tells the recorder, a JSON line each: the plan first, then orders."""

import json
import os
import select
from dataclasses import asdict, dataclass, field
from typing import Any, Self

PRE_ROLL_S = 10.0  # kept in memory while armed
READ_BYTES = 1 << 16


@dataclass(frozen=True)
class EngineFiles:
    """What one of a session's engines gives a take.

    Attributes:
        names: of the files without suffix, in the order of a frame's samples.
        latency_samples: in its parts.
        text: settings that were changed to.
    """

    names: list[str]
    latency_samples: dict[str, int | None] = field(default_factory=dict)
    text: str = ""


@dataclass(frozen=True)
class RecordPlan:
    """What a session begins with.

    Attributes:
        names: of the files without suffix, in the order of a frame's samples.
        samplerate: Hz. hop: frames of a record in the ring. channels: of every file.
        form: "wav" or "flac".
    """

    names: list[str]
    samplerate: int
    hop: int
    channels: int
    form: str = "wav"

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Self:
        """Back from `to_json`."""
        return cls(**json.loads(line))


@dataclass(frozen=True)
class Order:
    """An order to the recorder.

    Attributes:
        do: "start", "stop", "mark" or "engine".
        frame: of the show: where the take begins before its pre-roll, where it ends, or what is marked.
        folder: "start": of the take, made before.
        started: "start": wall clock at `frame`, seconds since 1970.
        pre_roll_frames: "start": how many frames before `frame` belong to the take too, where there are any.
        going_on: "start": another recorder has died at it.
        settings, latency_samples: "start": for `take.json`.
        marker_id, text: "mark".
        engine, files: "engine": a number that hops may bear from now on, and what they are of.
    """

    do: str
    frame: int
    folder: str = ""
    started: float = 0.0
    pre_roll_frames: int = 0
    going_on: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    latency_samples: dict[str, int | None] = field(default_factory=dict)
    marker_id: int = 0
    text: str = ""
    engine: int = 0
    files: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))


class Orders:
    """Lines from a descriptor, without waiting after the first.

    Attributes:
        ended: whoever gives orders is gone.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._bytes = descriptor, b""
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN | select.POLLHUP)
        self.ended = False

    def first_line(self) -> str:
        """Waits for the plan."""
        while b"\n" not in self._bytes and not self.ended:
            self._read(None)
        line, _, self._bytes = self._bytes.partition(b"\n")
        return line.decode()

    def read(self) -> list[Order]:
        """Those that have come since the last time."""
        while not self.ended and self._read(0):
            pass
        *lines, self._bytes = self._bytes.split(b"\n")
        return [Order(**json.loads(line)) for line in lines]

    def _read(self, timeout_ms: int | None) -> bool:
        if not self._poll.poll(timeout_ms):
            return False
        data = os.read(self._descriptor, READ_BYTES)
        self._bytes += data
        self.ended = not data
        return bool(data)

"""Steering by a MIDI controller: a thread of the process that owns the session, never of the engine."""

import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Self

from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.command_model import CommandModel
from rtsep.rt.control.midi.desk_map import DeskMap
from rtsep.rt.control.midi.learner import PATIENCE_S, Learner
from rtsep.rt.control.midi.messages import Decoder, Move
from rtsep.rt.control.midi.ports import VIRTUAL, MidiSystems, OpenPort

POLL_S = 0.004  # a fader is followed within a hop or two
FEEDBACK_S, FEEDBACK_MOST = 0.02, 16  # controls told at a time: a MIDI cable carries a message in 1 ms
LOOK_S = 1.0  # for a controller that is looked for, or may have gone
MOST = 8192  # messages at a look; the rest is there at the next
NEWS = 20


class LearnClaim:
    """Of several controllers that wait for one target: the first that moves has it."""

    def __init__(self) -> None:
        self._free = threading.Lock()
        self._owner: MidiServer | None = None

    def is_of(self, server: "MidiServer") -> bool:
        """Whether it is this one's, or nobody's yet and so this one's from now on."""
        if self._free.acquire(blocking=False):
            self._owner = server
        return self._owner is server

    @property
    def is_taken(self) -> bool:
        """Whether somebody has moved."""
        return self._owner is not None


class MidiServer:
    """Listens to one controller until it is closed, and looks for it while it is not there.

    Args:
        model: what is steered.
        port: part of the name of its port, or `virtual` for ports of our own.
        path: of the map; made by the first `midi learn` where there is none.

    Attributes:
        notes: what the user should know at the start; part: as `port`.

    Raises:
        RtsepError: mido or rtmidi are not installed, or a map that cannot be read.
    """

    def __init__(self, model: CommandModel, port: str, path: Path) -> None:
        if not port.strip():
            raise RtsepError(f"--midi {port!r} names no port", "see rtsep devices, or say virtual")
        self._model, self.part = model, port
        self._systems = MidiSystems()
        self._map = DeskMap(model, path)
        self._decoder = Decoder()
        self._learner: Learner | None = None
        self._claim = LearnClaim()
        self._port: OpenPort | None = None
        self._why = ""  # of the last loss
        self._look_at = self._tell_at = 0.0
        self._news: deque[str] = deque(maxlen=NEWS)
        self._lock = threading.Lock()  # map, learner and systems: `do` comes from other threads
        self._ended = threading.Event()
        self.notes = self._map.notes()
        self._connect()
        if self._port is None:
            names = ", ".join(self._systems.names()) or "none"
            self.notes.append(f"no MIDI port has {port!r} in its name yet, it is looked for; ports: {names}")
        else:
            self.notes += self.take_news()
        self._thread = threading.Thread(target=self._run, name="midi", daemon=True)
        self._thread.start()

    def take_news(self) -> list[str]:
        """What has happened since the last time."""
        return [self._news.popleft() for _ in range(len(self._news))]

    def close(self) -> None:
        """Ends it."""
        self._ended.set()
        self._thread.join()
        self._systems.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def do(self, words: str, claim: LearnClaim | None = None) -> str:
        """`learn PARAMETER`, `forget PARAMETER`, `list` or `ports`; in place of a parameter an action and its
        words. Those who learn with one `claim` learn for the first of them that moves.

        Raises:
            RtsepError: no such words, or nothing of that name.
        """
        verb, _, target = words.strip().partition(" ")
        target = target.strip()
        if verb == "list" and not target:
            with self._lock:
                return "\n".join(self._map.lines()) or "nothing is bound; rtsep control midi learn PARAMETER"
        if verb == "ports" and not target:
            with self._lock:
                return "\n".join(self._systems.names()) or "no MIDI ports"
        if verb == "learn" and target:
            return self._learn(target, claim or LearnClaim())
        if verb == "forget" and target:
            with self._lock:
                count = self._map.forget(target)
            return f"{target} follows {count} control{'s' if count > 1 else ''} less"
        raise RtsepError(f"midi {words!r} is no command", "say midi learn NAME, forget NAME, list or ports")

    def _learn(self, target: str, claim: LearnClaim) -> str:
        is_action, is_switch = self._map.look_up(target)
        with self._lock:
            self._learner, self._claim = Learner(target, is_action, is_switch, time.monotonic()), claim
        what = "press a button" if is_switch else "move a fader"
        port = self._port
        where = f"of {port.name}" if port is not None else f"as soon as {self.part!r} is connected"
        return f"{what} {where} within {PATIENCE_S:.0f} s: {target} will follow it"

    def _run(self) -> None:
        while not self._ended.wait(POLL_S):
            try:
                self._round(time.monotonic())
            except Exception as error:  # of a driver or of ours: the controller is lost, not the steering
                with self._lock:
                    self._lose(f"MIDI has failed ({type(error).__name__}: {error})")

    def _round(self, now: float) -> None:
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            with self._lock:
                if self._port is None:
                    self._connect()
                elif not self._port.is_there():
                    self._why = ""
                    self._lose(f"{self._port.name} is gone")
        port = self._port
        if port is None:
            return
        data = port.receive(MOST)
        with self._lock:
            self._news.extend(self._map.follow())
            self._take([move for message in data for move in self._decoder.moves(message)], now)
            if self._learner is not None:
                self._end_learning(self._learner, now)
            if now >= self._tell_at:
                self._tell_at = now + FEEDBACK_S
                for message in self._map.news(self._model.values(), now, FEEDBACK_MOST):
                    port.send(message)

    def _take(self, moves: list[Move], now: float) -> None:
        if self._learner is not None and moves and not self._claim.is_of(self):
            self._learner = None
        if self._learner is not None:
            for move in moves:
                self._learner.add(move, now)
        elif moves:
            self._tried(lambda: self._map.take(moves, now))

    def _tried(self, act: Callable[[], list[str]]) -> None:
        try:
            self._news.extend(act())
        except RtsepError as error:
            self._news.append(f"MIDI: {error}")

    def _end_learning(self, learner: Learner, now: float) -> None:
        address = learner.found(now)
        if address is None and not learner.is_late(now):
            return
        self._learner = None
        if address is None and self._claim.is_taken:
            return
        if address is None:
            self._news.append(f"MIDI: nothing has moved for {learner.target}; say learn again")
            return
        self._tried(lambda: self._map.learn(learner, address))

    def _connect(self) -> None:
        port = self._systems.open(self.part)
        if port is None:
            return
        self._decoder = Decoder()
        self._map.begin(port.can_be_told)
        self._port = port
        where = "ports of its own, connect a controller to them" if port.name == VIRTUAL else port.name
        way = "" if port.can_be_told else ", which cannot be told anything"
        self._news.append(f"MIDI from {where}{way}")

    def _lose(self, why: str) -> None:
        port, self._port = self._port, None
        self._look_at = time.monotonic() + LOOK_S
        if why != self._why:  # what fails again and again is told once
            self._news.append(f"{why}; the sound goes on, and the controller is looked for")
        self._why = why
        if port is not None:
            self._systems.leave(port.system)

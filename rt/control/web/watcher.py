"""What the server knows of the session: the status as the engine publishes it, and what the session adds."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from typing import Any

from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.command_model import CommandModel
from rtsep.rt.control.commands import Control
from rtsep.rt.control.desk_layout import DeskLayout
from rtsep.rt.control.parameters import mixer_parameters
from rtsep.rt.control.socket_server import ask
from rtsep.rt.control.web.event_log import EventLog
from rtsep.rt.process.block import Block
from rtsep.rt.process.peaks import PeakKeeper
from rtsep.rt.process.shared_memory import SharedMemory

LOOK_S = 0.05  # as often as the engine publishes; whoever shows something looks besides
IDLE_LOOK_S = 0.2  # no page is open: what stands in the event log may be a moment late
ASK_S = 0.5  # takes and notes change slowly
# Of the session alone: the engine knows nothing of takes, nor that its process is gone.
OF_THE_SESSION = ("state", "notes", "last_error")
INTERNAL = ("stream", "desk")  # what an engine tells the next one


class SessionActions(Mapping[str, Any]):
    """What can be done besides setting parameters: the session does it, asked as `rtsep control` asks.

    Args:
        session: its name.
    """

    def __init__(self, session: str) -> None:
        self._session = session
        self.names: tuple[str, ...] = ()

    def learn(self) -> None:
        """Asks which there are.

        Raises:
            RtsepError: the session does not answer.
        """
        self.names = tuple(ask(self._session, {"do": "actions"}))

    def __getitem__(self, name: str) -> Any:
        if name not in self.names:
            raise KeyError(name)
        return lambda words: ask(self._session, {"do": "action", "name": name, "words": words})

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


class Watcher:
    """The session, seen from another process.

    Args:
        block: the engine's status.
        commands: memory where parameters are set.
        session: name of the session.

    Attributes:
        model: what is steered; another one when the desk has other parameters, `desks` counts them.
        looks: counts those that found something new.
        answers: whether the session answered when it was asked last.
        events: what has happened since this process began.
        keepers: of peaks, each fed with every snapshot.
    """

    def __init__(self, block: Block, commands: SharedMemory, session: str) -> None:
        self._block, self._commands, self._session = block, commands, session
        self._written = -1
        self._snapshot: dict[str, Any] = {}
        self._told: dict[str, Any] = {}
        self._news = False  # something is not in the events yet
        self._desk: dict[str, Any] | None = None
        self.actions = SessionActions(session)
        self.answers = True
        self.desks = self.looks = 0
        self.events = EventLog()
        self.keepers: set[PeakKeeper] = set()
        self.look()

    def look(self) -> None:
        """Takes in a new snapshot of the engine, where there is one."""
        written = self._block.written
        if written == self._written:
            return
        snapshot = self._block.peek()
        if not snapshot:
            return
        self._written, self._snapshot = written, snapshot
        if "desk" in snapshot and snapshot["desk"] != self._desk:
            self._desk = snapshot["desk"]
            control = Control(self._commands, mixer_parameters(DeskLayout.from_dict(self._desk)))
            self._model = CommandModel(control, self.actions, self.status)
            self.desks += 1
        for keeper in self.keepers:
            keeper.add(snapshot)
        self._news = True
        self.looks += 1

    @property
    def model(self) -> CommandModel:
        """Of the desk as it is at this moment."""
        self.look()
        return self._model

    def status(self) -> dict[str, Any]:
        """Of now, JSON types; peaks are those of no reader (see `rtsep.rt.process.peaks`)."""
        shown = {key: value for key, value in self._snapshot.items() if key not in INTERNAL}
        told = self._told
        if told.get("state") != "failed":  # a state of half a second ago, where the engine's own is newer
            told = {key: value for key, value in told.items() if key != "state"}
        return shown | told

    async def run(self) -> None:
        """Looks, and asks the session, for ever."""
        asking = asyncio.create_task(self._ask())
        try:
            while True:
                self.look()
                if self._news:
                    self._news = False
                    self.events.follow(self.status(), time.monotonic())
                if asking.done():
                    asking.result()
                await asyncio.sleep(LOOK_S if self.keepers else IDLE_LOOK_S)
        finally:
            asking.cancel()

    async def _ask(self) -> None:
        while True:
            await asyncio.to_thread(self._ask_once)
            await asyncio.sleep(ASK_S)

    def _ask_once(self) -> None:
        try:
            status = ask(self._session, {"do": "status"})
            self.actions.learn()
        except RtsepError:
            self.looks += self.answers
            self.answers = False
            return
        told = {
            key: value for key, value in status.items() if key in OF_THE_SESSION or key.startswith("record_")
        }
        if told == self._told and self.answers:
            return
        self._told = told
        self.answers = self._news = True
        self.looks += 1

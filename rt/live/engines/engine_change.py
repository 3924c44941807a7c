"""From the engine that plays to the next one: the hop loop's part of a change, looked after twenty times a
second.

The second process is loading while the hop loop knows nothing of it. Once it is ready the device callback
gets a successor, which is given the same input and plays unheard; this serves it beside the hop loop's own
hops, without ever waiting for it. When its memory is warm and it is in time, the callback fades over.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import Enum
from mmap import mmap
from typing import Any

from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.desk_layout import DeskLayout
from rtsep.rt.live.engines.chain import Chain
from rtsep.rt.live.engines.engine_memory import EngineMemory
from rtsep.rt.live.engines.held_hops import HeldHops
from rtsep.rt.live.engines.remote_separator import RemoteSeparator
from rtsep.rt.live.settings import LiveSettings
from rtsep.rt.live.stream_choice import StreamChoice

LOAD_TIMEOUT_S = 60.0  # a trained model from a cold disk, on a processor that is busy with the show
# A tracker's memory is some hundreds of milliseconds; the separator's own is its latency.
WARM_S = 0.6
CALM_S = 0.3  # in time for so long, before it is heard
IN_TIME_TIMEOUT_S = 4.0
LATE_SHARE = 0.05  # on a machine that is late now and then, no calm comes: so much is put up with
FADE_S = 0.03
WIRED_S = 0.2  # for the connections of new ports, so that the fade is heard there too


class Stage(Enum):
    """Of a change."""

    NONE = 0
    LOADING = 1
    WARMING = 2
    OPENING = 3
    FADING = 4
    REPLACING = 5


@dataclass
class Order:
    """What the session asks for: the fields of `changing.Changer`'s orders."""

    serial: int
    slot: int
    settings: str
    text: str
    desk: dict[str, Any]
    ports: list[str]


class EngineChange:
    """At most one change at a time.

    Args:
        memory: where orders come and second processes are met.
        commands: memory where parameters are set.
        told: of the last change before this hop loop.
        takes: whether a take may be recorded.

    Attributes:
        told: of the last change, for the status: `serial`, `state` ("loading", "warming", "done",
            "refused"), and `text`, what was asked for or why it was refused.
        serving: serial of the engine that plays, 0 for the hop loop's own.
        next: the chain that is warmed up, None without one; held: its last hops, for a take.
    """

    def __init__(
        self, memory: EngineMemory, commands: mmap, told: dict[str, Any], *, takes: bool = False
    ) -> None:
        self._memory, self._commands = memory, commands
        self._seen = memory.orders.written  # older orders were another hop loop's
        self._stage = Stage.NONE
        self._order = Order(0, 0, "", "", {}, [])
        self._deadline = self._calm_since = 0.0
        self._late_hops = 0
        self._posted = False
        self._lost_frames, self._skipped = 0, False  # of the hop that is under way
        self._replacing: threading.Thread | None = None
        self._opening: threading.Thread | None = None
        self._opening_fault = ""
        self.told = told
        self.serving, self.settings = 0, ""
        self.next: Chain | None = None
        self._takes = takes
        self.held: HeldHops | None = None
        self.notes: list[str] = []

    @property
    def slot(self) -> int:
        """Of the last order."""
        return self._order.slot

    @property
    def text(self) -> str:
        """What was asked for last."""
        return self._order.text

    @property
    def ports(self) -> list[str]:
        """What new outputs of the last order are called."""
        return self._order.ports

    def look(self, choice: StreamChoice, now: Chain, open_outputs: Callable[[list[str]], None]) -> None:
        """A step of the change, if one is due.

        Args:
            choice: the stream as it is.
            now: the chain that plays.
            open_outputs: of the stream.
        """
        if self._stage is Stage.NONE:
            if self._memory.orders.written != self._seen:
                self._begin()
        elif self._stage is Stage.LOADING:
            self._look_at_loading(choice, now)
        elif self._stage is Stage.WARMING:
            self._look_at_warming(choice, now, open_outputs)
        elif self._stage is Stage.OPENING:
            self._look_at_opening(choice, now)

    def _begin(self) -> None:
        self._seen = self._memory.orders.written
        if order := self._memory.orders.peek():
            self._order = Order(*(order[each.name] for each in fields(Order)))
            self._stage, self._deadline = Stage.LOADING, time.monotonic() + LOAD_TIMEOUT_S
            self._tell("loading")

    def _look_at_loading(self, choice: StreamChoice, now: Chain) -> None:
        slot = self._memory.slots[self._order.slot]
        facts = slot.facts.peek()
        if facts.get("serial") != self._order.serial:
            facts = {}
        if facts.get("state") == "refused":
            self._refuse(f"{facts['problem']}; {facts['remedy']}")
        elif facts.get("state") == "gone":
            self._refuse("its process ended while it was loaded; ask again")
        elif facts.get("state") == "ready":
            if int(facts["samplerate"]) != choice.format.samplerate:
                self._refuse("the sample rate has changed meanwhile; ask again")
                return
            try:
                layout = DeskLayout.from_dict(self._order.desk)
                score = LiveSettings.from_json(self._order.settings).score
                separator = RemoteSeparator(slot, facts, score)
                self.next = Chain(separator, choice, self._commands, layout)
            except RtsepError as error:
                self._refuse(str(error))
                return
            if separator.guide is not None and now.separator.guide is not None:
                separator.guide.follow_on(now.separator.guide.position)
            if self._takes:
                self.held = HeldHops(now, self.next, choice.format.samplerate)
            self.notes = list(facts["notes"])
            self.next.desk.obey()
            self.next.desk.dim_for_howl(now.desk.howling)
            now.callback.follow_with(self.next.callback)
            if isinstance(now.separator, RemoteSeparator):
                now.separator.meanwhile = self.serve
            self._stage, self._posted = Stage.WARMING, False
            self._calm_since = time.monotonic()
            self._deadline = self._calm_since + IN_TIME_TIMEOUT_S
            self._late_hops = 0
            self._tell("warming")
        elif time.monotonic() > self._deadline:
            self._refuse(f"it was not loaded within {LOAD_TIMEOUT_S:.0f} s; ask again")

    def _look_at_warming(
        self, choice: StreamChoice, now: Chain, open_outputs: Callable[[list[str]], None]
    ) -> None:
        chain, at = self.next, time.monotonic()
        assert chain is not None
        assert isinstance(chain.separator, RemoteSeparator)
        if not chain.separator.alive:
            self.drop(now, "its process ended while it was warmed up; ask again")
            return
        rate = choice.format.samplerate
        warm = chain.callback.position >= chain.shape.latency_samples + round(WARM_S * rate)
        if chain.callback.late_hops != self._late_hops:
            self._late_hops, self._calm_since = chain.callback.late_hops, at
        patience_over = at > self._deadline
        few = self._late_hops < LATE_SHARE * chain.hop_index
        if warm and (at - self._calm_since > CALM_S or (patience_over and few)):
            if self._order.ports:
                self._open(open_outputs)
            else:
                self._fade(choice, now)
        elif patience_over:
            late = f"{self._late_hops} of its hops were late within {IN_TIME_TIMEOUT_S:.0f} s"
            self.drop(now, f"{late}; choose a longer latency or fewer voices")

    def _open(self, open_outputs: Callable[[list[str]], None]) -> None:
        """What a driver is asked takes longer than a hop."""

        def work() -> None:
            try:
                open_outputs(self._order.ports)
            except RtsepError as error:
                self._opening_fault = str(error)
            time.sleep(WIRED_S)

        self._opening_fault = ""
        self._opening = threading.Thread(target=work, name="new outputs", daemon=True)
        self._opening.start()
        self._stage = Stage.OPENING

    def _look_at_opening(self, choice: StreamChoice, now: Chain) -> None:
        if self._opening is not None and self._opening.is_alive():
            return
        if self._opening_fault:
            self.drop(now, self._opening_fault)
        else:
            self._fade(choice, now)

    def _fade(self, choice: StreamChoice, now: Chain) -> None:
        now.callback.fade_to_successor(round(FADE_S * choice.format.samplerate))
        self._stage = Stage.FADING

    def drop(self, now: Chain, why: str) -> None:
        """Nothing has come of it; the engine that plays has not noticed. Not while it fades."""
        if self._stage in (Stage.WARMING, Stage.OPENING):
            now.callback.follow_with(None)
        if self._stage in (Stage.LOADING, Stage.WARMING, Stage.OPENING):
            self._refuse(why)

    def _refuse(self, why: str) -> None:
        self.next, self._stage = None, Stage.NONE
        self._tell("refused", f"{self._order.text}: {why}")

    def _tell(self, state: str, text: str | None = None) -> None:
        self.told = {"serial": self._order.serial, "state": state, "text": text or self._order.text}

    def serve(self) -> None:
        """Hands hops to the second process, and what it has made of them to the callback; never waits."""
        chain = self.next
        if chain is None:
            return
        separator = chain.separator
        assert isinstance(separator, RemoteSeparator)
        if self._posted:
            if not separator.collect(chain.stems):
                return
            self._deliver(chain)
        if chain.callback.wait_input(chain.hop_index, 0.0):
            chain.desk.obey()
            self._lost_frames = chain.callback.read_hop(chain.hop_index, chain.hop)
            self._skipped = self._lost_frames > 0 or chain.is_late
            separator.post(chain.hop, skip=self._skipped)
            self._posted = True

    def _deliver(self, chain: Chain) -> None:
        chain.callback.deliver(chain.hop_index, chain.stems)
        if self.held is not None:
            self.held.add(chain.hop, chain.stems, self._lost_frames, self._skipped)
        chain.hop_index += 1
        self._posted = False

    def is_over(self, now: Chain, replace: Callable[[Chain], None]) -> bool:
        """True once, when the next chain is the one that is heard and the stream runs it.

        Args:
            replace: gives the stream the chain's callback; may take longer than a hop.
        """
        if self._stage is Stage.FADING and now.callback.successor_is_heard:
            assert self.next is not None
            self._stage = Stage.REPLACING
            self._replacing = threading.Thread(target=replace, args=(self.next,), daemon=True)
            self._replacing.start()
        return (
            self._stage is Stage.REPLACING and self._replacing is not None and not self._replacing.is_alive()
        )

    def take(self) -> Chain:
        """The chain that plays now, after `is_over`: no hop of it is under way."""
        chain = self.next
        assert chain is not None
        assert isinstance(chain.separator, RemoteSeparator)
        if self._posted:
            chain.separator.await_hop(chain.stems)
            self._deliver(chain)
        self.next, self._stage = None, Stage.NONE
        self.serving, self.settings = self._order.serial, self._order.settings
        self._tell("done")
        return chain

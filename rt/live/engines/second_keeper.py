"""`engine_watch`'s part of a change of engines: starts second processes, and ends those nobody needs."""

import contextlib
import json
import subprocess
from typing import Any

from rtsep.rt.live.engines.engine_memory import EngineMemory
from rtsep.rt.process.child_process import end, spawn

MODULE = "rtsep.rt.live.engines.second_process"
END_S = 0.5


class SecondKeeper:
    """Looked after while the engine runs; has the processes that the last orders asked for.

    Args:
        memory: where orders come.
    """

    def __init__(self, memory: EngineMemory) -> None:
        self._memory = memory
        self._seen = memory.orders.written
        self._children: dict[int, tuple[int, subprocess.Popen[str]]] = {}  # by serial, with its slot

    def look(self, status: dict[str, Any]) -> None:
        """Starts what was ordered, and ends what `status` no longer speaks of."""
        if self._memory.orders.written != self._seen:
            self._seen = self._memory.orders.written
            if order := self._memory.orders.peek():
                self._start(order)
        serving, change = status.get("engine_serial", 0), status.get("change") or {}
        for serial, (slot, child) in list(self._children.items()):
            refused = change.get("serial") == serial and change.get("state") == "refused"
            if child.poll() is not None:
                facts = self._memory.slots[slot].facts
                facts.resume()
                told = facts.peek()
                if told.get("state") != "refused":
                    facts.write(told | {"state": "gone"})
                del self._children[serial]
            elif refused or serial < serving:
                self._end(serial)

    def _start(self, order: dict[str, Any]) -> None:
        facts = self._memory.slots[order["slot"]].facts
        facts.resume()
        facts.write({"serial": order["serial"], "state": "loading"})
        child = spawn(None, MODULE, [self._memory.shared], json.dumps(order))
        self._children[order["serial"]] = order["slot"], child

    def _end(self, serial: int) -> None:
        _, child = self._children.pop(serial)
        end(child, END_S)

    def end_all(self) -> None:
        """The engine that they worked for is no more."""
        for _, child in self._children.values():
            with contextlib.suppress(OSError):
                child.kill()
        for serial in list(self._children):
            self._end(serial)

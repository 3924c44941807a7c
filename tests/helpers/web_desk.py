"""A session as its surfaces see it, without sound: parameters, a status, actions, and the page's server."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rtsep.rt.control.command_model import CommandModel
from rtsep.rt.control.commands import BLOCK_BYTES, CommandReader, Control, lay_out
from rtsep.rt.control.desk_change import DeskNews, change_desk
from rtsep.rt.control.desk_layout import lay_desk
from rtsep.rt.control.parameters import mixer_parameters
from rtsep.rt.control.surfaces import Surfaces
from rtsep.rt.control.web.web_keeper import WebKeeper
from rtsep.rt.process.block import Block
from rtsep.rt.process.shared_memory import SharedMemory

STEMS = ("voice-1", "voice-2", "residual")
WAIT_S = 60.0  # a busy machine starts a process in seconds


class WebDesk:
    """What a session is to its surfaces; `done` is what was asked of it besides parameters."""

    def __init__(self) -> None:
        self.commands = SharedMemory.create(BLOCK_BYTES)
        lay_out(self.commands.memory)
        self.layout, _ = lay_desk(STEMS, [[0]], [0, 1, 2], 3)
        self.parameters = mixer_parameters(self.layout)
        self.reader = CommandReader(self.commands.memory, len(self.parameters))
        self.block = Block.create()
        news = DeskNews(self.block, self.layout)
        self.control = Control(self.commands, self.parameters, news.parameters)
        self.count = 0
        self.done: list[str] = []
        self.actions: dict[str, Callable[[str], Any]] = {"mark": self.done.append}
        self.publish()
        self.model = CommandModel(self.control, self.actions, self.block.peek)

    def publish(self, *, peak_db: float = -12.0, **news: Any) -> None:
        """A snapshot, as the engine writes one."""
        self.count += 1
        levels = {"count": self.count, "peak_db": [[peak_db] * 3], "input_peak_db": [[-6.0]]}
        self.block.write(
            {
                "state": "running", "samplerate": 48000, "hop": 256, "stems": list(STEMS),
                "frames": 2400 * self.count, "xruns": 0, "late_hops": 0, "notes": [], "last_error": "",
                "no_signal": False, "record_state": "", "f0_hz": [440.0, 220.0, None],
                "level_db": [-20.0, -20.0, None], "merged": [False, False, None], "clips": [0, 0, 0],
                "input_clips": [0], "levels": levels, "desk": self.layout.as_dict(), "stream": {},
                "live_latency_samples": 512,
            }
            | news
        )  # fmt: skip

    def set_stems(self, stems: tuple[str, ...]) -> None:
        """As after a change of engines."""
        self.layout = change_desk(self.commands, self.layout, stems, {}).layout
        self.publish(stems=list(stems))

    def engine_has(self, name: str) -> float:
        """What reaches the engine."""
        self.reader.poll()
        return float(self.reader.values[[p.name for p in self.parameters].index(name)])

    def untouched(self) -> bool:
        """Nothing has been set by anyone."""
        return not self.reader.poll() and not self.done

    @contextlib.contextmanager
    def served(self, address: str = "127.0.0.1:0") -> Iterator[WebKeeper]:
        """With the page's server in a process of its own."""
        memories = (self.block.shared, self.commands)
        with Surfaces(self.model, "show", web=address, memories=memories) as surfaces:
            assert surfaces.web is not None
            yield surfaces.web


def until(holds: Callable[[], bool], wait_s: float = WAIT_S, step_s: float = 0.02) -> None:
    """Waits for it."""
    deadline = time.monotonic() + wait_s
    while not holds():
        assert time.monotonic() < deadline, "it has not come about"
        time.sleep(step_s)


def own_runtime_folder(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """No socket of anybody's is touched."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))

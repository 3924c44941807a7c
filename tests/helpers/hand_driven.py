"""A hop loop whose device blocks the test plays: every block waits for all hops that are due."""

import time
from collections.abc import Callable

import numpy as np

from rtsep.kernels import _core
from rtsep.rt.control.commands import BLOCK_BYTES, Control, lay_out
from rtsep.rt.control.desk_change import DeskNews
from rtsep.rt.control.desk_layout import DeskLayout
from rtsep.rt.control.parameters import mixer_parameters
from rtsep.rt.drivers.device_stream import StreamFormat
from rtsep.rt.drivers.devices import Device
from rtsep.rt.live.engines.changing import Changer
from rtsep.rt.live.engines.engine_memory import EngineMemory
from rtsep.rt.live.engines.second_keeper import SecondKeeper
from rtsep.rt.live.hop_loop import HopLoop
from rtsep.rt.live.settings import LiveSettings
from rtsep.rt.live.stream_choice import StreamChoice
from rtsep.rt.pitches.pitch_ring import make_memory
from rtsep.rt.process.block import Block
from rtsep.rt.takes.take_memory import TakeMemory

RATE, BLOCK = 48000, 128


class HandDriven:
    """A stream whose blocks the test plays."""

    load = 0.0

    def __init__(self, callback: _core.DeviceCallback) -> None:
        self.callback, self.latency_samples = callback, 0
        self.opened: list[str] = []

    def replace(self, callback: _core.DeviceCallback, latency_samples: int) -> None:
        self.callback, self.latency_samples = callback, latency_samples

    def open_outputs(self, names: list[str]) -> None:
        self.opened += names


class HandDrivenEngine:
    """An engine, its second processes, and a session's hand on them.

    Args:
        settings: of it.
        outputs: of the device that its stems go to.
        spare: more outputs, for stems to come.
        record: for a take.
        voices: whose pitches are told.
    """

    def __init__(
        self,
        settings: LiveSettings,
        outputs: int,
        spare: int = 0,
        record: TakeMemory | None = None,
        voices: int = 0,
    ) -> None:
        self.engines, self.block = EngineMemory.create(), Block.create()
        self.commands = make_memory(BLOCK_BYTES, voices)
        lay_out(self.commands.memory)
        every = outputs + spare
        device = Device(0, "test", "none", 1, every, float(RATE), 0.0, 0.0, True, True)
        fmt = StreamFormat(device, device, RATE, BLOCK, 1, every)
        choice = StreamChoice(fmt, [[0]], list(range(outputs)), spare=spare)
        self.loop = HopLoop(
            settings, choice, self.block, self.commands.memory, record, "normal", None, self.engines
        )
        self.stream = HandDriven(self.loop.callback)
        self.loop._stream = self.stream  # type: ignore[assignment]
        self.loop.publish("running")
        layout = DeskLayout.from_dict(self.block.peek()["desk"])
        news = DeskNews(self.block, layout)
        self.control = Control(self.commands, mixer_parameters(layout), news.parameters)
        self.changer = Changer(self.engines, self.block, settings, self.commands)
        self.keeper = SecondKeeper(self.engines)
        self.at = 0
        self.heard: list[np.ndarray] = []

    def play(self, signal_in: np.ndarray, until: Callable[[], bool]) -> None:
        """Blocks of a signal [frames] from where it was left, until something holds."""
        change = self.loop._change
        assert change is not None
        while not until():
            assert self.at + BLOCK <= len(signal_in), f"the signal is over: {change.told}"
            out = np.zeros((BLOCK, self.stream.callback.device_outputs), np.float32)
            self.stream.callback.process(signal_in[self.at : self.at + BLOCK, None], out)
            self.heard.append(out)
            self.at += BLOCK
            for _ in range(500):
                self.loop.turn(0.0)
                if not change._posted:
                    break
                time.sleep(1e-3)
            if self.at % 2048 == 0:
                self.keeper.look(self.block.peek())
                self.loop.look_after_change()
                self.loop.publish("running")
                if change.next is None and change.told.get("state") == "loading":
                    time.sleep(0.02)

    def play_for(self, signal_in: np.ndarray, seconds: float) -> None:
        """So long."""
        end = self.at + round(seconds * RATE)
        self.play(signal_in, lambda: self.at >= end)

    def play_through(self, signal_in: np.ndarray, seconds: float) -> None:
        """Until the change that was ordered is made, and so long after it."""
        change = self.loop._change
        assert change is not None
        self.play(signal_in, lambda: self.changer.told.get("state") in ("done", "refused"))
        assert change.told["state"] == "done", change.told
        self.play_for(signal_in, seconds)

    @property
    def output(self) -> np.ndarray:
        """All that was heard, [frames, outputs]."""
        return np.concatenate(self.heard)

    def close(self) -> None:
        """Ends the second processes."""
        self.keeper.end_all()

"""The process that plays the delayed mixture where no engine stays up, started by
`rtsep.rt.live.engine_watch` with the engine's own arguments.

It knows the stream from the last status, runs no model, and keeps the latency and what is set at the desk. A
take goes on: the input as ever, and the same in the residual, as it is played. A device that is lost ends it;
it is started again until the device is back.
"""

import os
import sys
import time

import numpy as np

from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.desk_layout import DeskLayout
from rtsep.rt.control.howl_guard import HowlGuard
from rtsep.rt.drivers.device_stream import device_timeout_s, leave_portaudio
from rtsep.rt.drivers.driver_calls import GaveUp, call_driver
from rtsep.rt.drivers.stream import open_stream
from rtsep.rt.live.desk import Desk
from rtsep.rt.live.jack_choice import find_stream
from rtsep.rt.live.stream_callback import StreamShape, device_callback
from rtsep.rt.live.stream_choice import StreamChoice
from rtsep.rt.process.block import Block
from rtsep.rt.process.child_process import run_and_leave
from rtsep.rt.process.parent_watch import ParentWatch
from rtsep.rt.process.scheduling import raise_priority
from rtsep.rt.process.shared_memory import SharedMemory
from rtsep.rt.takes.take_feed import TakeFeed
from rtsep.rt.takes.take_memory import TakeMemory

HOUSEKEEPING_S = 0.05
BEFORE_NEXT_LOOK_S = 2.0  # for a lost device, which a look may disturb
DEVICE_LOST = 3  # exit code


class BypassStream:
    """The stream of the last engine, without a model.

    Args:
        block: the status, with what the last engine published.
        commands: memory where parameters are set.
        record: shared with the recorder; None without one.

    Raises:
        RtsepError: the device cannot be had.
    """

    def __init__(self, block: Block, commands: SharedMemory, record: TakeMemory | None = None) -> None:
        self._block, self._values = block, block.peek()
        values = self._values
        self._choice = find_stream(StreamChoice.from_dict(values["stream"]))
        stems, fmt = values["stems"], self._choice.format
        latency = values["live_latency_samples"] - fmt.bridge_samples
        shape = StreamShape(len(stems), values["hop"], latency, values["hop_latency_samples"])
        self._callback = device_callback(self._choice, shape)
        layout = DeskLayout.from_dict(values["desk"])
        self._desk = Desk(layout, fmt.samplerate, commands.memory, self._callback, bypassed=True)
        howling = bool(values.get("howling"))
        self._guard = HowlGuard(fmt.samplerate, self._desk.dim_for_howl, howling=howling)
        self._desk.dim_for_howl(howling)
        self._desk.obey()  # what was set for the engine is in force from the first frame on
        channels = len(self._choice.inputs)
        self._hop = np.zeros((values["hop"], channels), np.float32)
        self._stems = np.zeros((len(stems), values["hop"], channels), np.float32)
        self._hop_index = 0
        self._take = None if record is None else self._take_feed(record)
        self._frames_before = values["frames"]
        self._fallback_before = values["fallback_samples"]
        self._stream = open_stream(fmt, self._callback, latency)
        self._stream.start()

    def run(self, watch: ParentWatch) -> bool:
        """Until told to stop: True. False when the device is lost."""
        fmt = self._choice.format
        timeout_s = device_timeout_s(fmt.blocksize, fmt.samplerate)
        while not watch():
            self._desk.obey()
            self._take_hops()
            self._publish("bypassed")
            if self._stream.stalled_s() > timeout_s:
                self._publish("device-lost", away=True)
                return False
            time.sleep(HOUSEKEEPING_S)
        return True

    def _take_feed(self, record: TakeMemory) -> TakeFeed:
        """A frame of the mixture waits for no stems, so none is lost at either end."""
        values, fmt = self._values, self._choice.format
        stems, hop, channels = self._stems.shape
        engine = int(values.get("take_engine", 0))
        feed = TakeFeed(
            record, stems, hop, channels, 0, fmt.samplerate, self._callback, engine, bypassed=True
        )
        if values.get("bypass_away"):
            feed.follow(self._callback)  # what is missing went with the device
        return feed

    def _take_hops(self) -> None:
        """What has come in since the last look. A mixture howls as stems do."""
        hops = [np.zeros_like(self._hop[:0])]
        while self._callback.wait_input(self._hop_index, 0.0):
            lost = self._callback.read_hop(self._hop_index, self._hop)
            self._hop_index += 1
            hops.append(self._hop.copy())
            if self._take is not None:
                self._stems[-1] = self._hop
                self._take.write(self._hop, self._stems, lost, skipped=False)
        limited = self._callback.limited_samples
        self._guard.feed(np.concatenate(hops), on=self._desk.guarding, limited_samples=limited)

    def close(self) -> None:
        """Silence."""
        left = self._stream.close()
        if self._take is not None:
            self._take_hops()
            self._take.finish()
        self._publish("stopped")
        if left and self._choice.format.jack is None:
            leave_portaudio()

    def _publish(self, state: str, *, away: bool = False) -> None:
        callback = self._callback
        self._block.write(
            self._values
            | {
                "state": state,
                "bypass_away": away,
                "engine_pid": os.getpid(),
                "frames": self._frames_before + callback.position,
                "fallback_samples": self._fallback_before + callback.fallback_samples,
                "howling": self._guard.dims,
                "notes": [*self._values["notes"], *self._guard.notes],
                "last_error": f"{self._values['last_fault']}; start the session again",
            }
        )


def main() -> int:
    """argv: descriptors of the status block, of the command block, of the recorder's memory (-1 for none)."""
    raise_priority()
    block, commands = Block(SharedMemory(int(sys.argv[1]))), SharedMemory(int(sys.argv[2]))
    record = TakeMemory(SharedMemory(int(sys.argv[3]))) if int(sys.argv[3]) >= 0 else None
    watch = ParentWatch()
    sys.stdin.readline()  # the engine's settings: the status knows what became of them
    code = 0
    try:
        stream = call_driver(lambda: BypassStream(block, commands, record), watch)
        if stream.run(watch):
            stream.close()
        else:
            code = DEVICE_LOST
    except GaveUp:
        block.write(block.peek() | {"state": "stopped"})
    except RtsepError as error:
        lost = {"state": "device-lost", "bypass_away": True, "last_error": str(error)}
        block.write(block.peek() | lost)
        code = DEVICE_LOST
    over = time.monotonic() + BEFORE_NEXT_LOOK_S
    while code and not watch() and time.monotonic() < over:
        time.sleep(HOUSEKEEPING_S)
    if code and watch():
        block.write(block.peek() | {"state": "stopped"})
        code = 0
    return code


if __name__ == "__main__":
    run_and_leave(main)

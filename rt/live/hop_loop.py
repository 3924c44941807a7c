"""Hops on stage: the loop of one busy thread between the device callback and the rest of the world."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from mmap import mmap
from typing import Any

import numpy as np

from rtsep.kernels import _core
from rtsep.models.mask_model import State
from rtsep.rt.control.commands import BLOCK_BYTES
from rtsep.rt.control.howl_guard import HowlGuard
from rtsep.rt.drivers.device_stream import device_timeout_s
from rtsep.rt.drivers.stream import open_stream
from rtsep.rt.fallback import load_or_fall_back, take_over
from rtsep.rt.live.desk import Desk
from rtsep.rt.live.live_report import LiveReport
from rtsep.rt.live.settings import LiveSettings
from rtsep.rt.live.stream_callback import changes, device_callback, latency_facts, stream_shape
from rtsep.rt.live.stream_choice import StreamChoice
from rtsep.rt.pitches.pitch_ring import PitchFeed
from rtsep.rt.process.block import Block
from rtsep.rt.process.rights import rights_hint
from rtsep.rt.process.scheduling import REAL_TIME, lock_memory
from rtsep.rt.takes.take_feed import TakeFeed
from rtsep.rt.takes.take_memory import TakeMemory
from rtsep.rt.warm_up import warm_up

HOUSEKEEPING_S = 0.05  # a screen refreshes 20 times a second at most
# Waiting for input: each sleep takes up to its own length from the hop's time, and each waking costs CPU.
SLEEPS_PER_HOP, LONGEST_SLEEP_S = 20, 5e-4


class HopLoop:
    """Everything between an open device and the stems: build it, `open` it, `run` it until told to stop.

    Args:
        settings: what was asked for.
        choice: the stream to run.
        block: where status goes. Counters go on from what it holds.
        commands: memory where parameters are set, as `rtsep.rt.control.commands` lays it out.
        record: shared with the recorder; None without one.
        scheduling: what the operating system granted, for the status.
        state: of a hop loop before this one, as `state_dict` gives it, to go on sample-exactly.

    Raises:
        RtsepError: a model, rate or number of channels that cannot be had.
    """

    def __init__(
        self,
        settings: LiveSettings,
        choice: StreamChoice,
        block: Block,
        commands: mmap,
        record: TakeMemory | None,
        scheduling: str,
        state: State | None = None,
    ) -> None:
        fmt, channels = choice.format, len(choice.inputs)
        self._choice = choice
        separator, notes = load_or_fall_back(
            settings.model,
            voices=settings.voices,
            samplerate=fmt.samplerate,
            latency_ms=settings.latency_ms,
            channels=channels,
            backend=settings.backend,
            f0=settings.f0,
            stems=settings.choice.stems,
            add_ons=settings.choice.add_ons,
            render=settings.render,
        )
        self._separator = separator
        hop, stems = separator.hop, len(separator.stems)
        layout, desk_notes = choice.desk(separator.stems)
        self._shape = stream_shape(separator, fmt.blocksize)
        self._callback = device_callback(choice, self._shape)
        self._desk = Desk(layout, fmt.samplerate, commands, self._callback)
        self._howl_guard = HowlGuard(fmt.samplerate, self._desk.dim_for_howl)
        self._hop_index = 0
        self._hop = np.zeros((hop, channels), np.float32)
        self._stems = np.zeros((stems, hop, channels), np.float32)
        self._take = None
        if record is not None:
            delay = separator.hop_latency_samples
            self._take = TakeFeed(record, stems, hop, channels, delay, fmt.samplerate, self._callback)
        delay_s = separator.preset.framing.pitch_delay_s
        self._pitches = PitchFeed.of(commands, BLOCK_BYTES, hop / fmt.samplerate, delay_s)
        self._grain_s = min(LONGEST_SLEEP_S, hop / fmt.samplerate / SLEEPS_PER_HOP)
        warm_up(separator)
        if state is not None:
            waiting = {name: state.pop(name) for name in TakeFeed.no_state()}
            if self._take is not None:
                self._take.restore(waiting)
            take_over(separator, state)
        self._desk.obey()  # what was set for the hop loop before this one is in force from the first frame on
        self._listen()
        fixed: dict[str, Any] = {
            "samplerate": fmt.samplerate,
            "hop": hop,
            "stems": list(separator.stems),
            "algorithmic_samples": separator.latency_samples,
            **latency_facts(self._shape, separator, fmt.blocksize),
            "input_device": fmt.input.name,
            "output_device": fmt.output.name,
            "engine_pid": os.getpid(),
            "stream": choice.as_dict(),
            "desk": layout.as_dict(),
            "hop_latency_samples": separator.hop_latency_samples,
            "scheduling": scheduling + (", memory locked" if lock_memory() else ""),
        }
        notes = notes + desk_notes + changes(block.peek(), fmt.samplerate, self._shape.latency_samples)
        if not scheduling.startswith(REAL_TIME) and (hint := rights_hint()):
            notes.append(hint)
        self._report = LiveReport(
            block, separator, self._callback, channels, hop / fmt.samplerate, fixed, notes
        )

    @property
    def callback(self) -> _core.DeviceCallback:
        """What the device runs."""
        return self._callback

    @property
    def choice(self) -> StreamChoice:
        """The stream as it is now, with connections made by hand."""
        fmt = self._choice.format
        if fmt.jack is None:
            return self._choice
        return replace(self._choice, format=replace(fmt, jack=replace(fmt.jack, wires=self._stream.wires())))

    @property
    def stems(self) -> tuple[str, ...]:
        """Names in order, the residual last."""
        return self._separator.stems

    def state_dict(self) -> State:
        """What a later hop loop needs to go on where this one stopped."""
        waiting = TakeFeed.no_state() if self._take is None else self._take.state()
        return {**waiting, **self._separator.state_dict()}

    def open(self) -> None:
        """Sound from here on.

        Raises:
            RtsepError: the device refuses.
        """
        fmt = self._choice.format
        stream = open_stream(fmt, self._callback, self._shape.latency_samples)
        before, after = stream.latency_s
        for side, latency_s in (("input", before), ("output", after)):
            samples = None if latency_s is None else round(latency_s * fmt.samplerate)
            self._report.fix(**{f"device_{side}_samples": samples})
        stream.start()
        self._stream = stream
        self.publish("running")

    def run(self, should_stop: Callable[[], bool]) -> bool:
        """Runs hops until `should_stop` (asked twenty times a second): True. False when the device is
        lost.
        """
        next_housekeeping = time.monotonic()
        fmt = self._choice.format
        timeout_s = device_timeout_s(fmt.blocksize, fmt.samplerate)
        while True:
            if self._callback.wait_input(self._hop_index, HOUSEKEEPING_S, self._grain_s):
                self.run_hop()
            now = time.monotonic()
            if now < next_housekeeping:
                continue
            next_housekeeping = now + HOUSEKEEPING_S
            if should_stop():
                return True
            if self._stream.stalled_s() > timeout_s:
                return False
            self._follow_driver()
            self.publish("running")

    def _follow_driver(self) -> None:
        """An audio server may change the length of its blocks, and its graph."""
        news, fmt = self._stream.news(), self._choice.format
        blocksize = self._stream.blocksize
        if blocksize != fmt.blocksize:
            self._choice = replace(self._choice, format=replace(fmt, blocksize=blocksize))
            self._follow_blocksize(fmt.blocksize)
        elif news is None:
            return
        self._report.fix(**(news or {}), stream=self.choice.as_dict())
        self._report.driver_notes = self._stream.notes()

    def _follow_blocksize(self, old: int) -> None:
        """Where another block size needs another latency, sound starts anew with that one."""
        new, before = self._choice.format.blocksize, self._shape
        self._shape = stream_shape(self._separator, new)
        if self._shape != before:
            self._callback, self._hop_index = device_callback(self._choice, self._shape), 0
            self._desk.follow(self._callback)
            self._stream.replace(self._callback, self._shape.latency_samples)
            if self._take is not None:
                self._take.follow(self._callback)
            self._report.follow(
                self._callback,
                f"the server's block went from {old} to {new} frames: the latency from "
                f"{before.latency_samples} to {self._shape.latency_samples} samples",
            )
        self._report.fix(**latency_facts(self._shape, self._separator, new))

    def leave_device(self) -> bool:
        """Silence; an audio server no longer counts on this process. False when the driver hangs."""
        return self._stream.close()

    def close(self) -> bool:
        """Leaves the device, as `leave_device`. What is still inside the separator goes to the take."""
        left = self.leave_device()
        if self._take is not None:
            self._hop[...] = 0
            for _ in range(-(-self._separator.hop_latency_samples // self._separator.hop)):
                self._separator.process_hop(self._hop, self._stems)
                self._take.write_rest(self._stems)
            self._take.finish()
        self.publish("stopped")
        return left

    def _listen(self) -> None:
        """The model may rest where nobody hears what it does; a take has every stem."""
        if self._take is None:
            self._separator.listen_to(self._desk.heard)

    def run_hop(self) -> None:
        """Separates the next hop, or lets it pass where its stems could not be played any more."""
        started = time.perf_counter()
        if self._desk.obey():
            self._listen()
        lost = self._callback.read_hop(self._hop_index, self._hop)
        skipped = lost > 0 or self._callback.position > self._callback.first_frame(self._hop_index)
        if skipped:
            self._separator.skip_hop(self._hop, self._stems)
            self._report.skipped_hops += 1
        else:
            self._separator.process_hop(self._hop, self._stems)
            if self._pitches is not None:
                self._pitches.write(self._hop_index, self._separator.voices)
        self._callback.deliver(self._hop_index, self._stems)
        self._howl_guard.feed(self._hop, on=self._desk.guarding)
        self._report.howl_notes = self._howl_guard.notes
        self._report.add_hop(self._stems, time.perf_counter() - started)
        self._hop_index += 1
        if self._take is not None:
            self._take.write(self._hop, self._stems, lost, skipped)

    def publish(self, state: str, last_error: str | None = None, device_losses: int = 0) -> None:
        """A snapshot for everyone who watches."""
        load = self._stream.load if state == "running" else 0.0
        self._report.publish(state, load, last_error, device_losses)

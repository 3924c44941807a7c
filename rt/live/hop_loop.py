"""Hops on stage: the loop of one busy thread between the device callback and the rest of the world."""

import time
from collections.abc import Callable
from dataclasses import replace
from mmap import mmap

from rtsep.kernels import _core
from rtsep.models.mask_model import State
from rtsep.rt.control.commands import BLOCK_BYTES, begin_with
from rtsep.rt.control.howl_guard import HowlGuard
from rtsep.rt.control.parameters import mixer_parameters
from rtsep.rt.drivers.device_stream import device_timeout_s
from rtsep.rt.drivers.stream import open_stream
from rtsep.rt.fallback import take_over
from rtsep.rt.live.engines.chain import Chain
from rtsep.rt.live.engines.engine_change import EngineChange
from rtsep.rt.live.engines.engine_memory import EngineMemory
from rtsep.rt.live.engines.loading import Loaded, load_engine
from rtsep.rt.live.engines.remote_separator import RemoteSeparator
from rtsep.rt.live.engines.succession import first_report, kept_desk, last_change
from rtsep.rt.live.settings import LiveSettings
from rtsep.rt.live.stream_callback import latency_facts, stream_shape
from rtsep.rt.live.stream_choice import StreamChoice
from rtsep.rt.pitches.pitch_ring import PitchFeed
from rtsep.rt.process.block import Block
from rtsep.rt.takes.take_feed import TakeFeed
from rtsep.rt.takes.take_memory import TakeMemory

HOUSEKEEPING_S = 0.05  # a screen refreshes 20 times a second at most


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
        engines: where changes are ordered; None for none.
        loaded: a separator that was made beforehand, used where it is what `settings` ask for.

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
        engines: EngineMemory | None = None,
        loaded: Loaded | None = None,
    ) -> None:
        fmt, channels = choice.format, len(choice.inputs)
        self._choice = choice
        separator, notes = load_engine(settings, fmt.samplerate, loaded)
        before = block.peek()
        self._chain = Chain(separator, choice, commands, kept_desk(before, separator.stems, fmt.outputs))
        begin_with(commands, mixer_parameters(self._chain.layout), settings.first_values)
        self._commands = commands
        hop, stems = separator.hop, len(separator.stems)
        howling = bool(before.get("howling"))
        self._howl_guard = HowlGuard(fmt.samplerate, self._dim_for_howl, howling=howling)
        self._chain.desk.dim_for_howl(howling)
        self._change = (
            None
            if engines is None
            else EngineChange(engines, commands, last_change(before), takes=record is not None)
        )
        self._take = None
        if record is not None:
            delay = separator.hop_latency_samples
            engine = int(before.get("take_engine", 0))
            self._take = TakeFeed(
                record, stems, hop, channels, delay, fmt.samplerate, self._chain.callback, engine
            )
        self._record = record
        delay_s = separator.preset.pitch_delay_s
        self._pitches = PitchFeed.of(commands, BLOCK_BYTES, hop / fmt.samplerate, delay_s)
        if state is not None:
            waiting = {name: state.pop(name) for name in TakeFeed.no_state()}
            if self._take is not None:
                self._take.restore(waiting)
            take_over(separator, state)
        self._chain.begin()  # what was set for the one before is in force from the first frame on
        self._listen()
        self._report = first_report(block, self._chain, choice, scheduling, notes)

    @property
    def callback(self) -> _core.DeviceCallback:
        """What the device runs."""
        return self._chain.callback

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
        return self._chain.separator.stems

    def state_dict(self) -> State | None:
        """What a later hop loop needs to go on where this one stopped; None where a second process has it."""
        if isinstance(self._chain.separator, RemoteSeparator):
            return None
        waiting = TakeFeed.no_state() if self._take is None else self._take.state()
        return {**waiting, **self._chain.separator.state_dict()}

    def open(self) -> None:
        """Sound from here on.

        Raises:
            RtsepError: the device refuses.
        """
        fmt = self._choice.format
        stream = open_stream(fmt, self._chain.callback, self._chain.shape.latency_samples)
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
            self.turn(HOUSEKEEPING_S)
            now = time.monotonic()
            if now < next_housekeeping:
                continue
            next_housekeeping = now + HOUSEKEEPING_S
            if should_stop():
                return True
            if self._stream.stalled_s() > timeout_s:
                return False
            self._follow_driver()
            self.look_after_change()
            self.publish("running")

    def turn(self, longest_s: float) -> None:
        """Waits so long for the next hop, and runs it; beside it those of an engine that is warmed up."""
        chain, change = self._chain, self._change
        company = change is not None and change.next is not None
        wait_s = min(longest_s, chain.grain_s) if company else longest_s  # the others come at other times
        if chain.callback.wait_input(chain.hop_index, wait_s, chain.grain_s):
            self.run_hop()
        if company and change is not None:
            change.serve()
            if change.is_over(chain, self._play):
                self._go_over(change)

    def look_after_change(self) -> None:
        """A step of a change of engines, if one is due."""
        if self._change is not None:
            self._change.look(self._choice, self._chain, self._stream.open_outputs)
            self._report.fix(change=self._change.told)

    def _play(self, chain: Chain) -> None:
        self._stream.replace(chain.callback, chain.shape.latency_samples)

    def _go_over(self, change: EngineChange) -> None:
        """The engine that was changed to is the one that is heard; the one before rests."""
        before, self._chain = self._chain, change.take()
        chain, origin = self._chain, before.callback.successor_origin
        if self._take is not None and self._record is not None and change.held is not None:
            self._take = change.held.feed_from(self._take, self._record, origin, change.serving)
            change.held = None
        bridged = self._choice.format.bridge_samples
        self._choice = chain.choice_with(self._choice, change.ports)
        self._report.follow(
            chain.callback,
            f"changed to {change.text}: the latency from {before.shape.latency_samples + bridged} to "
            f"{chain.shape.latency_samples + bridged} samples",
            separator=chain.separator,
            hop_s=chain.separator.hop / self._choice.format.samplerate,
            outputs=chain.outputs,
            origin=origin,
        )
        self._report.fix(
            **chain.facts(self._choice.format),
            engine_serial=change.serving,
            engine_slot=change.slot,
            changed_settings=change.settings,
            take_engine=change.serving,
            change=change.told,
            stream=self.choice.as_dict(),
        )
        if self._pitches is not None and isinstance(chain.separator, RemoteSeparator):
            rate = self._choice.format.samplerate
            hop_s, delay_s = chain.separator.hop / rate, chain.separator.pitch_delay_s
            self._pitches.go_over(hop_s, delay_s, origin / rate)
        self._listen()

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
        chain, new, before = self._chain, self._choice.format.blocksize, self._chain.shape
        if self._change is not None:
            self._change.drop(chain, "the block size of the device has changed; ask again")
        if stream_shape(chain.separator, new) != before:
            old_callback = chain.callback
            chain.follow_choice(self._choice)
            self._play(chain)
            del old_callback  # not before the device has another one
            if self._take is not None:
                self._take.follow(chain.callback)
            self._report.follow(
                chain.callback,
                f"the server's block went from {old} to {new} frames: the latency from "
                f"{before.latency_samples} to {chain.shape.latency_samples} samples",
            )
        self._report.fix(**latency_facts(chain.shape, chain.separator, self._choice.format))

    def leave_device(self) -> bool:
        """Silence; an audio server no longer counts on this process. False when the driver hangs."""
        return self._stream.close()

    def close(self) -> bool:
        """Leaves the device, as `leave_device`. What is still inside the separator goes to the take."""
        left = self.leave_device()
        if self._take is not None:
            chain, separator = self._chain, self._chain.separator
            chain.hop[...] = 0
            for _ in range(-(-separator.hop_latency_samples // separator.hop)):
                separator.process_hop(chain.hop, chain.stems)
                self._take.write_rest(chain.stems)
            self._take.finish()
        self.publish("stopped")
        return left

    def _dim_for_howl(self, on: bool) -> None:
        self._chain.desk.dim_for_howl(on)
        if self._change is not None and self._change.next is not None:
            self._change.next.desk.dim_for_howl(on)

    def _listen(self) -> None:
        """The model may rest where nobody hears what it does; a take has every stem."""
        if self._take is None:
            self._chain.separator.listen_to(self._chain.desk.heard)

    def run_hop(self) -> None:
        """Separates the next hop, or lets it pass where its stems could not be played any more."""
        started = time.perf_counter()
        chain = self._chain
        if chain.obey():
            self._listen()
        lost = chain.callback.read_hop(chain.hop_index, chain.hop)
        skipped = lost > 0 or chain.is_late
        if skipped:
            chain.separator.skip_hop(chain.hop, chain.stems)
            self._report.skipped_hops += 1
        else:
            chain.separator.process_hop(chain.hop, chain.stems)
            if self._pitches is not None:
                self._pitches.write(chain.hop_index, chain.separator.voices)
        chain.callback.deliver(chain.hop_index, chain.stems)
        limited = chain.callback.limited_samples
        self._howl_guard.feed(chain.hop, on=chain.desk.guarding, limited_samples=limited)
        self._report.howl_notes, self._report.howling = self._howl_guard.notes, self._howl_guard.dims
        self._report.add_hop(chain.stems, time.perf_counter() - started)
        chain.hop_index += 1
        if self._take is not None:
            self._take.write(chain.hop, chain.stems, lost, skipped)

    def publish(self, state: str, last_error: str | None = None, device_losses: int = 0) -> None:
        """A snapshot for everyone who watches."""
        load = self._stream.load if state == "running" else 0.0
        self._report.publish(state, load, last_error, device_losses)

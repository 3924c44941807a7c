"""Start, watch and stop a live separation: an engine process, and a recorder process for takes."""

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from rtsep.kernels.errors import RtsepError
from rtsep.models.choir.given_pitches import F0Track
from rtsep.models.choir.parts.parts import Parts
from rtsep.models.choir.score.score import Score
from rtsep.rt.control.commands import BLOCK_BYTES, Control, lay_out
from rtsep.rt.control.desk_change import DeskNews
from rtsep.rt.control.desk_layout import DeskLayout
from rtsep.rt.control.parameters import mixer_parameters
from rtsep.rt.control.scenes import Scenes
from rtsep.rt.drivers.devices import DEFAULT_INPUT, DeviceSpec
from rtsep.rt.drivers.jack_options import JackOptions
from rtsep.rt.live.engine_start import await_running, log_tail, note_death
from rtsep.rt.live.engines.changing import CanChange, Changer
from rtsep.rt.live.engines.engine_memory import EngineMemory
from rtsep.rt.live.settings import Driver, LiveSettings, jack_settings
from rtsep.rt.live.status import Status
from rtsep.rt.live.stream_choice import MOST_STEMS
from rtsep.rt.live.take_info import CanRecord, take_info, take_plan
from rtsep.rt.pitches.pitch_ring import make_memory
from rtsep.rt.process.block import Block
from rtsep.rt.process.child_process import end, spawn
from rtsep.rt.process.shared_memory import SharedMemory
from rtsep.rt.takes.take_keeper import TakeKeeper


class Session(CanChange, CanRecord):
    """A live separation from an input device to an output device.

    Args:
        voices, model, stems, add_ons, render, score, parts: as for `Separator.load`.
        latency_ms: preset 5, 11, 21, 43; of a choir 143, 243, 543.
        input: device index, part of its name, or "mic" for the default.
        input_channels: 1-based channel or channels to separate; the first where left out.
        output: device index or part of its name; the default of the input's host API where left out.
        output_channels: 1-based outputs to play on, in order; as many as are needed where left out.
        samplerate: Hz; the input device's own where left out.
        route: which stem goes to which outputs, such as "voice-1>1,2; residual>3"; stems that it does not
            name are not played. Where left out, `output_channels` in stem order.
        input_mix: device inputs that are summed into what is separated, such as "1+2" or "1+2,3+4" for two
            channels, in place of `input_channels`.
        allow_feedback: play at once on the device that has the microphone too; it starts muted otherwise.
        blocksize: frames of a device block; the largest power of two up to 128 that divides the hop where
            left out.
        record: folder for takes, `take-001` and so on: `input.wav`, a file for each stem, `residual.wav`
            last, and `take.json`.
        record_format: "wav" (float32) or "flac" (24 bit).
        pre_roll: no take is begun before `record_start`, which then keeps the 10 s before it too.
        f0: pitches to follow instead of tracking them.
        backend: "auto", "cpu", "openvino", "cuda" (the processor without a GPU, which `notes` tells).
        driver: "jack" for a JACK client of its own (`input` and `output` name clients), else PortAudio.
        jack: its name and connections; means "jack".
        pitches: voices whose pitches `rt.pitches.LivePitches` is to write from `memories`; 0 for none.
        parameters: values by name, in force from the first frame on.

    Raises:
        RtsepError: on `start`, for anything that cannot be had.

    Example:
        Needs an audio device, or a JACK server.

        >>> from rtsep import Session
        >>> with Session(voices=2, latency_ms=11) as session:
        ...     session.control.set("voice-1.gain", -6.0)
        ...     session.status().stems
        ('voice-1', 'voice-2', 'residual')
    """

    def __init__(
        self,
        *,
        voices: int | None = None,
        model: str | None = None,
        latency_ms: int = 11,
        input: DeviceSpec = DEFAULT_INPUT,
        input_channels: int | list[int] | tuple[int, ...] | None = None,
        output: DeviceSpec = None,
        output_channels: int | list[int] | tuple[int, ...] | None = None,
        samplerate: int | None = None,
        blocksize: int | None = None,
        route: str | None = None,
        input_mix: str | None = None,
        allow_feedback: bool = False,
        record: str | os.PathLike[str] | None = None,
        record_format: str = "wav",
        pre_roll: bool = False,
        f0: F0Track | None = None,
        backend: str = "auto",
        stems: tuple[str, ...] | None = None,
        add_ons: tuple[str, ...] = (),
        driver: Driver | None = None,
        jack: JackOptions | None = None,
        render: str = "masks",
        pitches: int = 0,
        score: Score | None = None,
        parts: Parts | None = None,
        parameters: Mapping[str, object] | None = None,
    ) -> None:
        self._settings = LiveSettings.asked(
            f0,
            score,
            parts,
            voices=voices,
            model=model,
            latency_ms=latency_ms,
            input=input,
            input_channels=input_channels,
            output=output,
            output_channels=output_channels,
            samplerate=samplerate,
            blocksize=blocksize,
            route=route,
            input_mix=input_mix,
            allow_feedback=allow_feedback,
            backend=backend,
            stems=stems,
            add_ons=add_ons,
            jack=jack_settings(driver, jack),
            has_take=record is not None,
            render=render,
            first_values=dict(parameters or {}),
        )
        self._folder = None if record is None else Path(record)
        self._record_format, self._pre_roll = record_format, pre_roll
        self._pitches = pitches
        self._status_block: Block | None = None
        self._commands: SharedMemory | None = None
        self._control: Control | None = None
        self._scenes: Scenes | None = None
        self._engine: subprocess.Popen[str] | None = None
        self._log: IO[bytes] | None = None
        self._last = Status()

    def start(self) -> None:
        """Returns once sound is running; RtsepError for anything asked for that cannot be had."""
        if self._engine is not None:
            raise RtsepError("this session has been started already", "make a new Session")
        if self._folder is not None:
            channels = self._settings.channels  # of input and every stem, as the engine will find them
            stems = max(len(self._settings.choice.names()) + 1, MOST_STEMS)  # room for a change of voices
            width = (stems + 1) * channels
            self._takes = TakeKeeper(self._folder, width, channels, self._record_format, self._pre_roll)
        self._status_block = Block.create()
        self._commands = make_memory(BLOCK_BYTES, self._pitches)
        lay_out(self._commands.memory)
        self._engines = EngineMemory.create()
        self._changer = Changer(
            self._engines,
            self._status_block,
            self._settings,
            self._commands,
            None if self._takes is None else self._takes.expect,
        )
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        try:
            self._engine = spawn(
                self._log,
                "rtsep.rt.live.engine_watch",
                [
                    self._status_block.shared,
                    self._commands,
                    None if self._takes is None else self._takes.memory.shared,
                    self._engines.shared,
                ],
                self._settings.to_json(),
            )
            await_running(self._engine, self._status_block, lambda: log_tail(self._log))
            layout = DeskLayout.from_dict(self._status_block.peek()["desk"])
            news = DeskNews(self._status_block, layout)
            self._control = Control(self._commands, mixer_parameters(layout), news.parameters)
            self._scenes = Scenes(self._control)
            if self._takes is not None:
                status = self.status()
                plan = take_plan(status, self._takes.channels, self._record_format)
                self._takes.begin(plan, take_info(self._settings, status, self.control), self._log)
        except BaseException:
            self.stop()
            if self._takes is not None:
                self._takes.forget()
            raise

    def status(self) -> Status:
        """Snapshot of now; levels are those since the last call."""
        self._last = Status.from_dict(self.snapshot(seen=True))
        return self._last

    def snapshot(self, *, seen: bool = False) -> dict[str, Any]:
        """`status` as JSON types and with `levels` (`process.peaks`); takes no level away unless `seen`."""
        values = self._last.as_dict()
        if self._status_block is not None:
            values |= self._status_block.read() if seen else self._status_block.peek()
        if self._takes is not None and self._status_block is not None:
            self._takes.add_to(values)
        note_death(self._engine, values, lambda: log_tail(self._log))
        return {key: values[key] for key in self._last.as_dict()} | {"levels": values.get("levels", {})}

    @property
    def memories(self) -> tuple[SharedMemory, SharedMemory]:
        """Status and parameters, for a surface in a process of its own; RtsepError unless it runs."""
        if self._status_block is None or self._commands is None:
            raise RtsepError("a session has shared memory while it runs", "call start() first")
        return self._status_block.shared, self._commands

    @property
    def control(self) -> Control:
        """What can be set while it runs, by name: `session.control.set("voice-1.gain", -6.0)`. After `start`.

        Raises:
            RtsepError: not started yet; the parameters are those of the model's stems.
        """
        if self._control is None:
            raise RtsepError("the parameters of a session are known once it runs", "call start() first")
        return self._control

    @property
    def scenes(self) -> Scenes:
        """Values of all parameters under a name: `session.scenes.recall("verse", 2.0)`. After `start`.

        Raises:
            RtsepError: not started yet.
        """
        if self._scenes is None:
            raise RtsepError("a session has scenes once it runs", "call start() first")
        return self._scenes

    @property
    def latency_samples(self) -> int:
        """Exact delay from the device's input buffer to its output buffer: algorithmic, buffering, and the
        bridge between two clocks. After `start`.

        Raises:
            RtsepError: not started yet; buffering depends on the device.
        """
        latency = self.status().live_latency_samples
        if latency == 0:
            raise RtsepError("the latency of a session is known once it runs", "call start() first")
        return latency

    def wait(self, timeout: float | None = None) -> bool:
        """Waits for the end of the engine; True when it has ended, False after `timeout` seconds."""
        if self._engine is None:
            return True
        try:
            self._engine.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self) -> None:
        """Ends engine and recorder; files are complete when it returns. Harmless when there is nothing to
        stop.
        """
        if self._scenes is not None:
            self._scenes.stop()
        if self._engine is not None:
            end(self._engine)
        if self._takes is not None and self._status_block is not None:
            self._takes.stop()
        if self._status_block is not None:
            self.status()  # the last word, for whoever asks later
            self._status_block.shared.close()
            self._status_block = None
            if self._takes is not None:
                self._takes.close()
        if self._commands is not None:
            self._commands.close()
            self._engines.shared.close()
            self._commands = None
        if self._log is not None:
            self._log.close()
            self._log = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

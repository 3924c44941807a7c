"""The session's part of a change of engines: what may be asked for, and what has come of it."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rtsep.kernels.errors import RtsepError
from rtsep.models.mask_model import RESIDUAL
from rtsep.rt.control.desk_change import DeskChange, change_desk, set_resting
from rtsep.rt.control.desk_layout import DeskLayout
from rtsep.rt.drivers.jack_ports import stem_port_names
from rtsep.rt.hop.presets import Preset
from rtsep.rt.live.engines.engine_memory import CHANGING, SLOTS, EngineMemory
from rtsep.rt.live.settings import LiveSettings
from rtsep.rt.live.stream_choice import buffering_samples
from rtsep.rt.process.block import Block
from rtsep.rt.process.shared_memory import SharedMemory
from rtsep.rt.takes.record_plan import EngineFiles
from rtsep.rt.takes.recorder_process import TAKE_INPUT

POLL_S = 0.02
ANSWER_TIMEOUT_S = 90.0


class Changer:
    """Orders changes of a running session, one at a time.

    Args:
        memory: shared with the engine and its keeper.
        status: what the engine publishes.
        settings: what the session was started with.
        commands: memory where parameters are set.
        expect: told of each order what its engine gives a take; None without takes.

    Attributes:
        notes: of the last order, what the user should know of its outputs.
    """

    def __init__(
        self,
        memory: EngineMemory,
        status: Block,
        settings: LiveSettings,
        commands: SharedMemory,
        expect: Callable[[int, EngineFiles], None] | None = None,
    ) -> None:
        self._expect = expect
        self._memory, self._status, self._first, self._commands = memory, status, settings, commands
        self._serial = 0
        self._later: dict[str, float] = {}
        self.notes: tuple[str, ...] = ()

    @property
    def settings(self) -> LiveSettings:
        """What runs now."""
        changed = self._status.peek().get("changed_settings")
        return LiveSettings.from_json(changed) if changed else self._first

    def order(
        self,
        latency_ms: int | None = None,
        voices: int | None = None,
        model: str | None = None,
        stems: Sequence[str] | None = None,
    ) -> str:
        """Asks for another engine; returns what was asked for, "" where that is what runs.

        A model of another family has all its stems, unless they are asked for too.

        Raises:
            RtsepError: what cannot be, or a change that is under way. Nothing has changed then.
        """
        values, now = self._status.peek(), self.settings
        if values.get("state") != "running":
            raise RtsepError("there is no change while the sound is not running", "wait until it is back")
        if self.told.get("state") in CHANGING:
            raise RtsepError(f"{self.told['text']} is being loaded", "wait for it")
        if now.f0_times_s is not None:
            raise RtsepError("given pitches run from the start of a session", "start it again with others")
        asked: dict[str, Any] = {"latency_ms": latency_ms, "voices": voices, "model": model}
        asked["stems"] = None if stems is None else list(stems)
        changes = {k: v for k, v in asked.items() if v is not None and v != getattr(now, k)}
        if not changes:
            return ""
        new = replace(now, **changes)
        if new.choice.found.card.family != now.choice.found.card.family:
            new = replace(new, **({"voices": None, "stems": None, "add_ons": []} | changes))
        preset = Preset(values["samplerate"], new.latency_ms)
        desk = self._desk(values, (*new.choice.names(), RESIDUAL), new)
        self._serial = max(self._serial, int(self._memory.orders.peek().get("serial", 0))) + 1
        text = ", ".join(map(_words, changes, changes.values()))
        if self._expect is not None:
            self._expect(self._serial, _files(values, preset, text, desk.layout.stems))
        serving = values.get("engine_slot", -1)
        self._memory.orders.write(
            {
                "serial": self._serial,
                "slot": (serving + 1) % SLOTS,
                "settings": new.to_json(),
                "samplerate": values["samplerate"],
                "text": text,
                "desk": desk.layout.as_dict(),
                "ports": [stem_port_names([stem], desk.layout.channels)[at] for _, stem, at in desk.opened],
            }
        )
        self.notes = desk.notes
        return text

    def _desk(self, values: dict[str, Any], stems: tuple[str, ...], new: LiveSettings) -> DeskChange:
        before = DeskLayout.from_dict(values["desk"])
        if stems == before.stems:
            return DeskChange(before, (), ())
        return change_desk(self._commands, before, stems, new.first_values | self._later)

    def expect_values(self, values: Mapping[str, float]) -> None:
        """Values by name of stems that are not there: they have them when they come, or come back."""
        self._later |= values
        set_resting(self._commands, DeskLayout.from_dict(self._status.peek()["desk"]), values)

    @property
    def told(self) -> dict[str, Any]:
        """What the engine says of the last order: `serial`, `state`, `text`; "loading" until it says."""
        told = dict(self._status.peek().get("change") or {})
        if self._serial and told.get("serial") != self._serial:
            return {"serial": self._serial, "state": "loading", "text": "the last change"}
        return told

    def wait(self) -> None:
        """Until the last order is carried out.

        Raises:
            RtsepError: it was refused, or the engine has not answered.
        """
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while (told := self.told).get("state") in CHANGING:
            if time.monotonic() > deadline:
                raise RtsepError("the change was not made in time", "look at the session's status")
            time.sleep(POLL_S)
        if told.get("state") == "refused":
            problem, _, remedy = str(told["text"]).rpartition("; ")
            raise RtsepError(problem, remedy)


def _files(values: dict[str, Any], preset: Preset, text: str, stems: Sequence[str]) -> EngineFiles:
    latency = {
        "algorithmic": preset.latency_samples,
        "buffering": buffering_samples(values["blocksize"], preset.hop),
        "device_input": values.get("device_input_samples"),
        "device_output": values.get("device_output_samples"),
    }
    return EngineFiles([TAKE_INPUT, *stems], latency, text)


def _words(name: str, value: Any) -> str:
    return f"{name.removesuffix('_ms')} {','.join(value) if isinstance(value, list) else value}"


class CanChange:
    """The part of `Session` that goes over to other engines."""

    _changer: Changer | None = None

    @property
    def changer(self) -> Changer:
        """For who does not wait as `change` does; RtsepError unless it runs."""
        if self._changer is None:
            raise RtsepError("a session can be changed while it runs", "call start() first")
        return self._changer

    def change(
        self,
        *,
        latency_ms: int | None = None,
        voices: int | None = None,
        model: str | None = None,
        stems: Sequence[str] | None = None,
    ) -> None:
        """Goes over to another preset, model, number of voices or set of stems by a cross-fade, and returns
        when it is heard. Stems that play on keep what is set of them, and their outputs.

        Raises:
            RtsepError: what cannot be had. The engine that plays goes on.
        """
        if self.changer.order(latency_ms, voices, model, stems):
            self.changer.wait()

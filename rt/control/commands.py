"""The way into a running engine: hosts set values, the engine looks them up once a hop, without waiting."""

import contextlib
import difflib
import threading
from collections.abc import Callable, Mapping, Sequence
from mmap import mmap

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.parameters import Parameter, plain_value
from rtsep.rt.process.shared_memory import SharedMemory
from rtsep.rt.process.write_lock import WriteLock

# Room for the values of any model, made before the model is known: 300 stems.
MAX_VALUES = 1024
BLOCK_BYTES = _core.ValueSnapshot.bytes_needed(MAX_VALUES)


def lay_out(memory: mmap) -> None:
    """Makes `BLOCK_BYTES` of memory a block in which nothing has been set yet, before both ends use it."""
    _core.ValueSnapshot(MAX_VALUES, memory)


class Control:
    """Sets parameters of a running session, by name. The sound follows in `Parameter.ramp_s`.

    Values are checked here, before anything is sent; many set at once arrive at once. They stay in force
    when the engine starts again after a lost device. May be used by several threads, and beside others of its
    kind in other processes: each changes what it is told to and leaves the rest as it stands in the memory.

    Args:
        shared: a block as `lay_out` makes it, which the engine's `CommandReader` has too.
        parameters: with their places in the block.
        renew: asked at every use: the parameters of another desk, None while they are the same. What a
            parameter of a desk before is called stays its name, and its place its place.

    Example:
        A session makes one; the memory is its way into the engine.

        >>> from rtsep.rt.control.commands import BLOCK_BYTES, Control, lay_out
        >>> from rtsep.rt.control.desk_layout import lay_desk
        >>> from rtsep.rt.control.parameters import mixer_parameters
        >>> from rtsep.rt.process.shared_memory import SharedMemory
        >>> shared = SharedMemory.create(BLOCK_BYTES)
        >>> lay_out(shared.memory)
        >>> layout, _ = lay_desk(("voice-1", "residual"), [[0]], [0, 1], 2)
        >>> control = Control(shared, mixer_parameters(layout))
        >>> control.update({"voice-1.gain": -6.0, "residual.mute": True})
        >>> control.get("voice-1.gain")
        -6.0
    """

    def __init__(
        self,
        shared: SharedMemory,
        parameters: Sequence[Parameter],
        renew: Callable[[], Sequence[Parameter] | None] | None = None,
    ) -> None:
        self._renew = renew
        self._know(parameters)
        self._writing = WriteLock(shared.fd)
        self._writer = _core.ValueSnapshot.attach(shared.memory)
        self._reader = _core.ValueSnapshot.attach(shared.memory)
        self._reading = threading.Lock()  # of this side alone: the engine never takes it
        self._seen = self._defaults()
        self._repair()

    def _know(self, parameters: Sequence[Parameter]) -> None:
        self._listed = tuple(parameters)
        self._known = {parameter.name: parameter for parameter in self._listed}

    def _look(self) -> dict[str, Parameter]:
        """Those of now; several threads may find the same news."""
        if self._renew is not None and (news := self._renew()) is not None:
            self._know(news)
        return self._known

    def _defaults(self) -> NDArray[np.float64]:
        values = np.zeros(MAX_VALUES)
        for parameter in self._known.values():
            values[parameter.place] = parameter.default
        return values

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """All that can be set: name, unit, range, default, ramp."""
        self._look()
        return self._listed

    def parameter(self, name: str) -> Parameter:
        """The description of one.

        Raises:
            RtsepError: no such parameter.
        """
        known = self._look()
        if name in known:
            return known[name]
        near = difflib.get_close_matches(str(name), known, n=3) or list(known)[:3]
        raise RtsepError(
            f"there is no parameter {name!r}",
            f"did you mean {' or '.join(near)}? `rtsep control --list` shows all parameters",
        )

    def get(self, name: str) -> float:
        """What was set last, by anyone, or the default; 0 and 1 of a switch.

        Raises:
            RtsepError: no such parameter.
        """
        return float(self._current()[self.parameter(name).place])

    def values(self) -> dict[str, float]:
        """Of all parameters, as `get`, all of one moment."""
        current = self._current()
        return {name: float(current[parameter.place]) for name, parameter in self._look().items()}

    def set(self, name: str, value: float) -> None:
        """Sets one parameter: `set("voice-1.gain", -6.0)`, `set("bypass", True)`.

        Raises:
            RtsepError: no such parameter, or a value out of its range. Nothing has changed then.
        """
        self.update({name: value})

    def update(self, values: Mapping[str, float]) -> None:
        """Sets many parameters at the same moment.

        Raises:
            RtsepError: as `set`. Nothing has changed then, not even the right ones.
        """
        checked = {}
        for name, value in values.items():
            parameter = self.parameter(name)
            checked[parameter.place] = parameter.checked(value)
        with self._writing.held():
            current = np.zeros(MAX_VALUES)
            if self._writer.read_back(current) == 0:
                current = self._defaults()
            current[list(checked)] = list(checked.values())
            self._writer.write(current)

    def move(self, values: Mapping[str, float], stands: Mapping[str, float]) -> list[str]:
        """As `update`, but leaves alone what somebody else has set: what is not as in `stands` any more; and
        what has gone since, with its stem.

        Returns:
            Names of what was left alone.

        Raises:
            RtsepError: a value out of its range.
        """
        now = self._look()
        known = {name: now[name] for name in values if name in now}
        gone = values.keys() - known.keys()
        with self._writing.held():
            current = np.zeros(MAX_VALUES)
            if self._writer.read_back(current) == 0:
                current = self._defaults()
            others = [name for name, parameter in known.items() if current[parameter.place] != stands[name]]
            for name in known.keys() - others:
                current[known[name].place] = known[name].checked(values[name])
            self._writer.write(current)
        return [*others, *gone]

    def _repair(self) -> None:
        """A writer that died in the middle left what nobody can read: written again, it is in force."""
        with self._writing.held():
            current = np.zeros(MAX_VALUES)
            if self._writer.read_back(current) % 2:
                self._writer.write(current)

    def _current(self) -> NDArray[np.float64]:
        with self._reading:
            self._reader.poll(self._seen)
            return self._seen.copy()


def begin_with(memory: mmap, parameters: Sequence[Parameter], values: Mapping[str, object]) -> None:
    """What is in force until somebody sets something: for the engine, whose session learns the parameters
    only from it.

    Where something has been set already, nothing changes. Names that are none and values out of range are
    left out: the session tells of them.

    Args:
        memory: as of `CommandReader`.
        parameters: as of `Control`.
        values: by name, also as words.
    """
    writer = _core.ValueSnapshot.attach(memory)
    first = np.zeros(MAX_VALUES)
    if not values or writer.read_back(first) != 0:
        return
    for parameter in parameters:
        first[parameter.place] = parameter.default
        if parameter.name in values:
            with contextlib.suppress(RtsepError):
                first[parameter.place] = parameter.checked(plain_value(parameter, values[parameter.name]))
    writer.write(first)


class CommandReader:
    """The engine's end: asks once a hop whether anything was set, and never waits for who sets it.

    Args:
        memory: as of `Control`; what was set before is found by the first `poll`.
        parameters: how many values the engine's model has.

    Attributes:
        values: float64 [parameters], those of the last `poll` that was True.
    """

    def __init__(self, memory: mmap, parameters: int) -> None:
        self._snapshot = _core.ValueSnapshot.attach(memory)
        self._all = np.zeros(MAX_VALUES)
        self.values: NDArray[np.float64] = self._all[:parameters]  # a view

    def poll(self) -> bool:
        """True when something was set since the last time; it is in `values` then."""
        return self._snapshot.poll(self._all)

"""What every way to steer a session does: set, ask, mark, record. The ways only carry text and numbers."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.commands import Control
from rtsep.rt.control.parameters import Parameter, plain_value


class CommandModel:
    """Steers a running session.

    Args:
        control: of the session.
        actions: what can be done besides setting parameters, by name, such as `mark`; each takes the words
            that follow its name and returns what it answers.
        status: the session's status, JSON types.

    Example:
        >>> from rtsep.rt.control.commands import BLOCK_BYTES, Control, lay_out
        >>> from rtsep.rt.control.desk_layout import lay_desk
        >>> from rtsep.rt.control.parameters import mixer_parameters
        >>> from rtsep.rt.process.shared_memory import SharedMemory
        >>> shared = SharedMemory.create(BLOCK_BYTES)
        >>> lay_out(shared.memory)
        >>> layout, _ = lay_desk(("voice-1", "residual"), [[0]], [0, 1], 2)
        >>> model = CommandModel(Control(shared, mixer_parameters(layout)), {}, dict)
        >>> model.set("voice-1.mute", "toggle"), model.set("voice-1.gain", "-3", relative=True)
        (1.0, -3.0)
    """

    def __init__(
        self,
        control: Control,
        actions: Mapping[str, Callable[[str], Any]],
        status: Callable[[], dict[str, Any]],
    ) -> None:
        self._control, self._actions, self.status = control, actions, status
        self._offered: dict[str, Callable[[str], Any]] = {}

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """All that can be set."""
        return self._control.parameters

    def get(self, name: str) -> float:
        """What a parameter is; RtsepError where there is none of that name."""
        return self._control.get(name)

    def values(self) -> dict[str, float]:
        """Of all parameters at one moment."""
        return self._control.values()

    def described(self) -> list[dict[str, Any]]:
        """Every parameter, JSON types: name, unit, range, default, ramp, what is off, and its value."""
        now = self.values()
        return [
            {k: v for k, v in vars(parameter).items() if k != "place"} | {"value": now[parameter.name]}
            for parameter in self.parameters
            if parameter.name in now
        ]

    def set(self, name: str, value: object, *, relative: bool = False) -> float:
        """Sets a parameter and returns what it is now.

        Args:
            name: of the parameter.
            value: a number, or a word: `on`, `off`, `toggle` for a switch, `-inf` for off.
            relative: `value` is added; the result stays within the range.

        Raises:
            RtsepError: no such parameter, or a value that it does not take.
        """
        parameter = self._control.parameter(name)
        meant = self._meant(parameter, value)
        if relative:
            meant = self._moved(parameter, meant)
        number = parameter.checked(meant)
        self._control.set(name, number)
        return number

    def update(self, values: Mapping[str, object]) -> dict[str, float]:
        """Sets many parameters at the same moment and returns what they are now.

        Raises:
            RtsepError: as `set`. Nothing has changed then, not even the right ones.
        """
        numbers = {}
        for name, value in values.items():
            parameter = self._control.parameter(name)
            numbers[name] = parameter.checked(self._meant(parameter, value))
        self._control.update(numbers)
        return numbers

    @property
    def actions(self) -> tuple[str, ...]:
        """Names of what `do` can do."""
        return (*self._actions, *self._offered)

    def offer(self, action: str, run: Callable[[str], Any]) -> None:
        """One thing more that can be done, as `actions` of the constructor."""
        self._offered[action] = run

    def steer(self, name: str, words: Sequence[str], *, relative: bool = False) -> Any:
        """What a line of a shell means: `voice-1.gain -6` sets, `voice-1.gain` asks, `mark verse` does.

        Raises:
            RtsepError: as `set`, `get` and `do`; more than one value for a parameter.
        """
        if "." not in name and name not in self.values():
            return self.do(name, " ".join(words))
        if not words:
            return self.get(name)
        if len(words) > 1:
            raise RtsepError(f"{name} takes one value, not {len(words)}", "give one")
        return self.set(name, words[0], relative=relative)

    def do(self, action: str, words: str = "") -> Any:
        """Runs an action and returns its answer.

        Raises:
            RtsepError: no such action, or what it refuses.
        """
        if action not in self.actions:
            raise RtsepError(
                f"there is no command {action!r}", f"choose {' or '.join(self.actions) or 'none'}"
            )
        try:
            return self._offered[action](words) if action in self._offered else self._actions[action](words)
        except RtsepError:
            raise
        except Exception as error:  # a full disk, an engine that is gone: who steers hears of it and goes on
            raise RtsepError(f"{action} has failed ({error})", "see the session's own messages") from error

    def _meant(self, parameter: Parameter, value: object) -> object:
        """As `plain_value`; `toggle` depends on what is set."""
        if parameter.unit == "on/off" and isinstance(value, str) and value.strip().lower() == "toggle":
            return 1.0 - self.get(parameter.name)
        return plain_value(parameter, value)

    def _moved(self, parameter: Parameter, by: object) -> float:
        """Where a parameter is when `by` has been added, within its range."""
        try:
            is_number = isinstance(by, int | float) and not isinstance(by, bool)
            step = float(by) if is_number else parameter.checked(by)  # type: ignore[arg-type]
        except OverflowError:
            step = parameter.checked(by)  # says what it takes
        if parameter.unit == "on/off" or not math.isfinite(step):
            raise RtsepError(f"{parameter.name} cannot be changed by {by}", "set it to a value")
        now = self.get(parameter.name)  # an infinite one is off: it moves from the nearer end
        start = min(parameter.maximum, max(parameter.minimum, now))
        return min(parameter.maximum, max(parameter.minimum, start + step))

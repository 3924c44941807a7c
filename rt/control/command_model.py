"""What every way to steer a session does: set, ask, mark, record. The ways only carry text and numbers."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.commands import Control
from rtsep.rt.control.parameters import Parameter

WORDS = {"on": 1.0, "off": 0.0, "true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}


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
        number = self._number(parameter, value)
        if relative:
            now = self.get(name)
            if parameter.unit == "on/off" or not math.isfinite(number):
                raise RtsepError(f"{name} cannot be changed by {value}", "set it to a value")
            start = now if math.isfinite(now) else (parameter.minimum if now < 0 else parameter.maximum)
            number = min(parameter.maximum, max(parameter.minimum, start + number))
        self._control.set(name, number)
        return number

    def do(self, action: str, words: str = "") -> Any:
        """Runs an action and returns its answer.

        Raises:
            RtsepError: no such action, or what it refuses.
        """
        if action not in self._actions:
            raise RtsepError(
                f"there is no command {action!r}", f"choose {' or '.join(self._actions) or 'none'}"
            )
        try:
            return self._actions[action](words)
        except RtsepError:
            raise
        except Exception as error:  # a full disk, an engine that is gone: who steers hears of it and goes on
            raise RtsepError(f"{action} has failed ({error})", "see the session's own messages") from error

    @property
    def actions(self) -> tuple[str, ...]:
        """Names of what can be done besides setting parameters."""
        return tuple(self._actions)

    def _number(self, parameter: Parameter, value: object) -> float:
        if isinstance(value, str):
            word = value.strip().lower()
            if parameter.unit == "on/off" and word == "toggle":
                return 1.0 - self.get(parameter.name)
            if parameter.unit == "on/off" and word in WORDS:
                return WORDS[word]
            if word == "off" and parameter.off is not None:
                return parameter.off
            try:
                value = float(word)
            except ValueError:
                return parameter.checked(value)  # says what it takes
        if parameter.unit == "on/off" and isinstance(value, float) and value in (0.0, 1.0):
            return value
        if isinstance(value, bool) and parameter.unit == "on/off":
            return float(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return parameter.checked(value)
        try:
            return float(value)
        except OverflowError:
            return parameter.checked(value)

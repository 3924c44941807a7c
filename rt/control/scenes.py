"""Scenes: values of all parameters under a name, recalled at once or with a fade."""

import contextlib
import math
import re
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.commands import Control
from rtsep.rt.control.parameters import RAMP_S, SCORE_PARAMETERS, Parameter, strip_of

# What guards against feedback stays in the hand of who stands at the desk: no scene and no file of
# yesterday takes a mute off or a guard away; nor does one say where in the score the choir is.
GUARDS = ("output.mute", "output.howl-guard", *SCORE_PARAMETERS)
STEP_S = RAMP_S  # each step is as long as the ramp with which the engine follows it
LONGEST_FADE_S = 3600.0
SCENES = 200  # of a session
NAME = re.compile(r"[^\s/\x00-\x1f\x7f][^\x00-\x1f\x7f]{0,39}")
# Switches that take sound away when they go on; sends bring it, so they are the other way round.
SILENCING = ("mute", "solo", "dim", "bypass")

Values = Mapping[str, float]


def check_scene_name(name: str) -> str:
    """The name without space around it.

    Raises:
        RtsepError: no name.
    """
    name = name.strip()
    if not NAME.fullmatch(name):
        raise RtsepError(f"{name!r} is no name of a scene", "use up to 40 characters, no control characters")
    return name


def fade_value(parameter: Parameter, start: float, end: float, share: float, *, louder: bool = True) -> float:
    """Where a parameter is after `share` of a fade, 0 to 1.

    Numbers go in a straight line: levels in dB, from or to the end of their range where one side is off. A
    switch that silences goes off at the beginning and on at the end; a send the other way round. Delays and
    polarity change where the stem is quieter: at the beginning where it gets `louder`, else at the end.

    >>> from rtsep.rt.control.parameters import OFF_DB
    >>> gain = Parameter("voice-1.gain", "dB", -60.0, 12.0, 0.0, 0.02, OFF_DB)
    >>> [fade_value(gain, OFF_DB, 0.0, share) for share in (0.0, 0.5, 1.0)]
    [-inf, -30.0, 0.0]
    """
    if share >= 1.0 or start == end:
        return end
    if share <= 0.0:
        return start
    kind = parameter.name.rpartition(".")[2]
    if parameter.unit == "on/off":
        if kind == "polarity":
            return end if louder else start
        at_once = (end == 0.0) if kind in SILENCING else (end == 1.0)
        return end if at_once else start
    if kind == "delay":
        return end if louder else start
    low, high = parameter.minimum, parameter.maximum
    first, last = (min(high, max(low, value)) for value in (start, end))
    return first + (last - first) * share


class Scenes:
    """Stores, recalls and fades, from a thread of the process that controls: the engine only ramps.

    Args:
        control: of the session.

    Example:
        >>> from rtsep.rt.control.commands import BLOCK_BYTES, Control, lay_out
        >>> from rtsep.rt.control.desk_layout import lay_desk
        >>> from rtsep.rt.control.parameters import mixer_parameters
        >>> from rtsep.rt.process.shared_memory import SharedMemory
        >>> shared = SharedMemory.create(BLOCK_BYTES)
        >>> lay_out(shared.memory)
        >>> layout, _ = lay_desk(("voice-1", "residual"), [[0]], [0, 1], 2)
        >>> control = Control(shared, mixer_parameters(layout))
        >>> scenes = Scenes(control)
        >>> control.set("voice-1.gain", -6.0)
        >>> scenes.store("verse")
        >>> control.set("voice-1.gain", 0.0)
        >>> scenes.recall("verse")
        >>> control.get("voice-1.gain")
        -6.0
    """

    def __init__(self, control: Control) -> None:
        self._control = control
        self._own: dict[str, dict[str, float]] = {}
        self._of_file: dict[str, dict[str, float]] = {}
        self._lock, self._recalling = threading.Lock(), threading.Lock()
        self._fade: threading.Thread | None = None
        self._replaced = threading.Event()  # of the fade that runs

    def names(self) -> list[str]:
        """Of all scenes, sorted."""
        with self._lock:
            return sorted({**self._own, **self._of_file})

    def values(self, name: str) -> dict[str, float]:
        """What a scene holds; RtsepError where there is none of that name."""
        with self._lock:
            scene = self._of_file.get(name, self._own.get(name))
        if scene is None:
            known = " or ".join(self.names()) or "none: store one with scene store NAME"
            raise RtsepError(f"there is no scene {name!r}", f"choose {known}")
        return dict(scene)

    def own(self) -> dict[str, dict[str, float]]:
        """Those that were stored, for the session file; those of its configuration left out."""
        with self._lock:
            return {name: dict(scene) for name, scene in self._own.items()}

    def store(self, name: str) -> None:
        """Keeps what is set now, all but `GUARDS`; a scene of this name is replaced.

        Raises:
            RtsepError: no name, too many scenes, or a scene of the configuration file.
        """
        name = check_scene_name(name)
        values = {n: v for n, v in self._control.values().items() if n not in GUARDS}
        with self._lock:
            self._require_own(name)
            if name not in self._own and len(self._own) >= SCENES:
                raise RtsepError(f"{SCENES} scenes are the most there can be", "delete one")
            self._own[name] = values

    def delete(self, name: str) -> None:
        """Forgets a scene; RtsepError where there is none, or it is the configuration file's."""
        name = name.strip()
        self.values(name)
        with self._lock:
            self._require_own(name)
            self._own.pop(name, None)

    def _require_own(self, name: str) -> None:
        if name in self._of_file:
            raise RtsepError(f"scene {name!r} is the configuration file's", "choose another name, or edit it")

    def restore(self, scenes: Mapping[str, Values]) -> None:
        """Takes those that a session file holds."""
        with self._lock:
            self._own = {name: dict(scene) for name, scene in scenes.items()}

    def configure(self, scenes: Mapping[str, Values]) -> None:
        """Takes those of a configuration file; they hide stored ones of the same name."""
        with self._lock:
            self._of_file = {name: dict(scene) for name, scene in scenes.items()}

    def recall(self, name: str, seconds: float = 0.0) -> None:
        """Goes to a scene within `seconds` and returns at once; 0 for the engine's own ramp.

        A parameter that is set by hand meanwhile is left to the hand. Another recall takes the place of one
        that is under way.

        Raises:
            RtsepError: no such scene, or no such time.
        """
        if not (math.isfinite(seconds) and 0.0 <= seconds <= LONGEST_FADE_S):
            within = f"0..{LONGEST_FADE_S:g} s"
            raise RtsepError(f"a fade of {seconds:g} s is outside {within}", "choose one within")
        target = self.values(name.strip())
        known = {parameter.name: parameter for parameter in self._control.parameters}
        held = {n: v for n, v in target.items() if n in known and n not in GUARDS}
        target = {}
        for parameter, value in held.items():
            with contextlib.suppress(RtsepError):  # of a stem that has come since a file was read
                target[parameter] = known[parameter].checked(value)
        with self._recalling:
            self.stop()
            if seconds <= STEP_S:
                self._control.update(target)
                return
            self._replaced = threading.Event()
            work = (target, self._control.values(), seconds, self._replaced)
            self._fade = threading.Thread(target=self._run, args=work, name="scene fade", daemon=True)
            self._fade.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Waits for the end of a fade; True when none runs."""
        fade = self._fade
        if fade is not None:
            fade.join(timeout)
        return fade is None or not fade.is_alive()

    def stop(self) -> None:
        """Ends a fade where it is."""
        self._replaced.set()
        self.wait()

    def _run(self, target: Values, start: Values, seconds: float, replaced: threading.Event) -> None:
        parameters = {name: self._control.parameter(name) for name in target}
        left = {name for name in target if target[name] != start[name]}
        stands = {name: start[name] for name in left}  # what this fade set last
        began = time.monotonic()
        share = 0.0
        while left and share < 1.0 and not replaced.wait(STEP_S):
            share = min(1.0, (time.monotonic() - began) / seconds)
            wanted = {
                name: fade_value(
                    parameters[name], start[name], target[name], share, louder=_louder(name, start, target)
                )
                for name in left
            }
            left -= set(self._control.move(wanted, stands))  # taken over by a hand
            stands = {name: wanted[name] for name in left}


def _louder(name: str, start: Values, target: Values) -> bool:
    gain = f"{strip_of(name)}.gain"
    return target.get(gain, 0.0) >= start.get(gain, 0.0)


def scene_command(scenes: Scenes, words: str) -> Any:
    """What `scene store NAME`, `recall NAME [SECONDS]`, `delete NAME` and `list` do, and what they answer.

    Raises:
        RtsepError: none of these, or what they refuse.
    """
    verb, _, rest = words.strip().partition(" ")
    rest = rest.strip()
    if verb == "list":
        return "\n".join(scenes.names()) or "no scene"
    if verb not in ("store", "recall", "delete") or not rest:
        raise RtsepError(
            f"scene {words.strip()!r} is no command",
            "say scene list, scene store NAME, scene recall NAME [SECONDS] or scene delete NAME",
        )
    if verb == "store":
        scenes.store(rest)
    elif verb == "delete":
        scenes.delete(rest)
    else:
        scenes.recall(*_named_and_timed(scenes.names(), rest))
    return None


def _named_and_timed(names: Iterable[str], text: str) -> tuple[str, float]:
    """A name may hold spaces and end in a number: the whole text is looked up first."""
    name, _, last = text.rpartition(" ")
    if text in names or not name:
        return text, 0.0
    try:
        return name.strip(), float(last)
    except ValueError:
        return text, 0.0

"""A named session finds its faders and scenes again: a file that is written while something changes."""

import contextlib
import json
import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from rtsep.kernels.errors import RtsepError
from rtsep.rt.audio.part_file import place
from rtsep.rt.control.commands import Control
from rtsep.rt.control.parameters import strip_of
from rtsep.rt.control.scenes import GUARDS, Scenes
from rtsep.rt.process.state_folder import state_folder

WRITE_EVERY_S = 1.0
VERSION = 1


@dataclass
class SavedSession:
    """What a session of this name was.

    Attributes:
        values: of parameters, by name.
        scenes: values by name of the scene.
        notes: what the user should know.
    """

    values: dict[str, float] = field(default_factory=dict)
    scenes: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def session_path(name: str) -> Path:
    """`session-NAME.json` in the state folder, beside the JACK connections, `jack-CLIENT.json`."""
    return state_folder() / f"session-{name}.json"


def load_session(name: str) -> SavedSession:
    """What was kept; nothing where there is no file. A damaged one is set aside, and told."""
    path = session_path(name)
    try:
        kept = json.loads(path.read_bytes())
        if not isinstance(kept, dict) or kept.get("version") != VERSION:
            raise ValueError(f"no session of version {VERSION}")
        values = _numbers(kept["parameters"])
        scenes = {str(scene): _numbers(held) for scene, held in kept["scenes"].items()}
        return SavedSession(values, scenes)
    except FileNotFoundError:
        return SavedSession()
    except OSError as error:
        return SavedSession(notes=[f"{path} cannot be read ({error.strerror}): nothing is restored"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        aside = path.with_suffix(".damaged")
        with contextlib.suppress(OSError):
            path.replace(aside)
        return SavedSession(notes=[f"{path} was damaged: it is {aside.name} now, and nothing is restored"])


def restore(control: Control, scenes: Scenes, saved: SavedSession) -> list[str]:
    """Sets what was kept and exists; returns what the user should know. `GUARDS` stay as they are. What is of
    other stems stays in the scenes: they may come.
    """
    values, _, left_out = fitting(control, saved.values)
    control.update(values)
    kept = {}
    for name, held in saved.scenes.items():
        now, later, missing = fitting(control, held)
        kept[name] = now | later
        left_out += missing
    scenes.restore(kept)
    notes = list(saved.notes)
    if left_out:
        few = sorted(set(left_out))
        shown = ", ".join(few[:3]) + (f" and {len(few) - 3} more" if len(few) > 3 else "")
        notes.append(f"of the saved session, {shown} cannot be restored: this run has none such")
    return notes


def fitting(
    control: Control, values: Mapping[str, float]
) -> tuple[dict[str, float], dict[str, float], list[str]]:
    """Values that a session takes, those of stems that it has not, and the names of the others; without
    `GUARDS`.
    """
    known = {parameter.name: parameter for parameter in control.parameters}
    strips = {strip_of(name) for name in known}
    taken, later, left_out = {}, {}, []
    for name, value in values.items():
        if name in GUARDS:
            continue
        if strip_of(name) not in strips:
            later[name] = value
            continue
        try:
            taken[name] = known[name].checked(value)
        except (KeyError, RtsepError):
            left_out.append(name)
    return taken, later, left_out


class SessionKeeper:
    """Writes values and scenes about once a second when they changed, and at the end. Never half a file.

    Args:
        control, scenes: of the session.
        name: of the session.
        kept: values that it had before: those of stems that are not there stay in the file.
    """

    def __init__(
        self, control: Control, scenes: Scenes, name: str, kept: Mapping[str, float] | None = None
    ) -> None:
        self._control, self._scenes, self._path = control, scenes, session_path(name)
        self._written: dict[str, Any] = {}
        # of stems that are not there too, as they were left
        self._values = {n: v for n, v in (kept or {}).items() if n not in GUARDS}
        self._news: list[str] = []
        self._failed = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="session file", daemon=True)

    def __enter__(self) -> Self:
        self._written = self._now()
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._thread.join()
        self._write_changes()

    def take_news(self) -> list[str]:
        """Why nothing could be written, once."""
        news, self._news = self._news, []
        return news

    def _run(self) -> None:
        while not self._ended.wait(WRITE_EVERY_S):
            self._write_changes()

    def _now(self) -> dict[str, Any]:
        self._values |= {n: v for n, v in self._control.values().items() if n not in GUARDS}
        return {"version": VERSION, "parameters": dict(self._values), "scenes": self._scenes.own()}

    def _write_changes(self) -> None:
        current = self._now()
        if current == self._written:
            return
        try:
            write_session(self._path, current)
            self._written, self._failed = current, False
        except OSError as error:
            if not self._failed:
                self._news.append(f"{self._path} cannot be written ({error.strerror}): it is tried again")
            self._failed = True


def write_session(path: Path, saved: Mapping[str, Any]) -> None:
    """Replaces the file in one step; OSError where that cannot be."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # infinite levels as Infinity, which Python reads back
    place(path, json.dumps(saved, indent=1).encode(), on_disk=True)


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    numbers = {str(name): float(value) for name, value in values.items()}
    if any(math.isnan(value) for value in numbers.values()):
        raise ValueError("NaN")
    return numbers

"""A show while it plays: found again at the start, kept while it changes, its file read again on SIGHUP."""

import signal
import threading
from types import FrameType
from typing import Any, Self

import click

from rtsep.kernels.errors import RtsepError
from rtsep.rt.cli.show.show_check import check_values, later_parameters, numbers
from rtsep.rt.cli.show.show_file import ShowFile, read_show
from rtsep.rt.control.scenes import GUARDS
from rtsep.rt.control.session_file import SavedSession, SessionKeeper, restore
from rtsep.rt.session import Session


def first_values(show: ShowFile | None, saved: SavedSession) -> dict[str, Any]:
    """What the session begins with: as kept, then as the file says. Nothing takes a guard away."""
    values: dict[str, Any] = {name: value for name, value in saved.values.items() if name not in GUARDS}
    named = {} if show is None else show.parameters
    return values | {name: value for name, value in named.items() if name not in GUARDS}


class RunningShow:
    """Entered while a session runs.

    Values come from the parameters' defaults, then from the session file, then from the configuration file:
    what a file names holds at every start, all else is as it was left.

    Args:
        session: started.
        show: the configuration file, None without one.
        command: whose options it holds.
        name: of the session, None where it has no name of its own: then nothing is kept.
        saved: what was kept of it.

    Attributes:
        notes: what the user should know of the start.
    """

    def __init__(
        self,
        session: Session,
        show: ShowFile | None,
        command: click.Command,
        name: str | None,
        saved: SavedSession,
    ) -> None:
        self._session, self._show, self._command = session, show, command
        self._keeper: SessionKeeper | None = None
        self._previous: Any = None
        self._asked = 0
        self._reading = threading.Lock()  # the signal and a command may come at once
        self.notes: list[str] = []
        if name is not None:
            self.notes += restore(session.control, session.scenes, saved)
            self._keeper = SessionKeeper(session.control, session.scenes, name, saved.values)
        if show is not None:
            self.notes += self._apply(show, None)

    def __enter__(self) -> Self:
        if self._keeper is not None:
            self._keeper.__enter__()
        if self._show is not None:  # without a file to read again, a terminal that closes ends the run
            self._previous = signal.signal(signal.SIGHUP, self._remember)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._show is not None:
            signal.signal(signal.SIGHUP, self._previous)
        self._session.scenes.stop()
        if self._keeper is not None:
            self._keeper.__exit__(*exc)

    def _remember(self, signum: int, frame: FrameType | None) -> None:
        self._asked += 1

    def take_news(self) -> list[str]:
        """Reads the file again where SIGHUP came; what the user should know since the last time."""
        news = [] if self._keeper is None else self._keeper.take_news()
        if self._asked:
            self._asked = 0
            try:
                news.append(self.reload())
            except RtsepError as error:
                news.append(str(error))
        return news

    def reload(self) -> str:
        """Takes what has changed in the file; returns what that was.

        Raises:
            RtsepError: no file, or one with faults: nothing has changed then.
        """
        if self._show is None:
            raise RtsepError("this session has no configuration file", "start it with --config FILE")
        with self._reading:
            return self._reload(self._show)

    def _reload(self, old: ShowFile) -> str:
        new = read_show(old.path, self._command)
        check_values(new, self._session.control.parameters)
        if new.faults:
            more = f" (1 of {len(new.faults)} faults)" if len(new.faults) > 1 else ""
            raise RtsepError(f"{new.faults[0]}{more}", "nothing has changed")
        told = self._apply(new, old)
        keys = old.options.keys() | new.options.keys()
        restart = sorted(key for key in keys if old.options.get(key) != new.options.get(key))
        if restart:
            told.append(f"{', '.join(restart)} will change at the next start")
        # the options are those of the start until there is another one
        self._show = ShowFile(new.path, old.options, old.defaults, new.parameters, new.scenes)
        return f"{new.path}: " + ("; ".join(told) or "nothing has changed")

    def _apply(self, new: ShowFile, old: ShowFile | None) -> list[str]:
        """Sets what differs from `old`, None at the start; returns what the user should know, as words."""
        control, told = self._session.control, []
        known = {parameter.name: parameter for parameter in control.parameters}
        before = {} if old is None else old.parameters
        changed = {n: v for n, v in new.parameters.items() if n not in before or before[n] != v}
        values = numbers(known, changed)
        coming = later_parameters(new, known)
        later = numbers(coming, changed)
        self._session.changer.expect_values(later)
        kept = [n for n in GUARDS if values.get(n) == 0.0 and control.get(n) == 1.0]
        values = {n: v for n, v in values.items() if n not in kept}
        control.update(values)
        if missing := [n for n in changed if n not in known and n not in later]:
            told.append(f"there is no {', '.join(missing)} on this device")
        if later and old is not None:
            told.append(f"{', '.join(later)} is kept until there is such a stem")
        if kept:
            told.append(f"{', '.join(kept)} stays on against feedback: take it off by hand")
        if values and old is not None:
            told.append(f"set {', '.join(values)}")
        if old is None or new.scenes != old.scenes:
            self._session.scenes.configure(
                {n: numbers(coming | known, held) for n, held in new.scenes.items()}
            )
            if old is not None:
                told.append("scenes have changed")
        return told

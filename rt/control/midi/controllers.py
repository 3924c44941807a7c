"""Several MIDI controllers of one session: each has a port, a thread and a map; they learn together."""

import contextlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.command_model import CommandModel
from rtsep.rt.control.midi.midi_server import LearnClaim, MidiServer


class Controllers:
    """Listens to all of them until it is closed.

    Args:
        model: what is steered.
        wanted: port and map of each, see `MidiServer`.

    Attributes:
        servers: one for each; notes: what the user should know at the start.

    Raises:
        RtsepError: as of `MidiServer`; none is open then.
    """

    def __init__(self, model: CommandModel, wanted: Sequence[tuple[str, Path]]) -> None:
        self.servers: list[MidiServer] = []
        self._lock = threading.Lock()  # one `do` at a time
        with contextlib.ExitStack() as stack:
            for port, path in wanted:
                self.servers.append(stack.enter_context(MidiServer(model, port, path)))
            self._open = stack.pop_all()

    @property
    def notes(self) -> list[str]:
        """Of all, in order."""
        return [note for server in self.servers for note in server.notes]

    def take_news(self) -> list[str]:
        """What has happened since the last time."""
        return [news for server in self.servers for news in server.take_news()]

    def close(self) -> None:
        """Ends them."""
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def do(self, words: str) -> str:
        """As `MidiServer.do`: the controller that is moved first learns; `forget` and `list` are of all.

        Raises:
            RtsepError: no such words, or nothing of that name on any of them.
        """
        verb = words.strip().partition(" ")[0]
        with self._lock:
            if len(self.servers) == 1 or verb not in ("learn", "forget", "list"):
                return self.servers[0].do(words)
            if verb == "learn":
                claim = LearnClaim()
                return "; or ".join([server.do(words, claim) for server in self.servers])
            answers, refused = [], []
            for server in self.servers:
                try:
                    answers.append(
                        f"{server.part}: {server.do(words)}" if verb == "forget" else _listed(server)
                    )
                except RtsepError as error:
                    refused.append(error)
            if not answers:
                raise refused[0]
            return "\n".join(answers)


def _listed(server: MidiServer) -> str:
    return f"{server.part}:\n{server.do('list')}"

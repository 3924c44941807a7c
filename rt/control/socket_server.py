"""Steering from another process of the same user: a Unix socket that takes and gives a JSON object a line.

`rtsep control` talks to it. The folder is the user's own, so nobody else can steer a show.
"""

import contextlib
import json
import os
import socket
import socketserver
import tempfile
import threading
from pathlib import Path
from typing import Any, Self

from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.command_model import CommandModel

SUFFIX = ".sock"
LARGEST_LINE = 65536  # bytes of a request
TIMEOUT_S = 2.0  # for a client that connects and says nothing
POLL_S = 0.05  # how soon it notices that it is to end


def socket_folder() -> Path:
    """Where running sessions are found: the user's runtime folder, else one of the user's own in /tmp.

    Raises:
        RtsepError: it belongs to somebody else, or cannot be made.
    """
    base = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(base) / "rtsep" if base else Path(tempfile.gettempdir()) / f"rtsep-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise RtsepError(f"{folder} belongs to somebody else", "set XDG_RUNTIME_DIR to a folder of yours")
        folder.chmod(0o700)
    except OSError as error:
        raise RtsepError(
            f"{folder} cannot be made ({error.strerror})", "set XDG_RUNTIME_DIR to a folder of yours"
        ) from None
    return folder


class _Listener(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True  # a client that still talks does not keep the program from ending
    block_on_close = False


class SocketServer:
    """Answers requests until it is closed, every client in a thread of its own: a silent one holds nobody up.

    A request: `{"do": "list"}`, `{"do": "get", "name": N}`, `{"do": "set", "name": N, "value": V}` (with
    `"relative": true` the value is added), `{"do": "status"}`,
    `{"do": "actions"}` (names of what can be done), `{"do": "action", "name": N, "words": TEXT}` or
    `{"do": "steer", "name": N, "words": [...], "relative": B}`, a line of a shell. An answer:
    `{"answer": ...}`, or `{"problem": ..., "remedy": ...}`.

    Args:
        model: what is steered.
        name: of the session.

    Raises:
        RtsepError: no folder for the socket.
    """

    def __init__(self, model: CommandModel, name: str) -> None:
        self._model = model
        running_sessions()  # removes what a killed session of this name left
        self.path = socket_folder() / f"{name}{SUFFIX}"
        server = self

        class Client(socketserver.StreamRequestHandler):
            timeout = TIMEOUT_S

            def handle(self) -> None:
                with contextlib.suppress(OSError):  # it has gone, or says nothing
                    while line := self.rfile.readline(LARGEST_LINE):
                        self.wfile.write(json.dumps(server._answer(line)).encode() + b"\n")

        try:
            self._server = _Listener(str(self.path), Client)
        except OSError as error:
            raise RtsepError(
                f"{self.path} cannot be listened on ({error.strerror})", "remove it if no session uses it"
            ) from None
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_S,), name="control socket", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Ends it; the socket's file goes."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        with contextlib.suppress(OSError):
            self.path.unlink()

    def take_news(self) -> list[str]:
        """A thread that died is started again, and told."""
        if self._thread.is_alive():
            return []
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_S,), name="control socket", daemon=True
        )
        self._thread.start()
        return ["the thread of rtsep control had died: it is started again"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            if not isinstance(request, dict):
                raise ValueError("no object")
            return {"answer": self._obey(request)}
        except RtsepError as error:
            return {"problem": error.problem, "remedy": error.remedy}
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            return {"problem": f"a request that is none ({error})", "remedy": "send a JSON object a line"}
        except Exception as error:  # whatever a session raises: who asked hears of it
            return {"problem": f"the session cannot answer ({error})", "remedy": "ask again"}

    def _obey(self, request: dict[str, Any]) -> Any:
        model, verb = self._model, request["do"]
        if verb == "list":
            return model.described()
        if verb == "get":
            return model.get(str(request["name"]))
        if verb == "set":
            relative = bool(request.get("relative", False))
            return model.set(str(request["name"]), request["value"], relative=relative)
        if verb == "status":
            return model.status()
        if verb == "actions":
            return model.actions
        if verb == "action":
            return model.do(str(request["name"]), str(request.get("words", "")))
        if verb == "steer":
            relative = bool(request.get("relative", False))
            return model.steer(str(request["name"]), list(map(str, request["words"])), relative=relative)
        verbs = "list, get, set, status, actions, action or steer"
        raise RtsepError(f"there is no request {verb!r}", f"send {verbs}")


def running_sessions() -> list[str]:
    """Names of the sessions that answer; what a killed one left is removed."""
    found = []
    for path in sorted(socket_folder().glob(f"*{SUFFIX}")):
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                probe.settimeout(TIMEOUT_S)
                probe.connect(str(path))
            found.append(path.name.removesuffix(SUFFIX))
        except ConnectionRefusedError:  # nobody listens any more
            with contextlib.suppress(OSError):
                path.unlink()
        except OSError:
            continue
    return found


def ask(session: str, request: dict[str, Any]) -> Any:
    """What a running session answers.

    Raises:
        RtsepError: what it refuses, or no answer.
    """
    path = socket_folder() / f"{session}{SUFFIX}"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(TIMEOUT_S)
            client.connect(str(path))
            client.sendall(json.dumps(request).encode() + b"\n")
            with client.makefile("rb") as lines:
                answer = json.loads(lines.readline())
    except (OSError, ValueError) as error:
        raise RtsepError(
            f"the session {session} does not answer ({error})", "see rtsep control --sessions"
        ) from None
    if "problem" in answer:
        raise RtsepError(answer["problem"], answer["remedy"])
    return answer["answer"]

"""The session's side of the web page: opens the socket, starts the server's process, starts it again."""

import importlib.util
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Self

from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.osc_server import Address
from rtsep.rt.control.web.listening import (
    WebSettings,
    is_loopback,
    listen,
    make_token,
    page_url,
    qr_lines,
)
from rtsep.rt.process.child_process import end, spawn
from rtsep.rt.process.shared_memory import SharedMemory

MODULE = "rtsep.rt.control.web.web_process"
WATCH_S = 0.1
# A server that dies so often within so long dies of something that will not go away.
MAX_DEATHS, DEATHS_WITHIN_S = 5, 30.0
END_S = 2.0


class WebKeeper:
    """Serves the page until it is closed.

    The socket is opened here, so a port that is taken is told before the show, and those who connect while a
    dead server is replaced only wait.

    Args:
        address: host and port; port 0 takes a free one.
        session: name for `rtsep control`, where marks and the like go.
        memories: status and parameters of the session.

    Attributes:
        url: to open in a browser, with the token.
        token: "" where none is needed.
        port: where it listens.
        notes: what the user should know at the start.
        qr: lines of a QR code of the address; none where only this machine reaches it.

    Raises:
        RtsepError: no aiohttp, no segno, or an address that cannot be had.
    """

    def __init__(self, address: Address, session: str, memories: Sequence[SharedMemory]) -> None:
        for needed in ("aiohttp", "segno"):
            if importlib.util.find_spec(needed) is None:
                raise RtsepError(f"--web needs {needed}", "pip install 'rtsep[stage]'")
        self._memories = memories
        self._socket = listen(address)
        host, self.port = self._socket.getsockname()[:2]  # what a name has led to
        self.token = make_token(host)
        self.url = page_url(host, self.port, self.token)
        self.notes = [f"mixer page on {self.url}"]
        self.qr: list[str] = []
        if not is_loopback(host):
            self.notes.append(
                "whoever reads this address steers the show: plain HTTP, for a network you trust"
            )
            self.qr = qr_lines(self.url)
        self._settings = WebSettings(session, self.token, self.port).to_json()
        self._deaths: deque[float] = deque(maxlen=MAX_DEATHS)
        self._news: deque[str] = deque(maxlen=MAX_DEATHS)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the keeper
        self._over = threading.Event()
        self._process: subprocess.Popen[str] | None = self._spawn()
        self._thread = threading.Thread(target=self._watch, name="rtsep-web", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """Of the server's process, None when it is given up."""
        process = self._process
        return None if process is None else process.pid

    def take_news(self) -> list[str]:
        """What has happened to the server since the last time."""
        return [self._news.popleft() for _ in range(len(self._news))]

    def _spawn(self) -> "subprocess.Popen[str]":
        self._log.seek(0)
        self._log.truncate()
        return spawn(self._log, MODULE, self._memories, self._settings, [self._socket.fileno()])

    def _watch(self) -> None:
        while not self._over.wait(WATCH_S):
            process = self._process
            if process is None or process.poll() is None:
                continue
            now = time.monotonic()
            self._deaths.append(now)
            if len(self._deaths) == MAX_DEATHS and now - self._deaths[0] < DEATHS_WITHIN_S:
                self._news.append(
                    f"the web page has failed {MAX_DEATHS} times, last with code {process.returncode} "
                    f"{self._last_words()}; the sound goes on"
                )
                self._process = None
                return
            self._news.append(f"the web page's process ended with code {process.returncode}; started again")
            self._process = self._spawn()

    def _last_words(self) -> str:
        self._log.seek(0)
        return " ".join(self._log.read()[-2000:].decode(errors="replace").strip().splitlines()[-1:])

    def close(self) -> None:
        """Ends the server and gives the port back."""
        self._over.set()
        self._thread.join()
        if self._process is not None:
            end(self._process, END_S)
        self._socket.close()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

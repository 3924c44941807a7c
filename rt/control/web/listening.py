"""Where the page is served: the socket, who may come in, and the address as a person takes it to a phone.

Here and in `web_keeper` runs the process that owns the session; it loads nothing of the server.
"""

import io
import ipaddress
import json
import secrets
import socket
from dataclasses import asdict, dataclass
from typing import Self

from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.osc_server import Address, parse_address

TOKEN_BYTES = 16  # nobody guesses 128 bits, and the QR code stays small
BACKLOG = 64
# A documentation address (RFC 5737): asking for the way there sends nothing, and names the card that is used.
ELSEWHERE = ("192.0.2.1", 9)


@dataclass(frozen=True)
class WebSettings:
    """What the server's process is told.

    Attributes:
        session: name under which `rtsep control` finds the session.
        token: who comes in has it; "" on an address that only this machine reaches.
        port: where it listens.
    """

    session: str
    token: str
    port: int

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Self:
        """Back from `to_json`."""
        return cls(**json.loads(line))


def parse_web_address(text: str) -> Address:
    """`[HOST:]PORT` of `--web`; this machine alone where no host is given.

    >>> parse_web_address("8080"), parse_web_address("[::1]:8080")
    (('127.0.0.1', 8080), ('::1', 8080))

    Raises:
        RtsepError: no such address.
    """
    host, port = parse_address(text, "--web")
    return host.removeprefix("[").removesuffix("]"), port


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen(address: Address) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises:
        RtsepError: the address cannot be had.
    """
    host, port = address
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError as error:
        raise RtsepError(
            f"--web {host}:{port} cannot be listened on ({error.strerror or error})", "choose another"
        ) from None
    return listening


def make_token(host: str) -> str:
    """Another one at every start; "" where only this machine gets in."""
    return "" if is_loopback(host) else secrets.token_urlsafe(TOKEN_BYTES)


def page_url(host: str, port: int, token: str) -> str:
    """The address to open, with the token where one is needed."""
    try:
        anywhere = ipaddress.ip_address(host).is_unspecified
    except ValueError:
        anywhere = False
    shown = _own_address(host) if anywhere else host
    shown = f"[{shown}]" if ":" in shown else shown
    return f"http://{shown}:{port}/" + (f"?token={token}" if token else "")


def _own_address(host: str) -> str:
    """The address by which other machines reach this one, or its name where it has none now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    target = ("2001:db8::1", 9) if family == socket.AF_INET6 else ELSEWHERE
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.connect(target)
            return str(asking.getsockname()[0])
    except OSError:
        return socket.gethostname()


def qr_lines(url: str) -> list[str]:
    """A QR code in half blocks, for a terminal; needs segno."""
    import segno

    text = io.StringIO()
    segno.make(url, error="l").terminal(out=text, compact=True)
    return text.getvalue().splitlines()

"""What a user says about rtsep as a JACK client: its name, its connections, and whether it remembers them."""

from dataclasses import dataclass

from rtsep.kernels.errors import RtsepError

DEFAULT_NAME = "rtsep"
LONGEST_NAME = 60  # JACK takes 63 bytes, and makes a name unique by a suffix of three
NO_WIRES = "none"
EXAMPLE = "system:capture_1>in_1; voice-1>system:playback_1"

Wire = tuple[str, str]


@dataclass(frozen=True)
class JackOptions:
    """rtsep as a client of its own.

    Args:
        name: of the client. JACK makes it unique where it is taken.
        connect: connections such as "system:capture_1>in_1; voice-1>system:playback_1": a port of rtsep goes
            by its short name, others by their full one. "none": none. Left out: those remembered, or else the
            physical ports.
        restore: make the connections again that were there when a client of this name ran last.

    Raises:
        RtsepError: a name that JACK does not take, or connections that cannot be read.
    """

    name: str = DEFAULT_NAME
    connect: str | None = None
    restore: bool = True

    def __post_init__(self) -> None:
        size = len(self.name.encode())
        if not 1 <= size <= LONGEST_NAME:
            raise RtsepError(
                f"JACK client name {self.name!r} has {size} bytes, not 1..{LONGEST_NAME}", "shorten it"
            )
        if set(self.name) & set(":/\0") or not self.name.isprintable():
            raise RtsepError(
                f"JACK client name {self.name!r} has a colon, a slash or a control character",
                "use letters, digits, spaces, - and _",
            )
        self.wires()

    def wires(self) -> list[Wire] | None:
        """(source, target) of each connection in `connect`; None where it is left out.

        >>> JackOptions(connect="system:capture_1>in_1; voice-1>system:playback_1").wires()
        [('system:capture_1', 'in_1'), ('voice-1', 'system:playback_1')]
        """
        if self.connect is None:
            return None
        if self.connect.strip() == NO_WIRES:
            return []
        wires = []
        for part in self.connect.split(";"):
            if not part.strip():
                continue
            source, arrow, target = (end.strip() for end in part.partition(">"))
            if not arrow or not source or not target or ">" in target:
                raise RtsepError(
                    f"connection {part.strip()!r} is not of the form source>target", f'write "{EXAMPLE}"'
                )
            if (":" in source) == (":" in target):
                what = "no port" if ":" in source else "two ports"
                raise RtsepError(
                    f"connection {part.strip()!r} names {what} of rtsep",
                    f'write rtsep\'s port without a colon, the other one as client:port, as in "{EXAMPLE}"',
                )
            wires.append((source, target))
        if not wires:
            raise RtsepError(f"{self.connect!r} names no connection", f'write "{EXAMPLE}", or {NO_WIRES}')
        return wires


def wanted_jack(
    name: str | None, connect: str | None, no_restore: bool, driver: str | None
) -> JackOptions | None:
    """What a command line says about the JACK client; None where nothing is.

    Raises:
        RtsepError: a name or connections that cannot be.
    """
    forgets = no_restore and driver == "jack"  # alone it is about the session file
    if name is None and connect is None and not forgets:
        return None
    return JackOptions(DEFAULT_NAME if name is None else name, connect, not no_restore)

"""Lines for people, on a stream that may be full, closed, slow or left, or that cannot show a character.

Whoever reads the messages never decides about the sound: a line that cannot be written ends the messages, and
nothing else.
"""

import contextlib
import io
import os
import re
import select
import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast

from rtsep.rt.audio.descriptors import wait_for, write_whole

EXIT_USER = 2  # what was asked for cannot be had: bad input, a device, a model
EXIT_BROKEN_PIPE = 141  # as a shell reports a command that SIGPIPE ended
STANDARD_STREAMS = (0, 1, 2)


def printable(text: str) -> str:
    r"""One line that every terminal shows: control characters and bytes that are no text become escapes.

    A file's name may hold a line break, an escape sequence that changes the terminal, or bytes that are not
    UTF-8 (Python keeps those as lone surrogates).

    >>> printable("caf\udce9\x1b[2J.wav")
    'caf\\xe9\\x1b[2J.wav'
    """
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def one_line(message: str) -> str:
    """`printable`, and a message that a library has broken into lines is put together."""
    return printable(re.sub(r"\s*\n\s*", " ", message.strip()))


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # byte 0x80..0xFF of a name that is not UTF-8 (PEP 383)
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


class Messages:
    """Writes lines to `stream`; None writes nothing.

    Attributes:
        failure: why nothing more is written, None while all is well.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self.failure: OSError | None = None

    def line(self, text: str) -> None:
        """Writes one line and waits for a slow reader."""
        self._write(text, wait=True)

    def offer(self, text: str) -> None:
        """Writes one line, or leaves it out where the reader is behind: a line that the next one replaces."""
        self._write(text, wait=False)

    def _write(self, text: str, wait: bool) -> None:
        if self._stream is None or self.failure is not None or not (wait or has_room(self._stream)):
            return
        encoding = self._stream.encoding or "utf-8"
        line = printable(text).encode(encoding, "backslashreplace") + b"\n"
        try:
            flush_whole(self._stream)
            if (descriptor := _descriptor(self._stream)) is None:
                self._stream.write(line.decode(encoding))
            else:
                write_whole(descriptor, line)
        except (OSError, ValueError) as error:  # ValueError: the stream is closed
            self.failure = error if isinstance(error, OSError) else OSError(str(error))
            divert(self._stream)


def _descriptor(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError):  # a stream in memory
        return None


def has_room(stream: TextIO) -> bool:
    """Whether a short line can be written without waiting; a file or something unknown always has room."""
    if (descriptor := _descriptor(stream)) is None:
        return True
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(0))


def flush_whole(stream: TextIO) -> None:
    """Flushes a stream, also one that another program has left non-blocking.

    Raises:
        OSError: the stream cannot be written.
    """
    while True:
        try:
            stream.flush()
            return
        except BlockingIOError:
            wait_for(stream.fileno(), select.POLLOUT)


def divert(stream: TextIO) -> None:
    """What is left in a broken stream's buffer goes nowhere: Python would fail on it at its exit."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        pass  # no descriptor behind it: nothing is left


def prepare_streams() -> None:
    """Makes standard streams that any name can be written to and that no other file can take the place of.

    A process that starts with a closed descriptor 1 gives its number to the next file it opens: a stem would
    then be standard output. What the terminal's encoding lacks is written as an escape.
    """
    for descriptor in STANDARD_STREAMS:
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class StdoutError(OSError):
    """Standard output does not take what is printed: no other file has failed."""


class MarkedStdout:
    """Standard output whose errors are `StdoutError`s, so that nobody takes them for another file's.

    A reader that leaves and one that is slow keep their own exceptions.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """As `TextIO.write`."""
        with _marked():
            return self._stream.write(text)

    def flush(self) -> None:
        """As `TextIO.flush`."""
        with _marked():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def _marked() -> Iterator[None]:
    try:
        yield
    except (BlockingIOError, BrokenPipeError):
        raise
    except OSError as error:
        raise StdoutError(error.errno, error.strerror) from error


@contextlib.contextmanager
def marked_stdout() -> Iterator[None]:
    """Inside, `sys.stdout` is a `MarkedStdout`; at the end everything printed is written.

    Raises:
        OSError: a `StdoutError` or BrokenPipeError; what is left of the output goes nowhere.
    """
    stdout = sys.stdout
    if stdout is None:  # closed: Python prints nothing
        yield
        return
    marked = cast(TextIO, MarkedStdout(stdout))
    with contextlib.redirect_stdout(marked):
        try:
            yield
            flush_whole(marked)
        except (StdoutError, BrokenPipeError):
            divert(stdout)
            raise

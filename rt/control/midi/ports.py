"""MIDI ports as they are found: named by a part of their name, in whatever MIDI system this machine has.

Messages are fetched, never handed over in a callback: under JACK that would run Python within the server's
cycle, and every other client would wait for it.
"""

import contextlib
import ctypes
import os
import sys
import time
from dataclasses import dataclass
from typing import Any

from rtsep.rt.control.midi.messages import midi_libraries

CLIENT = "rtsep-midi"
VIRTUAL = "virtual"
QUEUE = 32768  # messages: a flood is kept until the next look, and what is kept is put together
ALSA_SEQUENCER = "/dev/snd/seq"
# A system that shows no port at all may be one whose server has ended: it is entered anew, but seldom.
RENEW_S = 10.0
LISTENS = "00010000"  # a socket's flag in /proc/net/unix


@dataclass
class OpenPort:
    """A controller that is connected.

    Attributes:
        name: of its input port, as the system has it.
        can_be_told: whether it has an output port too.
    """

    name: str
    can_be_told: bool
    system: "MidiSystem"

    def receive(self, most: int) -> list[list[int]]:
        """The messages that have come, as bytes, oldest first, up to `most` of them."""
        messages = []
        for _ in range(most):
            message = self.system.ins.get_message()
            if message is None:
                break
            messages.append(message[0])
        return messages

    def send(self, message: list[int]) -> None:
        """One message, as bytes."""
        self.system.outs.send_message(message)

    def is_there(self) -> bool:
        """Whether the system still knows it."""
        is_known = self.name == VIRTUAL or self.name in self.system.ins.get_ports()
        return is_known and not self.system.has_ended()


class MidiSystem:
    """ALSA, JACK, CoreMIDI or Windows' own, entered as two clients.

    Raises:
        RuntimeError: it is not there.
    """

    def __init__(self, api: int) -> None:
        rtmidi: Any = midi_libraries()[1]
        self.api = api
        if api == rtmidi.API_LINUX_ALSA and not os.path.exists(ALSA_SEQUENCER):
            raise RuntimeError("no ALSA sequencer")  # asking for it would write to standard error
        if api == rtmidi.API_UNIX_JACK:
            _quiet_jack()
        self.ins = rtmidi.MidiIn(api, f"{CLIENT}-in", QUEUE)
        try:
            self.outs = rtmidi.MidiOut(api, f"{CLIENT}-out")
        except BaseException:
            self.ins.delete()
            raise
        self._since = time.monotonic()
        self._is_jack = api == rtmidi.API_UNIX_JACK
        self._server = _jack_server()

    def inputs(self) -> list[str]:
        """Ports that send, but for our own."""
        return [name for name in self.ins.get_ports() if CLIENT not in name]

    def open(self, part: str) -> OpenPort | None:
        """The first port with `part` in its name, None where there is none."""
        inputs, outputs = self.ins.get_ports(), self.outs.get_ports()
        names = [name for name in inputs if matches(part, name) and CLIENT not in name]
        if not names:
            return None
        self.ins.open_port(inputs.index(names[0]), "in")
        told = [name for name in outputs if matches(part, name) and CLIENT not in name]
        if told:
            nearest = max(told, key=lambda name: _client(name) == _client(names[0]))
            self.outs.open_port(outputs.index(nearest), "out")
        return OpenPort(names[0], bool(told), self)

    def open_virtual(self) -> OpenPort:
        """Ports of our own that other programs connect to."""
        self.ins.open_virtual_port("in")
        self.outs.open_virtual_port("out")
        return OpenPort(VIRTUAL, True, self)

    def has_ended(self) -> bool:
        """Whether a JACK server is another one than that which was entered."""
        return self._is_jack and self._server != _jack_server()

    def is_empty(self) -> bool:
        """It has shown no port for long."""
        return time.monotonic() - self._since > RENEW_S and not self.ins.get_ports()

    def close(self) -> None:
        """Leaves the system."""
        for end in (self.ins, self.outs):
            with contextlib.suppress(Exception):
                end.close_port()
            with contextlib.suppress(Exception):
                end.delete()


class MidiSystems:
    """All MIDI systems of this machine, entered when they are needed."""

    def __init__(self) -> None:
        rtmidi: Any = midi_libraries()[1]
        self._apis = [api for api in rtmidi.get_compiled_api() if api != rtmidi.API_RTMIDI_DUMMY]
        self._systems: dict[int, MidiSystem] = {}

    def names(self) -> list[str]:
        """All ports that send."""
        return [name for system in self._entered() for name in system.inputs()]

    def open(self, part: str) -> OpenPort | None:
        """The first port with `part` in its name in any system, or ports of our own for `virtual`."""
        for system in self._entered():
            try:
                port = system.open_virtual() if part == VIRTUAL else system.open(part)
            except Exception:  # whatever the system has against it, and it may not tomorrow
                self.leave(system)
                continue
            if port is not None:
                return port
        return None

    def leave(self, system: MidiSystem) -> None:
        """Closes a system whose port is lost: it is entered anew."""
        system.close()
        self._systems.pop(system.api, None)

    def close(self) -> None:
        """Leaves all."""
        for system in list(self._systems.values()):
            self.leave(system)

    def _entered(self) -> list[MidiSystem]:
        for api in self._apis:
            system = self._systems.get(api)
            if system is not None and (system.has_ended() or system.is_empty()):
                self.leave(system)
                system = None
            if system is None:
                with contextlib.suppress(Exception):
                    self._systems[api] = MidiSystem(api)
        return list(self._systems.values())


def matches(part: str, name: str) -> bool:
    """Whether a port is meant by a part of its name, whatever the case."""
    return part.lower() in name.lower()


def _client(name: str) -> str:
    return name.partition(":")[0]


def _jack_server() -> str | None:
    """The socket that JACK's server listens on, by its number; None where there is none that is known.

    A server that has ended leaves its clients a list of ports that looks as before, so its socket is asked.
    """
    name = f"/jack_{os.environ.get('JACK_DEFAULT_SERVER', 'default')}_{os.getuid()}_0"
    try:
        with open("/proc/net/unix", errors="replace") as sockets:
            rows = [line.split() for line in sockets if line.rstrip().endswith(name)]
    except OSError:
        return None
    return next((row[6] for row in rows if row[3] == LISTENS), None)


def _quiet_jack() -> None:
    """No lines on standard error for a server that does not run: rtmidi brings a libjack of its own.

    What takes the messages is a C function that only reads them: Python in JACK's threads would wait for the
    interpreter's lock, and the server for them.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError):
        with open("/proc/self/maps") as maps:
            libraries = {line.split(maxsplit=5)[5].strip() for line in maps if "libjack" in line}
        reads_only = ctypes.cast(ctypes.CDLL(None).strlen, ctypes.c_void_p)
        for library in libraries:
            if "python_rtmidi" in library:
                jack = ctypes.CDLL(library)
                jack.jack_set_error_function(reads_only)
                jack.jack_set_info_function(reads_only)

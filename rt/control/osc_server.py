"""Steering by Open Sound Control over UDP: a parameter `voice-1.gain` is the address `/rtsep/voice-1/gain`.

A thread of the process that owns the session, never of the engine: what arrives here costs the sound nothing.
"""

import contextlib
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Self

from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.osc_packet import OscPacket

from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.command_model import CommandModel
from rtsep.rt.control.parameters import Parameter
from rtsep.rt.process.peaks import PeakKeeper

ROOT = "/rtsep"
LARGEST_PACKET = 65536
POLL_S = 0.02
# A subscription is renewed within it, as mixing desks have it: a phone that is gone costs nothing.
LEASE_S = 10.0
HIGHEST_RATE_HZ, SUBSCRIBERS = 50.0, 16
METERS = ("peak_db", "rms_db", "input_peak_db", "output_peak_db", "f0_hz")  # of the status, as lists

Address = tuple[str, int]


def parse_address(text: str, option: str) -> Address:
    """`[HOST:]PORT`; the host is this machine where left out.

    Raises:
        RtsepError: no such address.
    """
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdecimal() and int(port) < 65536):
        raise RtsepError(
            f"{option} {text!r} is no port", f"write e.g. {option} 9000 or {option} 0.0.0.0:9000"
        )
    return host or "127.0.0.1", int(port)


def require_free(address: Address) -> None:
    """Raises RtsepError where nothing could listen."""
    _bound(address).close()


def _bound(address: Address) -> socket.socket:
    taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        taken.bind(address)
    except OSError as error:
        taken.close()
        raise RtsepError(
            f"--osc {address[0]}:{address[1]} cannot be listened on ({error.strerror})", "choose another port"
        ) from None
    return taken


@dataclass
class Subscriber:
    """Who hears values and meters: every `period_s` until `ends_at`, both of the clock that only goes on."""

    period_s: float
    ends_at: float
    next_at: float = 0.0
    sent: dict[str, float] = field(default_factory=dict)
    peaks: PeakKeeper = field(default_factory=PeakKeeper)


class OscServer:
    """Answers until it is closed.

    Messages: `/rtsep/STEM/gain VALUE` sets, without a value it answers with the same address and the value;
    `/rtsep/list` answers `/rtsep/parameter name unit minimum maximum default value` for each;
    `/rtsep/subscribe RATE` sends changed values and `/rtsep/meter/...` RATE times a second, for 10 s;
    `/rtsep/do/mark TEXT` and the like run commands. What cannot be done is answered with
    `/rtsep/error TEXT`.

    Args:
        model: what is steered.
        address: host and port to listen on; port 0 takes a free one.

    Attributes:
        address: where it listens.
        malformed: packets that were no OSC; refused: messages answered with an error; accepted: the others.

    Raises:
        RtsepError: the address cannot be had.
    """

    def __init__(self, model: CommandModel, address: Address) -> None:
        self._model = model
        self.malformed = self.refused = self.accepted = 0
        self._subscribers: dict[Address, Subscriber] = {}
        self._look_at = 0.0  # not at every packet of a flood
        self._parameters: tuple[Parameter, ...] = ()
        self._names: dict[str, str] = {}
        self._socket = _bound(address)
        self._socket.settimeout(POLL_S)
        self.address: Address = self._socket.getsockname()
        self._ended = threading.Event()
        self._news: list[str] = []
        self._told = ""
        self._thread = threading.Thread(target=self._run, name="osc", daemon=True)
        self._thread.start()

    def take_news(self) -> list[str]:
        """What has gone wrong since the last time; a thread that died is started again."""
        if not self._thread.is_alive() and not self._ended.is_set():
            self._news.append("the OSC thread had died: it is started again")
            self._thread = threading.Thread(target=self._run, name="osc", daemon=True)
            self._thread.start()
        news, self._news = self._news, []
        return news

    def close(self) -> None:
        """Ends it."""
        self._ended.set()
        self._thread.join()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                with contextlib.suppress(TimeoutError, ConnectionError):
                    packet, sender = self._socket.recvfrom(LARGEST_PACKET)
                    self._take(packet, sender)
                self._feed_subscribers()
            except Exception as error:  # a status that cannot be had takes no fader away
                words = f"OSC: {type(error).__name__} {error}"
                if words != self._told:  # not at every message of a flood
                    self._news.append(words)
                    self._told = words

    def _take(self, packet: bytes, sender: Address) -> None:
        try:
            messages = [timed.message for timed in OscPacket(packet).messages]
        except Exception:  # whatever the parser meets in bytes that are no OSC
            self.malformed += 1
            return
        for message in messages:
            try:
                self._obey(message.address, list(message.params), sender)
                self.accepted += 1
            except Exception as error:  # whatever a session raises: who asked hears of it
                self.refused += 1
                self._send(sender, f"{ROOT}/error", [str(error)])

    def _obey(self, address: str, values: list[Any], sender: Address) -> None:
        if self._model.parameters is not self._parameters:  # at the start, and when stems have come or gone
            self._parameters = self._model.parameters
            self._names = {_osc_address(p.name): p.name for p in self._parameters}
        if address in self._names:
            name = self._names[address]
            if values:
                self._model.set(name, values[0] if len(values) == 1 else values)
            else:
                self._send(sender, address, [self._model.get(name)])
        elif address == f"{ROOT}/list":
            now = self._model.values()
            for p in self._model.parameters:
                facts = [p.name, p.unit, p.minimum, p.maximum, p.default, now[p.name]]
                self._send(sender, f"{ROOT}/parameter", facts)
        elif address == f"{ROOT}/subscribe":
            self._subscribe(values, sender)
        elif address.startswith(f"{ROOT}/do/"):
            answer = self._model.do(address.removeprefix(f"{ROOT}/do/"), " ".join(map(str, values)))
            self._send(sender, address, [] if answer is None else [str(answer)])
        else:
            raise RtsepError(f"there is no address {address}", f"send {ROOT}/list to see what there is")

    def _subscribe(self, values: list[Any], sender: Address) -> None:
        rate = values[0] if values else 10.0
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= HIGHEST_RATE_HZ:
            raise RtsepError(f"a rate of {rate!r} Hz is outside 0..{HIGHEST_RATE_HZ:g}", "choose one within")
        if rate == 0:
            self._subscribers.pop(sender, None)
            return
        if sender not in self._subscribers and len(self._subscribers) >= SUBSCRIBERS:
            raise RtsepError(f"{SUBSCRIBERS} subscribers are the most there can be", "end one of them")
        self._subscribers[sender] = Subscriber(1.0 / rate, time.monotonic() + LEASE_S)

    def _feed_subscribers(self) -> None:
        now = time.monotonic()
        if not self._subscribers or now < self._look_at:
            return
        self._look_at = now + POLL_S
        status = self._model.status()
        for sender, subscriber in list(self._subscribers.items()):
            subscriber.peaks.add(status)
            if now >= subscriber.ends_at:
                del self._subscribers[sender]
            elif now >= subscriber.next_at:
                subscriber.next_at = now + subscriber.period_s
                values = self._model.values()
                for name, value in values.items():
                    if subscriber.sent.get(name) != value:
                        self._send(sender, _osc_address(name), [value])
                subscriber.sent = values
                levels = status | subscriber.peaks.take()
                for meter in METERS:
                    numbers = [float(v) for v in levels.get(meter, ()) if v is not None]
                    self._send(sender, f"{ROOT}/meter/{meter}", numbers)

    def _send(self, to: Address, address: str, values: list[Any]) -> None:
        builder = OscMessageBuilder(address)
        for value in values:
            builder.add_arg(value)
        with contextlib.suppress(OSError):  # who asked is gone
            self._socket.sendto(builder.build().dgram, to)


def _osc_address(name: str) -> str:
    return f"{ROOT}/{name.replace('.', '/')}"

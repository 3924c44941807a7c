"""From MIDI messages to what moved on a controller, and back."""

from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, NamedTuple

from rtsep.kernels.errors import RtsepError

Kind = Literal["cc", "cc14", "nrpn", "bend", "note", "program"]
BITS: dict[Kind, int] = {"cc": 7, "cc14": 14, "nrpn": 14, "bend": 14, "note": 7, "program": 7}
BUTTONS: tuple[Kind, ...] = ("note", "program")  # what is pressed; all others stand somewhere
# the highest of all NRPN means none
HIGHEST: dict[Kind, int] = {"cc": 127, "cc14": 31, "nrpn": 16382, "bend": 0, "note": 127, "program": 127}
FINE_OFFSET = 32  # controls 32..63 are the low seven bits of 0..31
DATA, DATA_FINE, NRPN_FINE, NRPN, RPN_FINE, RPN = 6, 38, 98, 99, 100, 101
NRPN_NONE = 16383
CENTRE_OF_BEND = 8192  # mido counts from the centre
LONGEST_MESSAGE = 3  # bytes; system exclusive messages are not for us


def midi_libraries() -> tuple[ModuleType, ModuleType]:
    """mido, and rtmidi.

    Raises:
        RtsepError: they are not installed.
    """
    try:
        import mido
        import rtmidi
    except ImportError:
        raise RtsepError("--midi needs mido and python-rtmidi", "pip install 'rtsep[stage]'") from None
    return mido, rtmidi


class Address(NamedTuple):
    """A fader, knob or button as MIDI names it: kind, channel 1..16, number (0 of a pitch bend)."""

    kind: Kind
    channel: int
    number: int

    def __str__(self) -> str:
        words = {"cc": "control change", "cc14": "14 bit control change", "nrpn": "NRPN"}
        what = {"bend": "pitch bend"}.get(self.kind) or f"{words.get(self.kind, self.kind)} {self.number}"
        return f"{what} on channel {self.channel}"


@dataclass(frozen=True)
class Move:
    """What happened on a controller.

    Attributes:
        raw: 0..127 or 0..16383; the velocity of a note, 127 of a program.
        pressed: a button went down; a fader or knob stands in its upper half.
    """

    address: Address
    raw: int
    pressed: bool

    @property
    def way(self) -> float:
        """Where on its way the fader stands, 0..1."""
        return way_of(self.raw, BITS[self.address.kind])


def way_of(raw: int, bits: int) -> float:
    """Share of the way, 0..1; the middle value is exactly half, as MIDI 2.0 scales: pans have a centre."""
    centre = 1 << (bits - 1)
    return raw / (2 * centre) if raw <= centre else 0.5 + (raw - centre) / (2 * (centre - 1))


def raw_of(way: float, bits: int) -> int:
    """The value nearest to a share of the way."""
    centre = 1 << (bits - 1)
    return round(way * 2 * centre) if way <= 0.5 else centre + round((way - 0.5) * 2 * (centre - 1))


class Decoder:
    """Puts together what comes in several messages: 14 bit controls and NRPN; keeps a state per channel."""

    def __init__(self) -> None:
        self._mido: Any = midi_libraries()[0]
        self._coarse: dict[tuple[int, int], int] = {}  # channel and control: last high seven bits
        self._nrpn: dict[int, int] = {}  # channel: number that data belongs to

    def moves(self, data: list[int]) -> list[Move]:
        """Of one message's bytes; a control may be several things, and the map takes the right one."""
        if not 2 <= len(data) <= LONGEST_MESSAGE:
            return []
        try:
            message = self._mido.Message.from_bytes(data)
        except (ValueError, LookupError):  # broken bytes of a loose cable
            return []
        if message.type == "control_change":
            return self._control(message.channel + 1, message.control, message.value)
        if message.type in ("note_on", "note_off"):
            velocity = message.velocity if message.type == "note_on" else 0
            return [Move(Address("note", message.channel + 1, message.note), velocity, velocity > 0)]
        if message.type == "pitchwheel":
            raw = message.pitch + CENTRE_OF_BEND
            return [Move(Address("bend", message.channel + 1, 0), raw, raw >= CENTRE_OF_BEND)]
        if message.type == "program_change":
            return [Move(Address("program", message.channel + 1, message.program), 127, True)]
        return []

    def _control(self, channel: int, control: int, value: int) -> list[Move]:
        found = [Move(Address("cc", channel, control), value, value >= 64)]
        if control < FINE_OFFSET:
            self._coarse[channel, control] = value
            found.append(_fine(Address("cc14", channel, control), value << 7))
        elif control < 2 * FINE_OFFSET and (channel, control - FINE_OFFSET) in self._coarse:
            high = self._coarse[channel, control - FINE_OFFSET] << 7
            found.append(_fine(Address("cc14", channel, control - FINE_OFFSET), high | value))
        number = self._nrpn.get(channel, NRPN_NONE)
        if control == NRPN:
            self._nrpn[channel] = (value << 7) | (number & 127)
        elif control == NRPN_FINE:
            self._nrpn[channel] = (number & ~127) | value
        elif control in (RPN, RPN_FINE):  # data that follow are another parameter's
            self._nrpn[channel] = NRPN_NONE
        elif control == DATA and number != NRPN_NONE:
            found.append(_fine(Address("nrpn", channel, number), value << 7))
        elif control == DATA_FINE and number != NRPN_NONE and (channel, DATA) in self._coarse:
            found.append(_fine(Address("nrpn", channel, number), (self._coarse[channel, DATA] << 7) | value))
        return found


def _fine(address: Address, raw: int) -> Move:
    return Move(address, raw, raw >= CENTRE_OF_BEND)


def encode(address: Address, raw: int) -> list[list[int]]:
    """The messages, each as bytes, that put a fader or a light there; none for a program."""
    channel = address.channel - 1

    def control(number: int, value: int) -> list[int]:
        return [0xB0 | channel, number, value]

    high, low = raw >> 7, raw & 127
    match address.kind:
        case "cc":
            return [control(address.number, raw)]
        case "cc14":
            return [control(address.number, high), control(address.number + FINE_OFFSET, low)]
        case "nrpn":
            number = [control(NRPN, address.number >> 7), control(NRPN_FINE, address.number & 127)]
            return [*number, control(DATA, high), control(DATA_FINE, low)]
        case "bend":
            return [[0xE0 | channel, low, high]]
        case "note":
            return [[0x90 | channel, address.number, raw]]
    return []

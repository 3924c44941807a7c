"""Which control was meant: what moves within a moment after it was asked for."""

from collections import Counter
from dataclasses import dataclass, field

from rtsep.rt.control.midi.binding import Encoding
from rtsep.rt.control.midi.encoders import encoding_of, is_encoder
from rtsep.rt.control.midi.messages import DATA, DATA_FINE, FINE_OFFSET, NRPN, NRPN_FINE, Address, Kind, Move

# From the first message on: a fader with a fine half, or one that tells of a touch first, has said all.
LISTEN_S = 0.4
BOTH_SIDES_S = 4.0  # an endless knob is known when it was turned to both
PATIENCE_S = 60.0  # to walk over to the controller
FADER_ORDER: tuple[Kind, ...] = ("nrpn", "bend", "cc14", "cc", "note", "program")
BUTTON_ORDER: tuple[Kind, ...] = ("note", "program", "cc", "nrpn", "bend", "cc14")


@dataclass
class Learner:
    """Waits for the control of one target.

    Attributes:
        target, is_action: what is to be moved.
        is_switch: it is on or off, or an action: a button is expected.
        asked_at: seconds of the clock that only goes on.
        last: how everything that has moved stood at the end.
    """

    target: str
    is_action: bool
    is_switch: bool
    asked_at: float
    last: dict[Address, Move] = field(default_factory=dict)
    _first_at: float | None = None
    _seen: Counter[Address] = field(default_factory=Counter)
    _raws: dict[Address, list[int]] = field(default_factory=dict)

    def add(self, move: Move, at_s: float) -> None:
        """Something moved."""
        if self._first_at is None:
            if move.address.kind == "note" and not move.pressed:
                return  # a finger that leaves what it touched before
            self._first_at = at_s
        self._seen[move.address] += 1
        self._raws.setdefault(move.address, []).append(move.raw)
        self.last[move.address] = move

    def is_late(self, at_s: float) -> bool:
        """Nobody has moved anything."""
        return self._first_at is None and at_s - self.asked_at > PATIENCE_S

    def found(self, at_s: float) -> Address | None:
        """The control that moved most, of the kind that says most; None while it is not certain."""
        if self._first_at is None or at_s - self._first_at < LISTEN_S:
            return None
        seen = {address: count for address, count in self._seen.items() if self._is_one(address)}
        order = BUTTON_ORDER if self.is_switch else FADER_ORDER
        address = min(seen, key=lambda address: (order.index(address.kind), -seen[address]))
        waits = at_s - self._first_at < BOTH_SIDES_S
        return None if waits and self.turns(address) and self.encoding(address) is None else address

    def turns(self, address: Address) -> bool:
        """Whether a control is an endless knob."""
        return address.kind == "cc" and not self.is_switch and is_encoder(self._raws[address])

    def encoding(self, address: Address) -> Encoding | None:
        """Of an endless knob; None for a fader, and while it was not turned to both sides."""
        return encoding_of(self._raws[address]) if self.turns(address) else None

    def _is_one(self, address: Address) -> bool:
        """Not a half of something: a 14 bit control moves in both halves, an NRPN's number is none itself."""
        kind, channel, number = address
        if kind == "cc14":
            return Address("cc", channel, number) in self._seen and (
                Address("cc", channel, number + FINE_OFFSET) in self._seen
            )
        is_part = kind == "cc" and number in (DATA, DATA_FINE, NRPN, NRPN_FINE)
        return not (is_part and any(of.kind == "nrpn" and of.channel == channel for of in self._seen))

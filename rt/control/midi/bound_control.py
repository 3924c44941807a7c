"""One control of a controller at work: what its moves set, and what it is told when a value changes."""

from collections.abc import Sequence

from rtsep.rt.control.midi.binding import Binding
from rtsep.rt.control.midi.encoders import STEPS, ticks
from rtsep.rt.control.midi.fader_law import FaderLaw
from rtsep.rt.control.midi.messages import BITS, BUTTONS, Move, encode, raw_of
from rtsep.rt.control.parameters import Parameter

# A fader that stands this near to the value has it: two steps of seven bits.
NEAR = 2.0 / 127
# A hand that has not moved a fader for so long has let go, and its motor may run; a button's light is sooner.
HAND_S, BUTTON_S = 0.5, 0.05


class BoundControl:
    """A parameter under a control.

    Args:
        binding: of a parameter.
        parameter: what it moves.
        told: whether the controller can be told anything: one that cannot has no motor either.
    """

    def __init__(self, binding: Binding, parameter: Parameter, told: bool) -> None:
        self.binding, self.parameter = binding, parameter
        span = binding.span or (None, None)
        self._law = FaderLaw(parameter, span[0], span[1], binding.curve == "linear")
        self.mode = binding.button_mode(parameter.unit == "on/off")
        self._told = told and binding.feedback and binding.encoder is None  # it stands nowhere
        self._picks_up = binding.picks_up(told)
        self._bits = BITS[binding.address.kind]
        low, high = (parameter.minimum, parameter.maximum) if binding.span is None else binding.span
        self._low, self._high = float(low), float(high)
        self._held: float | None = (
            None  # the value this control has set: it still has it while it is in force
        )
        self._at: float | None = None  # where it stands, as far as it has said
        self._down = False
        self._moved_at = 0.0
        self._shown: float | None = None  # what the controller shows
        self._sent: int | None = None

    def take(self, move: Move, now: float, at_s: float, first: Move | None = None) -> float | None:
        """What a move sets.

        Args:
            move: of this control.
            now: the parameter's value.
            at_s: on the clock that only goes on.
            first: of several that have come since the last look, where `move` is the last of them.

        Returns:
            The new value, None where there is none.
        """
        self._moved_at = at_s
        if self.mode is not None:
            value = self._pressed(move, now)
            self._shown = None  # many put their light out when they are let go
        else:
            value = self._stands(move, now, first or move)
            self._shown = self._shown if value is None else value
        self._held = self._held if value is None else value
        return value

    def turn(self, raws: Sequence[int], now: float, at_s: float) -> float | None:
        """What turns of an endless knob set: from where the value is, as far as it was turned.

        Args:
            raws: of its messages, in order.
            now, at_s: as for `take`.
        """
        assert self.binding.encoder is not None
        self._moved_at = at_s
        # where the value is would lose ticks between "off" and the lowest level, which are one value
        at = self._at if self._at is not None and now == self._held else self._law.way(now)
        turned = sum(ticks(raw, self.binding.encoder) for raw in raws)
        self._at = min(1.0, max(0.0, at + turned / STEPS))
        self._held = self._law.value(self._at)
        return self._held

    def stand(self, move: Move) -> None:
        """It is known where it stands, and nothing follows it for that."""
        if self.binding.encoder is None:
            self._at = move.way

    def _pressed(self, move: Move, now: float) -> float | None:
        was, self._down = self._down, move.pressed
        if self.mode == "momentary":
            return self._high if move.pressed else self._low
        if not move.pressed or (was and move.address.kind not in BUTTONS):
            return None
        return self._low if now == self._high else self._high

    def _stands(self, move: Move, now: float, first: Move) -> float | None:
        ways = (first.way if self._at is None else self._at, first.way, move.way)
        self._at = move.way
        if move.raw == self._sent and self._shown == now:
            return None  # an echo, or a motor that has come to where it was sent
        if self._picks_up and now != self._held:
            wanted = self._law.way(now)
            if not min(ways) - NEAR <= wanted <= max(ways) + NEAR:
                return None
        return self._law.value(move.way)

    def news(self, now: float, at_s: float) -> list[list[int]]:
        """Messages that bring the controller to a value that it does not show; none while a hand is on it."""
        if not self._told or now == self._shown:
            return []
        if at_s - self._moved_at < (HAND_S if self.mode is None else BUTTON_S):
            return []
        self._shown = now
        if self.mode is None:
            raw = raw_of(self._law.way(now), self._bits)
        else:
            raw = raw_of(1.0, self._bits) if now == self._high else 0
        self._sent = raw
        return encode(self.binding.address, raw)

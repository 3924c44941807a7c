"""What a fader, knob or button of a controller does: one entry of a map."""

from dataclasses import dataclass
from typing import Literal

from rtsep.rt.control.midi.messages import BUTTONS, Address

Mode = Literal["toggle", "momentary"]
Curve = Literal["desk", "linear"]
Encoding = Literal["twos-complement", "signed-bit", "offset-64"]


@dataclass(frozen=True)
class Binding:
    """One control of a controller and what it moves.

    Attributes:
        target: a parameter, or an action and its words such as `mark verse`.
        is_action: which of the two.
        address: the control.
        span: values at the ends of its way, or of a button off and on; None for the parameter's range.
        curve: "linear" for no mixing desk's scale.
        mode: of a button: "toggle" changes at every press, "momentary" holds as long as it is pressed;
            None for what stands somewhere.
        pick_up: the value follows only once the control has passed it, so that no level jumps. None: except
            for pitch bend, which is the language of faders with motors.
        feedback: the controller is told when the value changes elsewhere.
        encoder: how an endless knob says how far it was turned; None for what stands somewhere.
    """

    target: str
    is_action: bool
    address: Address
    span: tuple[float, float] | None = None
    curve: Curve | None = None
    mode: Mode | None = None
    pick_up: bool | None = None
    feedback: bool = True
    encoder: Encoding | None = None

    def picks_up(self, told: bool) -> bool:
        """Whether the value waits for the control to pass it; `told`: the controller can be told anything."""
        return (self.address.kind != "bend" or not told) if self.pick_up is None else self.pick_up

    def button_mode(self, is_switch: bool) -> Mode | None:
        """How it acts as a button; None for what stands somewhere."""
        if self.mode is None and (is_switch or self.address.kind in BUTTONS):
            return "toggle"
        return self.mode

    def as_toml(self) -> str:
        """The inline table that `read_map` reads."""
        kind, channel, number = self.address
        entries = [f"{kind} = {'true' if kind == 'bend' else number}", f"channel = {channel}"]
        if self.span is not None:
            entries.append(f"range = [{self.span[0]}, {self.span[1]}]")
        entries += [f'{key} = "{word}"' for key, word in (("curve", self.curve), ("mode", self.mode)) if word]
        if self.encoder is not None:
            entries.append(f'encoder = "{self.encoder}"')
        if self.pick_up is not None:
            entries.append(f"pick-up = {str(self.pick_up).lower()}")
        if not self.feedback:
            entries.append("feedback = false")
        return "{ " + ", ".join(entries) + " }"

"""A map in force: which controls move what in this session, learnt and forgotten while it runs."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from rtsep.kernels.errors import RtsepError
from rtsep.rt.control.command_model import CommandModel
from rtsep.rt.control.midi.binding import Binding
from rtsep.rt.control.midi.bound_control import BoundControl
from rtsep.rt.control.midi.learner import Learner
from rtsep.rt.control.midi.map_file import read_map, save_target
from rtsep.rt.control.midi.messages import BUTTONS, Address, Move


class DeskMap:
    """Takes moves and says what a controller is told.

    Args:
        model: what is steered.
        path: of the map's file.

    Raises:
        RtsepError: a file that cannot be used.
    """

    def __init__(self, model: CommandModel, path: Path) -> None:
        self._model, self._path = model, path
        self._actions = model.actions
        self._listed = model.parameters
        self._parameters = {p.name: p for p in self._listed}
        found = read_map(path, self._listed, self._actions)
        self._others = found.others
        self._bindings = list(found.bindings)
        self.begin(False)

    def follow(self) -> list[str]:
        """Where stems have come or gone: controls of those that are there move them, those of others rest.

        Returns:
            What the user should know.
        """
        listed = self._model.parameters
        if listed is self._listed:
            return []
        self._listed, self._parameters = listed, {p.name: p for p in listed}
        try:
            found = read_map(self._path, listed, self._actions)
            read, self._others = list(found.bindings), found.others
        except RtsepError as error:  # somebody has edited it meanwhile
            read, told = [], [f"MIDI: {error}"]
        else:
            told = []
        mine = {(b.target, b.is_action) for b in self._bindings}
        new = [b for b in read if (b.target, b.is_action) not in mine]
        self._bindings += [b for b in new if b.address not in {own.address for own in self._bindings}]
        self.begin(self._told)
        return told

    def notes(self) -> list[str]:
        """What the user should know at the start."""
        if not self._others:
            return []
        return [f"{self._path}: not in this session, and left alone: {', '.join(self._others)}"]

    def begin(self, told: bool) -> None:
        """A controller has come; `told` is whether it can be told anything."""
        self._told, self._turn = told, 0
        self._down: set[Address] = set()  # buttons of actions
        self._controls: dict[Address, list[BoundControl]] = {}
        self._buttons: dict[Address, list[tuple[str, str]]] = {}
        for binding in self._bindings:
            self._wire(binding)

    def _wire(self, binding: Binding) -> None:
        if not binding.is_action and binding.target not in self._parameters:
            return  # of a stem that has gone; it may come back
        if binding.is_action:
            action, _, words = binding.target.partition(" ")
            self._buttons.setdefault(binding.address, []).append((action, words))
        else:
            control = BoundControl(binding, self._parameters[binding.target], self._told)
            self._controls.setdefault(binding.address, []).append(control)

    def take(self, moves: Iterable[Move], at_s: float) -> list[str]:
        """Sets what moves mean, all of it at one moment; of many moves of a fader the last counts.

        Returns:
            What was refused, in words.
        """
        first: dict[Address, Move] = {}
        last: dict[Address, Move] = {}
        turns: dict[Address, list[int]] = {}
        presses = []
        for move in moves:
            if any(c.binding.encoder for c in self._controls.get(move.address, ())):
                turns.setdefault(move.address, []).append(move.raw)
            elif move.address in self._controls and self._stands(move.address):
                last[move.address] = move
                first.setdefault(move.address, move)
            elif move.address in self._controls or move.address in self._buttons:
                presses.append(move)
        if not (last or presses or turns):
            return []
        now = self._model.values()
        values: dict[str, object] = {}
        refused = []
        for address, raws in turns.items():
            for control in self._controls[address]:
                name = control.parameter.name
                if control.binding.encoder and (value := control.turn(raws, now[name], at_s)) is not None:
                    values[name] = now[name] = value
        for move in [*last.values(), *presses]:
            for control in self._controls.get(move.address, ()):
                name = control.parameter.name
                value = control.take(move, now[name], at_s, first.get(move.address))
                if value is not None:
                    values[name] = now[name] = value
            for action, words in self._buttons.get(move.address, ()) if self._goes_down(move) else ():
                try:
                    self._model.do(action, words)
                except RtsepError as error:
                    refused.append(f"MIDI: {error}")
        if values:
            self._model.update(values)
        return refused

    def _stands(self, address: Address) -> bool:
        """Whether all that a control moves follows where it stands."""
        return all(c.mode is None for c in self._controls[address]) and address not in self._buttons

    def _goes_down(self, move: Move) -> bool:
        was = move.address in self._down
        (self._down.add if move.pressed else self._down.discard)(move.address)
        return move.pressed and (not was or move.address.kind in BUTTONS)

    def news(self, values: Mapping[str, float], at_s: float, most: int) -> list[list[int]]:
        """Messages, as bytes, for up to `most` controls that do not show what is: of one after the other."""
        controls = [control for of_address in self._controls.values() for control in of_address]
        messages, told = [], 0
        for turn in range(len(controls)):
            control = controls[(self._turn + turn) % len(controls)]
            news = control.news(values[control.parameter.name], at_s)
            messages += news
            told += bool(news)
            if told == most:
                self._turn += turn + 1
                break
        return messages

    def look_up(self, target: str) -> tuple[bool, bool]:
        """Whether a target is an action, and whether a button is what it wants.

        Raises:
            RtsepError: there is nothing of that name.
        """
        if target.split(" ")[0] in self._actions:
            return True, True
        self._model.get(target)
        return False, self._parameters[target].unit == "on/off"

    def learn(self, learner: Learner, address: Address) -> list[str]:
        """Binds a control, takes it from what it moved before, and keeps it in the file.

        Returns:
            What has happened, in words.

        Raises:
            RtsepError: an endless knob that was turned to one side alone: nothing has changed. Or the file
                cannot be written: it is in force all the same.
        """
        if learner.turns(address) and learner.encoding(address) is None:
            raise RtsepError(
                f"{address} is an endless knob that was turned to one side",
                f"say midi learn {learner.target} again and turn it to both",
            )
        before = [binding for binding in self._bindings if binding.address == address]
        mine = [b for b in self._bindings if (b.target, b.is_action) == (learner.target, learner.is_action)]
        self._bindings = [b for b in self._bindings if b not in before and b not in mine]
        encoder = learner.encoding(address)
        kept = replace(mine[0], address=address) if mine and _alike(mine[0].address, address) else None
        kept = kept or Binding(learner.target, learner.is_action, address)
        if encoder is not None:
            kept = replace(kept, encoder=encoder, mode=None, pick_up=None)
        self._bindings.append(replace(kept, encoder=encoder))
        self.begin(self._told)
        for control in self._controls.get(address, ()):
            control.stand(learner.last[address])
        left = sorted({b.target for b in before} - {learner.target})
        words = f"MIDI: {learner.target} follows {address}"
        words += f", an endless knob ({encoder})" if encoder else ""
        words += f"; {' and '.join(left)} no longer" if left else ""
        for target, is_action in {(b.target, b.is_action) for b in before} | {
            (learner.target, learner.is_action)
        }:
            self._save(target, is_action)
        return [f"{words}; kept in {self._path}"]

    def forget(self, target: str) -> int:
        """Takes away what moves a target; how many controls that were.

        Raises:
            RtsepError: none did, or the file cannot be written.
        """
        gone = [binding for binding in self._bindings if binding.target == target]
        if not gone:
            self.look_up(target)
            raise RtsepError(f"{target} follows no control", "see rtsep control midi list")
        self._bindings = [binding for binding in self._bindings if binding.target != target]
        self.begin(self._told)
        for is_action in {binding.is_action for binding in gone}:
            self._save(target, is_action)
        return len(gone)

    def _save(self, target: str, is_action: bool) -> None:
        bindings = [b for b in self._bindings if (b.target, b.is_action) == (target, is_action)]
        save_target(self._path, target, is_action, bindings)

    def lines(self) -> list[str]:
        """One for each control."""
        return [f"{binding.target:24} {binding.address}" for binding in self._bindings]


def _alike(one: Address, other: Address) -> bool:
    """Whether range, curve and mode mean the same on both."""
    return (one.kind in BUTTONS) == (other.kind in BUTTONS)

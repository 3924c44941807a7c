"""The file that says which control of a controller moves what: read with every fault named, written whole."""

import json
import math
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from rtsep.kernels.errors import RtsepError
from rtsep.rt.audio.disk_errors import reason, remedy
from rtsep.rt.audio.part_file import place
from rtsep.rt.control.midi.binding import Binding, Encoding
from rtsep.rt.control.midi.messages import HIGHEST, Address
from rtsep.rt.control.parameters import Parameter

PARAMETERS, ACTIONS = "parameters", "actions"
CHANNELS = 16
OF_BINDING = ("channel", "range", "curve", "mode", "pick-up", "feedback", "encoder")
WORDS: dict[str, tuple[str, ...]] = {
    "curve": ("desk", "linear"),
    "mode": ("toggle", "momentary"),
    "encoder": get_args(Encoding),
}
LARGEST_FILE = 1 << 20  # bytes; a map of every control of a large desk has a tenth of it


class MapRefused(RtsepError):  # noqa: N818 - says what happened, as the house's errors do
    """A map with faults.

    Attributes:
        faults: one line for each, with file and key.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        super().__init__(self.faults[0] + more, "mend the map, or start without --midi-map")

    def __reduce__(self) -> tuple[type["MapRefused"], tuple[tuple[str, ...]]]:  # type: ignore[override]
        """Whole, as the house's errors are."""
        return type(self), (self.faults,)


@dataclass(frozen=True)
class MidiMap:
    """What a map says.

    Attributes:
        bindings: of this session's parameters and actions.
        others: names of stems that this session does not have; they stay in the file.
    """

    bindings: tuple[Binding, ...] = ()
    others: tuple[str, ...] = ()


def read_map(path: Path, parameters: Sequence[Parameter], actions: Sequence[str]) -> MidiMap:
    """A map; an empty one where there is no file yet.

    Args:
        path: of the file.
        parameters, actions: what the session has.

    Raises:
        MapRefused: what is in the file cannot be used.
        RtsepError: the file cannot be read.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        return MidiMap()
    except OSError as error:
        raise RtsepError(f"{path}: {reason(error)}", remedy(error)) from None
    if len(content) > LARGEST_FILE:
        raise MapRefused([f"{path}: more than {LARGEST_FILE} bytes"])
    try:
        return parse_map(content.decode(), str(path), parameters, actions)
    except UnicodeDecodeError:
        raise MapRefused([f"{path}: no UTF-8 text"]) from None


def parse_map(text: str, name: str, parameters: Sequence[Parameter], actions: Sequence[str]) -> MidiMap:
    """As `read_map`, from the text of the file `name`."""
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise MapRefused([f"{name}: {error}"]) from None
    known = {p.name: p for p in parameters}
    ends = {p.name.rpartition(".")[2] for p in parameters if "." in p.name}
    faults, bindings, others = [], [], []
    for key in content:
        if key not in (PARAMETERS, ACTIONS):
            faults.append(f"{name}: {key}: there is no such table, write [{PARAMETERS}] or [{ACTIONS}]")
        elif not isinstance(content[key], dict):
            faults.append(f"{name}: {key}: is no table")
    for table in (PARAMETERS, ACTIONS):
        entries = content.get(table, {})
        for target, values in entries.items() if isinstance(entries, dict) else ():
            is_action = table == ACTIONS
            stem, _, end = target.rpartition(".")
            if is_action and target.split(" ")[0] not in actions:
                faults.append(f"{name}: {target}: there is no such action, choose {' or '.join(actions)}")
                continue
            if not is_action and target not in known:
                if stem and (end in ends or re.fullmatch(r"to-\d+", end)):
                    others.append(target)  # another number of voices, another model: the map serves both
                else:
                    faults.append(f"{name}: {target}: there is no such parameter, see rtsep control --list")
                continue
            for entry in values if isinstance(values, list) else [values]:
                try:
                    bindings.append(_binding(target, is_action, entry, known.get(target)))
                except ValueError as fault:
                    faults.append(f"{name}: {target}: {fault}")
    if faults:
        raise MapRefused(faults)
    return MidiMap(tuple(bindings), tuple(others))


def _binding(target: str, is_action: bool, entry: object, parameter: Parameter | None) -> Binding:
    """One entry of a map; ValueError says what is wrong with it."""
    if not isinstance(entry, dict):
        raise ValueError("is no table such as { cc = 7, channel = 1 }")
    kinds = [kind for kind in HIGHEST if kind in entry]
    if len(kinds) != 1:
        raise ValueError(f"needs one of {', '.join(HIGHEST)}")
    kind = kinds[0]
    for key in entry:
        if key not in (kind, *OF_BINDING):
            raise ValueError(f"{key}: there is no such key, choose {', '.join(OF_BINDING)}")
    number = 0 if kind == "bend" and entry[kind] is True else _whole(kind, entry[kind], 0, HIGHEST[kind])
    address = Address(kind, _whole("channel", entry.get("channel", 1), 1, CHANNELS), number)
    for key, words in WORDS.items():
        if key in entry and entry[key] not in words:
            raise ValueError(f"{key}: {entry[key]!r} is none of {', '.join(words)}")
    for key in ("pick-up", "feedback"):
        if not isinstance(entry.get(key, True), bool):
            raise ValueError(f"{key}: {entry[key]!r} is neither true nor false")
    if kind == "program" and entry.get("mode") == "momentary":
        raise ValueError("mode: a program has no end, so it cannot be momentary")
    mode = entry.get("mode")
    if is_action and (mode or "range" in entry):
        raise ValueError("an action has neither range nor mode")
    if "encoder" in entry:
        if kind != "cc" or parameter is None or parameter.unit == "on/off":
            raise ValueError("encoder: an endless knob is a cc of a parameter that is more than on and off")
        if mode or "pick-up" in entry:
            raise ValueError("an encoder has neither mode nor pick-up: it goes on from where the value is")
    return Binding(
        target, is_action, address, _span(entry, parameter), entry.get("curve"), mode, entry.get("pick-up"),
        entry.get("feedback", True), entry.get("encoder"),
    )  # fmt: skip


def _whole(key: str, value: object, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        wanted = "true" if key == "bend" else f"a whole number {least}..{most}"
        raise ValueError(f"{key}: {value!r} is not {wanted}")
    return value


def _span(entry: dict[str, Any], parameter: Parameter | None) -> tuple[float, float] | None:
    if "range" not in entry or parameter is None:
        return None
    ends = entry["range"]
    if not isinstance(ends, list) or len(ends) != 2:
        raise ValueError(f"range: {ends!r} is not [LOW, HIGH]")
    try:
        low, high = parameter.checked(ends[0]), parameter.checked(ends[1])
    except RtsepError as error:
        raise ValueError(f"range: {error}") from None
    if low == high:
        raise ValueError(f"range: {low:g} is both ends")
    return low, high


def save_target(path: Path, target: str, is_action: bool, bindings: Sequence[Binding]) -> None:
    """Writes what moves one target; the other lines of the file, and its comments, stay.

    Args:
        path: of the map; made where there is none.
        target, is_action: a parameter or an action.
        bindings: all of it; none takes it out.

    Raises:
        RtsepError: the file cannot be written; the old one is whole then.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text("utf-8") if path.exists() else ""
        place(path, _edited(text, target, is_action, bindings).encode())
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
        raise RtsepError(f"{path} cannot be written: {why}", "it is in force until the end") from None


def _edited(text: str, target: str, is_action: bool, bindings: Sequence[Binding]) -> str:
    table = ACTIONS if is_action else PARAMETERS
    wanted = tomllib.loads(text)
    wanted.setdefault(table, {}).pop(target, None)
    tables = [binding.as_toml() for binding in bindings]
    line = ""
    if tables:
        line = f"{_text(target)} = {tables[0] if len(tables) == 1 else '[' + ', '.join(tables) + ']'}"
        wanted[table] |= tomllib.loads(line)
    lines = text.splitlines()
    heads = [i for i, at in enumerate(lines) if re.match(r"\s*\[", at)]
    start = next((i for i in heads if re.fullmatch(rf"\s*\[\s*{table}\s*\]\s*(#.*)?", lines[i])), None)
    if start is None:
        lines += ["", f"[{table}]"] if lines else [f"[{table}]"]
        start, end = len(lines) - 1, len(lines)
    else:
        end = next((i for i in heads if i > start), len(lines))
    spellings = "|".join(re.escape(of) for of in (_text(target), f"'{target}'", target))
    key = re.compile(rf"\s*(?:{spellings})\s*=")
    at = next((i for i in range(start + 1, end) if key.match(lines[i])), None)
    if at is not None:
        lines[at : at + 1] = [line] if line else []
    elif line:
        while end > start + 1 and not lines[end - 1].strip():
            end -= 1
        lines.insert(end, line)
    edited = "\n".join(lines) + "\n"
    try:
        if tomllib.loads(edited) == wanted:
            return edited
    except tomllib.TOMLDecodeError:
        pass
    return _written_anew(wanted)  # an entry over several lines, a table within: what it says stays


def _written_anew(content: dict[str, Any]) -> str:
    lines = []
    for table, entries in content.items():
        lines.append(f"[{table}]")
        lines += [f"{_text(target)} = {_toml(entry)}" for target, entry in entries.items()]
        lines.append("")
    return "\n".join(lines)


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_text(key)} = {_toml(of)}" for key, of in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else ("inf" if value > 0 else "-inf")
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)

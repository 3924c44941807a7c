"""The file that remembers the connections of a JACK client; the running client writes it (C++, JackWires)."""

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from rtsep.rt.drivers.jack_options import Wire


@dataclass(frozen=True)
class Remembered:
    """Connections of an earlier run, and the ports they are known for: one without any may have lost them
    by hand.
    """

    ports: list[str]
    wires: list[Wire]


def wire_file(folder: str | Path, client: str) -> Path:
    """Of the client of that name."""
    return Path(folder) / f"jack-{client}.json"


def prepare_folder(folder: Path) -> str:
    """The folder as text, made where it is missing; "" where nothing can be kept."""
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return str(folder)
    return ""


def remembered(folder: Path, client: str) -> Remembered:
    """What the file says; nothing where there is none, or it holds something else."""
    try:
        values = json.loads(wire_file(folder, client).read_text("utf-8"))
        wires = [(str(source), str(target)) for source, target in values["wires"]]
        wires = [wire for wire in wires if any(":" not in port for port in wire)]  # one end is ours
        return Remembered([str(port) for port in values["ports"]], wires)
    except (OSError, ValueError, KeyError, TypeError):  # broken JSON and UTF-8 are ValueErrors
        return Remembered([], [])

"""From a desk to the strips of a mixer: what belongs together, and what is written on it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rtsep.rt.cli.live_screen import note_name
from rtsep.rt.cli.mixer.desk_link import Desk
from rtsep.rt.cli.mixer.meters import Meter, bar, scale

INPUT, OUTPUT = "input", "output"
WIDTH = 11  # cells of a strip: seven of them and a scale fit into 80
Cell = tuple[str, str]  # text and style


@dataclass(frozen=True)
class Strip:
    """One channel strip.

    Attributes:
        name: of the stem, `input` or `output`.
        gain: its fader's parameter.
        switches: its switches by the key that turns them.
        meters: places of its meters in the peaks `peaks`.
    """

    name: str
    gain: str
    switches: dict[str, str]
    peaks: str
    meters: tuple[int, ...]


def strips_of(desk: Desk) -> list[Strip]:
    """The input, every stem, the output."""
    stems: Sequence[str] = desk.status.get("stems", ())
    inputs = len(desk.status.get("input_peak_db") or ()) or 1
    outputs = len(desk.status.get("output_peak_db") or ()) or 1
    strips = [Strip(INPUT, "input.gain", {}, "input_peak_db", tuple(range(inputs)))]
    for index, stem in enumerate(stems):
        keys = {"m": "mute", "s": "solo", "f": "solo-safe", "v": "polarity"}
        switches = {key: f"{stem}.{name}" for key, name in keys.items() if f"{stem}.{name}" in desk.values}
        strips.append(Strip(stem, f"{stem}.gain", switches, "peak_db", (index,)))
    switches = {"m": "output.mute", "d": "output.dim"}
    strips.append(Strip(OUTPUT, "output.gain", switches, "output_peak_db", tuple(range(outputs))))
    return strips


def gain_text(value_db: float) -> str:
    """A fader's value.

    >>> gain_text(-6.0), gain_text(float("-inf"))
    ('-6.0 dB', 'off')
    """
    return "off" if value_db == -math.inf else f"{value_db:+.1f} dB" if value_db else "0.0 dB"


def routes_text(desk: Desk, stem: str) -> str:
    """Outputs of a stem, such as `>1,2`; `>-` for none."""
    sends = [name for name in desk.values if name.startswith(f"{stem}.to-") and desk.values[name]]
    return ">" + (",".join(name.rpartition("-")[2] for name in sends) or "-")


def pan_text(pan: float) -> str:
    """Where a stem lies.

    >>> pan_text(0.0), pan_text(-0.5), pan_text(1.0)
    ('C', 'L50', 'R100')
    """
    return "C" if abs(pan) < 0.005 else f"{'L' if pan < 0 else 'R'}{abs(100 * pan):.0f}"


def column(strip: Strip, desk: Desk, meters: Sequence[Meter], rows: int, chosen: bool) -> list[list[Cell]]:
    """The lines of a strip from the top: name, pitch, clip or peak, meter, fader, switches, routes."""
    style = "reverse bold" if chosen else "bold"
    peak_db = max(meter.hold_db for meter in meters)
    clipped = any(meter.clipped for meter in meters)
    level = [("CLIP", "bold reverse red")] if clipped else [(f"{peak_db:.1f}", "")]
    lines: list[list[Cell]] = [[(strip.name[: WIDTH - 1], style)], [(_pitch(strip, desk), "cyan")], level]
    bars = [bar(meter, rows) for meter in meters[: WIDTH - 6]]
    marks = scale(rows)
    for row in range(rows):
        cells = [
            (f"{marks[row]:>4}", "dim"),
            *((2 * b[row][0] if len(bars) == 1 else b[row][0], b[row][1]) for b in bars),
        ]
        lines.append(cells)
    lines.append([(gain_text(desk.values.get(strip.gain, 0.0)), "bold" if chosen else "")])
    lines.append(_switches(strip, desk))
    lines.append([(_place(strip, desk), "dim")])
    return lines


def _pitch(strip: Strip, desk: Desk) -> str:
    f0_hz = desk.status.get("f0_hz") or ()
    if strip.peaks != "peak_db" or strip.meters[0] >= len(f0_hz) or f0_hz[strip.meters[0]] is None:
        return ""
    merged = desk.status.get("merged") or ()
    together = strip.meters[0] < len(merged) and merged[strip.meters[0]]
    return note_name(f0_hz[strip.meters[0]]) + ("=" if together else "")


def _switches(strip: Strip, desk: Desk) -> list[Cell]:
    cells: list[Cell] = []
    for key, name in strip.switches.items():
        on = bool(desk.values.get(name))
        cells += [(key.upper() if on else key, "bold reverse" if on else "dim"), (" ", "")]
    return cells


def _place(strip: Strip, desk: Desk) -> str:
    if strip.peaks != "peak_db":
        return ""
    return f"{routes_text(desk, strip.name)} {pan_text(desk.values.get(f'{strip.name}.pan', 0.0))}"

"""What a live run looks like: meters on a terminal, a line or a JSON object a second elsewhere."""

import json
import math
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from rtsep.rt.cli.messages import Messages, divert, has_room
from rtsep.rt.live.status import Status

if TYPE_CHECKING:
    from rich.console import RenderableType

TERMINAL_PERIOD_S = 0.1  # meters follow the eye
LINE_PERIOD_S = 1.0
METER_CELLS = 30
METER_FLOOR_DB = -60.0  # stage meters show 60 dB
NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
A4_HZ, A4_MIDI = 440.0, 69


def note_name(f0_hz: float) -> str:
    """Nearest note of the equal temperament at A4 = 440 Hz and the distance in cents, "-" where unvoiced.

    >>> note_name(443.06)
    'A4 +12'
    >>> note_name(0.0)
    '-'
    """
    if not f0_hz > 0:
        return "-"
    semitones = A4_MIDI + 12.0 * math.log2(f0_hz / A4_HZ)
    # half up: a pitch between two notes is the lower one of the next, +50 never shows
    nearest = math.floor(semitones + 0.5)
    cents = math.floor(100.0 * (semitones - nearest) + 0.5)
    return f"{NOTES[nearest % 12]}{nearest // 12 - 1} {cents:+d}"


def meter(level_db: float, cells: int = METER_CELLS) -> str:
    """A bar of `cells` characters: empty at -60 dBFS, full at 0 dBFS, an eighth of a cell fine."""
    share = min(1.0, max(0.0, 1.0 - level_db / METER_FLOOR_DB))
    eighths = round(share * cells * 8)
    bar = "█" * (eighths // 8) + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[eighths % 8]
    return bar.ljust(cells)


def latency_text(status: Status) -> str:
    """The delay from microphone to loudspeaker and its parts; the driver's part is what the driver says."""
    if not status.samplerate:
        return "latency: not known yet"
    ms = 1000.0 / status.samplerate
    own = status.live_latency_samples
    parts = f"algorithmic {status.algorithmic_samples * ms:.2f}"
    parts += f" + buffering {status.buffering_samples * ms:.2f}"
    if status.clock_bridge_samples:
        parts += f" + between the clocks {status.clock_bridge_samples * ms:.2f}"
    exact = f"rtsep's part: {own} samples, exact; the device's:"
    before, after = status.device_input_samples, status.device_output_samples
    if before is None or after is None:
        return f"latency {own * ms:.1f} ms = {parts}, and the device's\n{exact} its driver does not say"
    device = before + after
    total = f"latency {(own + device) * ms:.1f} ms = {parts} + device {device * ms:.1f}"
    return f"{total}\n{exact} as its driver says"


def counters_text(status: Status) -> str:
    """Everything that should stay at zero."""
    return (
        f"xruns {status.xruns}  late hops {status.late_hops}  fallback samples {status.fallback_samples}"
        + (f"  NaN/Inf {status.nonfinite_samples}" if status.nonfinite_samples else "")
        + (f"  at the ceiling {status.limited_samples}" if status.limited_samples else "")
        + (f"  engine restarts {status.engine_restarts}" if status.engine_restarts else "")
    )


def clock_text(status: Status) -> str:
    """The clocks of two devices."""
    ppm = "?" if status.clock_ppm is None else f"{status.clock_ppm:+.1f}"
    waiting, slips = status.clock_fill_samples or 0, status.clock_slips
    return f"clocks: input {ppm} ppm against output, {waiting} samples waiting, {slips} slips"


def state_text(status: Status) -> str:
    """The state, and what an engineer would look for a cable for."""
    return f"{status.state}, no signal" if status.no_signal and status.state == "running" else status.state


def load_text(status: Status) -> str:
    """CPU of the engine and the time of a hop as share of the hop."""
    return f"CPU {100 * status.cpu_load:.0f} %  {hop_text(status)}"


def hop_text(status: Status) -> str:
    """The time of a hop as share of the hop."""
    return (
        f"hop p50 {100 * status.hop_time_p50:.0f} % "
        f"p99 {100 * status.hop_time_p99:.0f} % max {100 * status.hop_time_max:.0f} %"
    )


def record_text(status: Status) -> str:
    """The take, and how long the disk lasts."""
    text = f"record: {status.record_state}"
    if status.record_take and status.samplerate:
        text += f", {status.record_frames / status.samplerate:.0f} s in {status.record_take}"
    if status.record_holes:
        text += f", {status.record_holes} holes: {status.record_holes_text}"
    if status.record_left_s is not None:
        hours, rest = divmod(int(status.record_left_s), 3600)
        text += f", disk left {hours} h {rest // 60:02d} min"
    return text


def score_text(status: Status) -> str:
    """Where in the score the choir is."""
    beat, sure = int(status.score_beat or 1), 100 * (status.score_confidence or 0.0)
    key = f", sung {status.score_transposition:+g} semitones" if status.score_transposition else ""
    return f"score: bar {status.score_bar} beat {beat}, {sure:.0f} % sure{key}"


def plain_line(status: Status) -> str:
    """One second of a live run in one line."""
    seconds = status.frames / status.samplerate if status.samplerate else 0.0
    levels = " ".join(
        f"{stem} {level:.0f}{' CLIP' if clip else ''}{_pitch(status, index)}"
        for index, (stem, level, clip) in enumerate(
            zip(status.stems, status.rms_db, status.clip, strict=False)
        )
    )
    error = f" | {status.last_error}" if status.last_error else ""
    if status.record_state:
        error = f" | {record_text(status)}{error}"
    if status.score_bar is not None:
        error = f" | {score_text(status)}{error}"
    if status.clock_bridge_samples:
        error = f" | {clock_text(status)}{error}"
    return (
        f"{seconds:.0f} s {state_text(status)} | {levels} | {counters_text(status)} | {load_text(status)} "
        f"| latency {status.live_latency_samples} samples{error}"
    )


def _pitch(status: Status, index: int) -> str:
    """Of one stem; empty where the model gives it no pitch."""
    f0_hz = status.f0_hz[index] if index < len(status.f0_hz) else None
    if f0_hz is None:
        return ""
    merged = index < len(status.merged) and status.merged[index]
    return f" ({note_name(f0_hz)}{' merged' if merged else ''})"


def render(status: Status) -> "RenderableType":
    """The whole screen."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    for index, stem in enumerate(status.stems):
        level = status.rms_db[index] if index < len(status.rms_db) else METER_FLOOR_DB
        peak = status.peak_db[index] if index < len(status.peak_db) else METER_FLOOR_DB
        clipped = index < len(status.clip) and status.clip[index]
        table.add_row(
            stem,
            Text(meter(level), style="red" if clipped else "green"),
            f"{peak:6.1f} dBFS",
            Text("CLIP" if clipped else "    ", style="bold red"),
            Text(_pitch(status, index).strip(" ()")),
        )
    faults = status.xruns or status.late_hops or status.fallback_samples
    devices = f"{status.input_device or 'input'} -> {status.output_device or 'no output'}"
    lines: list[RenderableType] = [
        Text(f"{devices}  [{state_text(status)}]"),
        table,
        Text(counters_text(status), style="yellow" if faults else ""),
        Text(f"{load_text(status)}  {status.scheduling}"),
        Text(latency_text(status)),
    ]
    if status.clock_bridge_samples:
        lines.append(Text(clock_text(status), style="yellow" if status.clock_slips else ""))
    if status.score_bar is not None:
        lines.append(Text(score_text(status)))
    if status.record_state:
        lines.append(Text(record_text(status), style="bold red" if status.record_holes else ""))
    lines += [Text(note, style="dim") for note in status.notes]
    if status.last_error:
        lines.append(Text(status.last_error, style="bold red"))
    return Group(*lines, Text("Ctrl-C ends", style="dim"))


class View(Protocol):
    """Something that shows a status every `period_s` seconds, and never ends or delays the run by it.

    Attributes:
        failure: why nothing more is shown, None while all is well.
    """

    period_s: float

    @property
    def failure(self) -> OSError | None: ...

    def update(self, status: Status) -> None:
        """Shows it, where there is room."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(self, *exc: object) -> None: ...


class TerminalView:
    """Meters in place. A terminal that is held (Ctrl-S) keeps its picture, one that is gone ends the view."""

    period_s = TERMINAL_PERIOD_S

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.live import Live

        self._stream = stream
        self._live = Live(console=Console(file=stream, markup=False), auto_refresh=False)
        self.failure: OSError | None = None

    def update(self, status: Status) -> None:
        """Redraws."""
        self._try(lambda: self._live.update(render(status), refresh=True))

    def _try(self, draw: Callable[[], None]) -> None:
        if self.failure is not None or not has_room(self._stream):
            return
        try:
            draw()
        except (OSError, ValueError) as error:  # ValueError: the stream is closed
            self.failure = error if isinstance(error, OSError) else OSError(str(error))
            divert(self._stream)

    def __enter__(self) -> Self:
        self._try(self._live.start)
        return self

    def __exit__(self, *exc: object) -> None:
        self._try(self._live.stop)


class LineView:
    """A line for each status; `text` makes it, None keeps silent."""

    period_s = LINE_PERIOD_S

    def __init__(self, stream: TextIO | None, text: Callable[[Status], str] | None) -> None:
        self._messages = Messages(stream)
        self._text = text

    @property
    def failure(self) -> OSError | None:
        """Why no more lines are written."""
        return self._messages.failure

    def update(self, status: Status) -> None:
        """Prints it."""
        if self._text is not None:
            self._messages.offer(self._text(status))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None: ...


def json_line(status: Status) -> str:
    """The status as one JSON object."""
    return json.dumps(status.as_dict())


def json_end(status: Status, exit_code: int, reason: str) -> str:
    """How a run ended, as the last JSON object: the last status, and `ended`, which no object before it has.

    Args:
        status: the last.
        exit_code: of the program.
        reason: "SIGINT", "SIGTERM", or problem and remedy of the error that ended it; "" where the engine
            ended by itself.
    """
    return json.dumps({**status.as_dict(), "ended": {"exit_code": exit_code, "reason": reason}})


def choose_view(*, quiet: bool, as_json: bool, stream: TextIO | None = None) -> View:
    """JSON wins over quiet; a terminal gets meters, anything else a line a second."""
    stream = sys.stdout if stream is None else stream
    if as_json:
        return LineView(stream, json_line)
    if quiet:
        return LineView(stream, None)
    if stream is not None and stream.isatty():
        return TerminalView(stream)
    return LineView(stream, plain_line)

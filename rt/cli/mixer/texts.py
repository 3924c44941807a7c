"""What is written above and below the strips."""

import time

from rtsep.rt.cli.live_screen import clock_text, counters_text, hop_text, record_text, state_text
from rtsep.rt.cli.mixer.desk_link import Desk
from rtsep.rt.cli.mixer.strips import Cell
from rtsep.rt.control.web.event_log import Event
from rtsep.rt.live.status import Status

KEYS = (
    ("left right", "choose a strip"),
    ("up down", "its fader by 1 dB; + - or with Shift by 0.1 dB; 0: 0 dB; o: off"),
    ("m s", "mute, solo"),
    ("f v", "solo-safe, polarity"),
    (", .", "pan to the left, to the right"),
    ("d b", "dim the output, bypass"),
    ("c", "clear clips and held peaks"),
    ("t", "set a marker"),
    ("r", "start a take, end it"),
    ("q", "leave the mixer"),
)
BUSY = 0.35  # of a hop's time: above it little is left for a slow moment
EVENT_STYLES = {"fault": "bold red", "note": "yellow", "action": "cyan", "state": ""}
BLOCKS = " ▁▂▃▄▅▆▇█"


def help_text() -> str:
    """The keys, a line each."""
    return "\n".join(f"{keys:<11} {what}" for keys, what in KEYS)


def elapsed_text(seconds: float) -> str:
    """Hours, minutes, seconds.

    >>> elapsed_text(3725.4)
    '1:02:05'
    """
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def status_lines(desk: Desk, session: str) -> tuple[list[Cell], list[list[Cell]]]:
    """The line above the strips, and those below: counters, load, latency, take."""
    status = Status.from_dict(desk.status)
    seconds = status.frames / status.samplerate if status.samplerate else 0.0
    state = state_text(status) if desk.answers else "the session does not answer"
    sound = desk.answers and status.state == "running" and not status.no_signal
    head: list[Cell] = [
        (f" {session} ", "bold reverse"),
        (f" {elapsed_text(seconds)}  ", ""),
        (f" {state} ", "" if sound else "bold reverse red"),
    ]
    for name, word in (("bypass", "BYPASS"), ("output.dim", "DIM"), ("output.mute", "OUTPUT MUTED")):
        if desk.values.get(name):
            head.append((f" {word} ", "bold reverse yellow"))
    head.append(("  ? keys", "dim"))
    faults = status.xruns or status.late_hops or status.fallback_samples
    below: list[list[Cell]] = [
        [(counters_text(status), "yellow" if faults else "")],
        _load(status),
        [(latency_line(status), "")],
    ]
    if status.clock_bridge_samples:
        below.append([(clock_text(status), "yellow" if status.clock_slips else "")])
    if status.record_state:
        held = bool(status.record_holes) or status.record_state in ("held", "failed")
        below.append([(record_text(status), "bold red" if held else "")])
    if status.last_error:
        below.append([(status.last_error, "bold red")])
    return head, below


def latency_line(status: Status) -> str:
    """The delay from microphone to loudspeaker, split, short enough for 80 columns."""
    if not status.samplerate:
        return "latency: not known yet"
    ms = 1000.0 / status.samplerate
    before, after = status.device_input_samples, status.device_output_samples
    known = before is not None and after is not None
    device = (before or 0) + (after or 0)
    more = f"{device * ms:.1f}" if known else "?"
    bridge = f" + clocks {status.clock_bridge_samples * ms:.2f}" if status.clock_bridge_samples else ""
    return (
        f"latency {(status.live_latency_samples + device) * ms:.1f} ms = "
        f"{status.live_latency_samples} samples (algorithmic {status.algorithmic_samples * ms:.2f} "
        f"+ buffering {status.buffering_samples * ms:.2f}{bridge}) + device {more}"
    )


def _load(status: Status) -> list[Cell]:
    """Times of hops: figures, and how often each tenth of a hop's time was needed."""
    busy = status.hop_time_p99 > BUSY
    return [
        (f"{hop_text(status)}  0 ", "yellow" if busy else ""),
        (histogram(status.hop_time_counts), "reverse"),
        (f" 100 %  CPU {100 * status.cpu_load:.0f} %", ""),
    ]


def histogram(counts: tuple[int, ...]) -> str:
    """A character for each count: its height in eighths of the highest; a single one is still seen.

    >>> histogram((80, 1, 0))
    '█▁ '
    """
    most = max(counts, default=0)
    return "".join(BLOCKS[max(1, round(8 * n / most))] if n else " " for n in counts)


def event_line(event: Event) -> list[Cell]:
    """One line of the log."""
    at = time.strftime("%H:%M:%S", time.localtime(event.at))
    return [(f"{at} ", "dim"), (event.text, EVENT_STYLES.get(event.kind, ""))]

"""The status of a running engine, as `rt.process.block` carries it to any process."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self, TypeVar

from rtsep.rt.audio.levels import FLOOR_DB

T = TypeVar("T")


@dataclass(frozen=True)
class Status:
    """A moment of a live session. Everything a screen, a script or a test needs.

    Attributes:
        state: "starting", "running", "device-lost", "restarting" (the engine), "bypassed" (no engine stays
            up: the delayed mixture is played), "stopped" or "failed".
        no_signal: the input has been digital silence for seconds: nothing is connected, or the source is off.
        samplerate: Hz; hop: samples.
        stems: names, the residual last.
        frames: device frames handled since the start.
        xruns: device blocks that the driver flagged with an over- or underflow, or in which the bridge
            between two clocks lost its place.
        late_hops: hops whose stems were not there when the device needed their first sample.
        skipped_hops: hops not separated because they would have come too late anyway (part of `late_hops`
            mostly).
        fallback_samples: frames in which the delayed mixture stood in for stems.
        nonfinite_samples: NaN and Inf samples of the input, and of the output, replaced by zero.
        limited_samples: output samples that went out at the ceiling (`output.ceiling`).
        input_lost_frames: input frames lost because the engine had stalled for seconds.
        device_losses: times the device went away.
        engine_restarts: times the engine was started again after it had failed; engine_pid: its process.
        input_peak_db, output_peak_db: peak since the last read of each channel that is separated, and of each
            device output, dBFS.
        peak_db, rms_db, clip: of each stem since the last read, before routing; clip is peak >= 0 dBFS.
        clips, input_clips, output_clips: snapshots since the start in which a stem, an input, an output
            peaked at 0 dBFS or more: counts that no reader resets.
        f0_hz, level_db, merged: of each stem, None where it has no pitch: F0 (0 Hz = unvoiced),
            level of its partials, and whether it shares them with another stem.
        hop_time_p50, hop_time_p99, hop_time_max: of the last seconds, as share of a hop's time.
        hop_time_counts: of the same hops, how many needed less than a tenth of a hop's time, a tenth to two,
            ..., nine tenths or more.
        cpu_load: of the engine process, 1 = one core.
        device_load: of the device callback, as PortAudio measures it.
        algorithmic_samples, buffering_samples, clock_bridge_samples: their sum is `live_latency_samples`,
            exact.
        live_latency_samples: from device input buffer to device output buffer.
        device_input_samples, device_output_samples: what the driver says it adds; None where that cannot be.
        clock_ppm: how much faster the input's clock is than the output's, in parts per million; None on one
            clock, and while it is not known to 5 ppm.
        clock_fill_samples: what waits between the two beyond what is needed next; None on one clock.
        clock_slips: times the bridge lost its place since the stream was opened.
        blocksize: frames of a device block; input_device, output_device: names.
        jack_client: rtsep's name in the JACK graph, "" under PortAudio.
        wires: its connections, source>target, those that wait for a port included.
        scheduling: what the operating system granted ("SCHED_FIFO 5", "nice -10" or "normal").
        notes: what the user should know about routing and the like.
        record_state: "" (not asked for), "armed", "recording", "held" (the disk takes nothing), "finished" or
            "failed"; of the take in the folder `record_take`, the running one or the last.
        record_frames: its length so far.
        record_holes, record_hole_frames: silence in place of what could not be had: how often, how much;
            record_holes_text: where the first of them are.
        record_left_s: until the disk is full, None where that is not known.
        change: of the last change of engines: its `state` ("loading", "warming", "done", "refused") and
            `text`; empty before the first.
        score_bar, score_beat: where in the score the choir is, the beat from 1; None without a score.
        score_confidence: how sure that is, 0..1; near 0 the score is not heard and steers nothing.
        score_transposition: semitones that the choir sings above what is written.
        last_error: problem and remedy of the last fault, "" when there was none.
    """

    state: str = "starting"
    no_signal: bool = False
    samplerate: int = 0
    hop: int = 0
    stems: tuple[str, ...] = ()
    frames: int = 0
    xruns: int = 0
    late_hops: int = 0
    skipped_hops: int = 0
    fallback_samples: int = 0
    nonfinite_samples: int = 0
    limited_samples: int = 0
    input_lost_frames: int = 0
    device_losses: int = 0
    engine_restarts: int = 0
    engine_pid: int = 0
    input_peak_db: tuple[float, ...] = ()
    output_peak_db: tuple[float, ...] = ()
    peak_db: tuple[float, ...] = ()
    rms_db: tuple[float, ...] = ()
    clip: tuple[bool, ...] = ()
    clips: tuple[int, ...] = ()
    input_clips: tuple[int, ...] = ()
    output_clips: tuple[int, ...] = ()
    f0_hz: tuple[float | None, ...] = ()
    level_db: tuple[float | None, ...] = ()
    merged: tuple[bool | None, ...] = ()
    hop_time_p50: float = 0.0
    hop_time_p99: float = 0.0
    hop_time_max: float = 0.0
    hop_time_counts: tuple[int, ...] = ()
    cpu_load: float = 0.0
    device_load: float = 0.0
    algorithmic_samples: int = 0
    buffering_samples: int = 0
    clock_bridge_samples: int = 0
    live_latency_samples: int = 0
    device_input_samples: int | None = 0
    device_output_samples: int | None = 0
    clock_ppm: float | None = None
    clock_fill_samples: int | None = None
    clock_slips: int = 0
    blocksize: int = 0
    input_device: str = ""
    output_device: str = ""
    jack_client: str = ""
    wires: tuple[str, ...] = ()
    scheduling: str = ""
    notes: tuple[str, ...] = ()
    record_state: str = ""
    record_take: str = ""
    record_frames: int = 0
    record_holes: int = 0
    record_hole_frames: int = 0
    record_holes_text: str = ""
    record_left_s: float | None = None
    change: dict[str, Any] = field(default_factory=dict)
    score_bar: int | None = None
    score_beat: float | None = None
    score_confidence: float | None = None
    score_transposition: float | None = None
    last_error: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Back from `as_dict`; lists become tuples."""
        known = {each.name for each in fields(cls)}
        plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**{k: v for k, v in plain.items() if k in known})


def of_each(stems: Sequence[str], pitched: Sequence[str], values: Iterable[T]) -> list[T | None]:
    """Values of the stems that have a pitch as one entry for each stem, None for those that have none.

    >>> of_each(("vocals", "drums", "residual"), ("vocals",), [220.0])
    [220.0, None, None]

    Raises:
        ValueError: another number of values, or a name that is no stem.
    """
    found = dict(zip(pitched, values, strict=True))
    for name in found.keys() - set(stems):
        raise ValueError(f"{name!r} is none of the stems {', '.join(stems)}")
    return [found.get(stem) for stem in stems]


def rounded(values: Iterable[Any], digits: int = 2) -> list[float]:
    """Short numbers for a snapshot. NaN and Inf, which JSON has not, must not end the show: the floor."""
    return [round(float(v), digits) if math.isfinite(v) else FLOOR_DB for v in values]

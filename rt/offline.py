"""One source through one separator into one sink, aligned sample by sample, in constant memory."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels.errors import RtsepError
from rtsep.rt.audio.levels import dbfs
from rtsep.rt.both_ways.separator import BothWays
from rtsep.rt.hop.separates import Separates
from rtsep.rt.stop import Stopped, StopSignals

# The largest positive 16-bit sample: converters that clip stop here.
FULL_SCALE = 32767 / 32768


class Source(Protocol):
    """Audio that arrives in blocks."""

    samplerate: int
    channels: int
    frames: int | None  # None where it is not known, as in a pipe
    notes: list[str]  # what the user should know about this input

    def read(self) -> NDArray[np.float32]:
        """Next block [frames, channels]; none at the end. Raises RtsepError where the input breaks off."""
        ...


class Sink(Protocol):
    """Where stems go."""

    may_block: bool  # true where a slow reader may stall `write`, which may then be cut

    def write(self, stems: NDArray[np.float32]) -> None:
        """Appends [stems, frames, channels]. Raises RtsepError where it cannot."""
        ...


@dataclass(frozen=True)
class StemLevel:
    """Level of one output over the whole run."""

    name: str
    peak_dbfs: float
    rms_dbfs: float
    clipped: bool


@dataclass(frozen=True)
class RunSummary:
    """What a run did. The real-time factor is `elapsed_s / duration_s`: below 1 is faster than real time."""

    samplerate: int
    channels: int
    frames: int
    duration_s: float
    elapsed_s: float
    real_time_factor: float
    latency_samples: int
    latency_ms: float
    latency_kept: bool
    both_ways: bool
    nonfinite_samples: int
    full_scale_samples: int
    input_peak_dbfs: float
    stems: list[StemLevel]

    def as_dict(self) -> dict[str, Any]:
        """Plain types, for JSON."""
        return asdict(self)


class _Levels:
    """Running peak and power of every stem."""

    def __init__(self, stems: int) -> None:
        self.peak = np.zeros(stems)
        self.energy = np.zeros(stems)
        self.samples = 0

    def add(self, stems: NDArray[np.float32]) -> None:
        if not stems.shape[1]:
            return
        self.peak = np.maximum(self.peak, np.abs(stems).max(axis=(1, 2)))
        self.energy += np.einsum("sfc,sfc->s", stems, stems, dtype=np.float64)
        self.samples += stems.shape[1] * stems.shape[2]

    def of(self, names: tuple[str, ...]) -> list[StemLevel]:
        rms = np.sqrt(self.energy / max(1, self.samples))
        rows = zip(names, self.peak, rms, strict=True)
        return [StemLevel(name, dbfs(peak), dbfs(level), bool(peak > 1.0)) for name, peak, level in rows]


def separate(
    source: Source,
    sink: Sink,
    separator: Separates,
    *,
    signals: StopSignals,
    keep_latency: bool = False,
    on_progress: Callable[[int], None] = lambda frames: None,
) -> tuple[RunSummary, Stopped | RtsepError | None]:
    """Runs until the source ends, breaks off or is stopped; the sink then has every frame that came in.

    By default output frame n belongs to input frame n and there are as many frames out as in. With
    `keep_latency` output frame n + latency_samples belongs to input frame n, and there are that many more.

    Returns:
        What was done, and why it ended early (None at the end of the input).

    Raises:
        RtsepError: from the sink.
        Stopped: by a second signal, in the middle of a block; the sink's stems may differ in length.
    """
    skip = 0 if keep_latency else separator.latency_samples
    levels = _Levels(len(separator.stems))
    frames = full_scale = written = 0
    both_ways = separator if isinstance(separator, BothWays) else None
    input_peak = 0.0
    early: Stopped | RtsepError | None = None
    started = time.perf_counter()

    def emit(stems: NDArray[np.float32]) -> None:
        nonlocal skip, written
        dropped = min(skip, stems.shape[1])
        skip -= dropped
        kept = stems[:, dropped:]
        written += kept.shape[1]
        levels.add(kept)
        if sink.may_block:
            with signals.interruptible():
                sink.write(kept)
        else:
            sink.write(kept)

    def work(done: int) -> None:
        """Most of the work from both ends comes after the last block: a stop does not wait for it."""
        signals.check()
        on_progress(done)

    if both_ways is not None:
        both_ways.on_work = work
    while True:
        try:
            with signals.interruptible():
                block = source.read()
        except (Stopped, RtsepError) as reason:  # the input's error: what came before is whole
            early = reason
            break
        if not len(block):
            break
        magnitude = np.abs(block)
        full_scale += int(np.count_nonzero(magnitude >= FULL_SCALE))
        input_peak = max(input_peak, float(magnitude.max(where=np.isfinite(magnitude), initial=0.0)))
        try:
            emit(separator.process(block))
        except Stopped as reason:
            if not sink.may_block:  # a second signal: the way out, whatever is half done
                raise
            early = reason
            break
        frames += len(block)
        if both_ways is None:
            on_progress(frames)
    stopped_reading = both_ways is not None and isinstance(early, Stopped)
    if frames and not stopped_reading and not (early and sink.may_block):
        try:
            for stems in [separator.flush()] if both_ways is None else both_ways.rest():
                emit(stems)
        except Stopped as reason:
            if both_ways is None:
                raise
            early = reason
    if both_ways is not None:
        frames = written
    elapsed = time.perf_counter() - started
    duration = frames / separator.samplerate
    summary = RunSummary(
        samplerate=separator.samplerate,
        channels=separator.channels,
        frames=frames,
        duration_s=round(duration, 6),
        elapsed_s=round(elapsed, 4),
        real_time_factor=round(elapsed / duration, 4) if duration else 0.0,
        latency_samples=separator.latency_samples,
        latency_ms=round(1000.0 * separator.latency_samples / separator.samplerate, 4),
        latency_kept=keep_latency,
        both_ways=both_ways is not None,
        nonfinite_samples=separator.nonfinite_samples,
        full_scale_samples=full_scale,
        input_peak_dbfs=dbfs(input_peak),
        stems=levels.of(separator.stems),
    )
    return summary, early

"""Hours of music in minutes: does anything grow, drift or break?

    python -m rtsep.bench.soak --minutes 60

Signal goes through `Separator.process` in odd blocks, faster than real time. Every minute of signal holds ten
seconds of silence (where numbers too small for normal floats would appear) and music at changing levels.
"""

import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import click
import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from rtsep.bench.hop.machine import MEBIBYTE, resident_bytes
from rtsep.kernels.errors import RtsepError
from rtsep.models.mask_model import State
from rtsep.rt.audio.test_signals import CHORD_S, CHORDS, synthetic_choir
from rtsep.rt.separator import Separator

# No power of two, no divisor of a hop; one sample and more than a window among them.
BLOCKS = (1021, 37, 4099, 163, 1, 8191, 509, 2053)
MUSIC_S, SILENCE_S = 50.0, 10.0
# Stems + residual against the delayed input, full scale 1: a few roundings of float32 (6e-8 each) per stem.
MAX_IDENTITY_ERROR = 1e-5
# What an interpreter that leaks nothing still moves (arenas, buffers of this report).
MAX_GROWTH_BYTES = 4 * MEBIBYTE
# A state may swing; ten times what the first minute, with all levels in it, has shown is running away.
MAX_STATE_GROWTH = 10.0


@dataclass(frozen=True)
class Minute:
    """What was found after one minute of signal.

    Attributes:
        resident_bytes: memory of the process.
        state_peak: largest magnitude in any floating-point array of `state_dict()`.
        identity_error: largest |sum of stems - delayed input| within this minute, full scale 1.
        nonfinite: NaN and Inf samples put out within this minute.
        speed: seconds of signal per second.
    """

    resident_bytes: int
    state_peak: float
    identity_error: float
    nonfinite: int
    speed: float


@dataclass(frozen=True)
class SoakResult:
    """All minutes, and what is wrong in words (nothing: passed)."""

    minutes: tuple[Minute, ...]
    failures: tuple[str, ...]


def soak(separator: Separator, minutes: int, minute_s: float = MUSIC_S + SILENCE_S) -> SoakResult:
    """Runs `minutes` minutes of signal; the first is the warm-up all later ones are held against.

    Args:
        separator: freshly loaded.
        minutes: at least 2.
        minute_s: shortens the minutes (music and silence keep their shares).

    Raises:
        RtsepError: fewer than two minutes.
    """
    if minutes < 2:
        raise RtsepError(
            f"a soak of {minutes} minute is too short", "run at least 2: the first is the warm-up"
        )
    rounds = _minute(separator, minute_s)
    delayed = np.zeros((separator.latency_samples, separator.channels), np.float32)
    found: list[Minute] = []
    failures: list[str] = []
    shapes: dict[str, tuple[int, ...]] = {}
    peaks: dict[str, float] = {}
    for minute in range(minutes):
        began = time.perf_counter()
        # another level every minute, 0 to -40 dB
        gain = np.float32(10.0 ** (-20.0 * (1.0 - math.cos(2.4 * minute)) / 20.0))
        identity_error, nonfinite = 0.0, 0
        for piece in _blocks(rounds):
            block = gain * piece
            stems = separator.process(block)
            expected = np.concatenate([delayed, block])
            delayed = expected[len(block) :]
            nonfinite += stems.size - int(np.count_nonzero(np.isfinite(stems)))
            error = np.abs(stems.sum(axis=0) - expected[: len(block)])
            identity_error = max(identity_error, float(np.max(error)))
        elapsed_s = time.perf_counter() - began
        state = separator.state_dict()
        now = _peaks(state)
        if minute == 0:
            shapes, peaks = {name: a.shape for name, a in state.items()}, now
        elif {name: a.shape for name, a in state.items()} != shapes:
            failures.append(
                f"minute {minute + 1}: arrays of the state have other names or shapes than at first"
            )
        for name, peak in now.items():
            if not peak <= MAX_STATE_GROWTH * max(1.0, peaks.get(name, 0.0)):  # true for NaN as well
                failures.append(f"minute {minute + 1}: state {name!r} reached {peak:.3g}")
        if not identity_error <= MAX_IDENTITY_ERROR:
            failures.append(f"minute {minute + 1}: stems and delayed input differ by {identity_error:.3g}")
        if nonfinite:
            failures.append(f"minute {minute + 1}: {nonfinite} samples are NaN or Inf")
        state_peak = max(now.values(), default=0.0)
        speed = len(rounds) / separator.samplerate / elapsed_s
        found.append(Minute(resident_bytes(), state_peak, identity_error, nonfinite, speed))
    growth = found[-1].resident_bytes - found[0].resident_bytes
    if growth > MAX_GROWTH_BYTES:
        failures.append(f"memory grew by {growth / MEBIBYTE:.1f} MiB after the first minute")
    return SoakResult(tuple(found), tuple(failures))


def _minute(separator: Separator, minute_s: float) -> NDArray[np.float32]:
    """One minute of signal, float32 [frames, channels]: silence, then the choir, fading by 40 dB and back."""
    music_s = minute_s * MUSIC_S / (MUSIC_S + SILENCE_S)
    once = synthetic_choir(separator.samplerate, min(music_s, CHORD_S * len(CHORDS)), separator.channels)
    frames = round(music_s * separator.samplerate)
    music = np.resize(once, (frames, separator.channels))
    fade_db = -20.0 * (1.0 - np.cos(2.0 * np.pi * np.arange(frames) / frames))
    music *= (10.0 ** (fade_db / 20.0)).astype(np.float32)[:, None]
    silence = np.zeros((round((minute_s - music_s) * separator.samplerate), separator.channels), np.float32)
    return np.concatenate([silence, music])


def _blocks(signal: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    start, turn = 0, 0
    while start < len(signal):
        size = BLOCKS[turn % len(BLOCKS)]
        yield signal[start : start + size]
        start, turn = start + size, turn + 1


def _peaks(state: State) -> dict[str, float]:
    """Largest magnitude of every floating-point array; counters may count."""
    return {
        name: float(np.max(np.abs(array), initial=0.0))
        for name, array in state.items()
        if np.issubdtype(array.dtype, np.inexact)
    }


@click.command("soak")
@click.option("--minutes", type=int, default=60, show_default=True)
@click.option("--voices", type=int, default=4, show_default=True)
@click.option("--latency", type=int, default=11, show_default=True)
@click.option("--samplerate", type=int, default=48000, show_default=True)
@click.option("--channels", type=int, default=1, show_default=True)
def command(minutes: int, voices: int, latency: int, samplerate: int, channels: int) -> None:
    """Runs hours of signal through the separator and exits with 1 if anything grew, drifted or broke."""
    console = Console(markup=False)
    try:
        separator = Separator.load(
            voices=voices, samplerate=samplerate, latency_ms=latency, channels=channels
        )
        result = soak(separator, minutes)
    except RtsepError as error:
        print(f"soak: error: {error}", file=sys.stderr)
        sys.exit(2)
    table = Table(
        title=f"{minutes} minutes at {samplerate} Hz, --latency {latency}, {voices} voices", box=SIMPLE
    )
    for heading in ("minute", "memory", "largest state", "identity error", "NaN/Inf", "x real time"):
        table.add_column(heading, justify="right")
    for number, minute in enumerate(result.minutes, start=1):
        if number in (1, 2, minutes) or number % 10 == 0:
            table.add_row(
                str(number),
                f"{minute.resident_bytes / MEBIBYTE:.1f} MiB",
                f"{minute.state_peak:.4g}",
                f"{minute.identity_error:.2g}",
                str(minute.nonfinite),
                f"{minute.speed:.1f}",
            )
    console.print(table)
    for failure in result.failures:
        console.print(f"FAILED {failure}", highlight=False)
    console.print("failed" if result.failures else "passed: nothing grew, drifted or broke")
    sys.exit(1 if result.failures else 0)


if __name__ == "__main__":
    command()

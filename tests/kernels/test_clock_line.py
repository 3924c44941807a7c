"""The line through a device's blocks: parity with NumPy, and what it says of a clock."""

import numpy as np
import pytest

from rtsep.kernels import _core
from rtsep.kernels.reference import clock_line

RATE, BLOCK = 48000.0, 128


def moments(seconds: float, ppm: float, jitter_s: float, seed: int = 0) -> np.ndarray:
    """When blocks of a clock that is `ppm` too fast come, in order."""
    count = int(seconds * RATE / BLOCK)
    late = np.random.default_rng(seed).uniform(0, jitter_s, count)
    return np.maximum.accumulate(1e5 + np.arange(count) * BLOCK / (RATE * (1 + 1e-6 * ppm)) + late)


@pytest.mark.parametrize("jump_s", [0.0, 0.01, -0.002])
def test_it_is_its_reference(jump_s: float) -> None:
    frames = np.resize([128.0, 64.0, 192.0], 2400)
    times = 1e5 + np.cumsum(frames) / (RATE * 1.00008) + np.random.default_rng(0).uniform(0, 1e-3, 2400)
    times[1200:] += jump_s
    times[100] += 0.02  # one that is far too late
    line, reference = _core.ClockLine(RATE), clock_line.ClockLine(RATE)
    for count, time_s in zip(frames, times, strict=True):
        line.observe(count, time_s)
        reference.observe(count, time_s)
        assert line.time_s == pytest.approx(reference.time_s, abs=1e-9)
        assert line.period_s == pytest.approx(reference.period_s, rel=1e-9)
        assert line.uncertainty == pytest.approx(reference.uncertainty, rel=1e-4)
        assert line.steps == reference.steps
    assert bool(line.steps) == bool(jump_s)


@pytest.mark.parametrize("ppm", [-200.0, 0.0, 35.0, 200.0])
def test_a_clock_is_known_to_five_ppm_within_half_a_minute(ppm: float) -> None:
    line = _core.ClockLine(RATE)
    for index, time_s in enumerate(moments(30.0, ppm, 1e-3)):
        line.observe(BLOCK if index else 0, time_s)
    found_ppm = 1e6 * (1 / (line.period_s * RATE) - 1)
    assert abs(found_ppm - ppm) < 5.0
    assert 1e6 * line.uncertainty < 5.0


def test_a_block_that_comes_late_alone_hardly_moves_it() -> None:
    line, times = _core.ClockLine(RATE), moments(20.0, 0.0, 0.0)
    times[-1] += 0.1
    for time_s in times:
        line.observe(BLOCK, time_s)
    assert abs(line.time_s - (times[-1] - 0.1)) < 1e-5
    assert line.steps == 0


def test_frames_that_were_lost_are_a_step_within_a_quarter_of_a_second() -> None:
    line, times = _core.ClockLine(RATE), moments(20.0, 0.0, 0.5e-3)
    lost_at = len(times) - round(0.25 * RATE / BLOCK)
    times[lost_at:] += 0.004
    for time_s in times:
        line.observe(BLOCK, time_s)
    assert line.steps == 1
    assert abs(line.time_s - times[-1]) < 0.5e-3
    assert abs(line.period_s * RATE - 1) < 20e-6

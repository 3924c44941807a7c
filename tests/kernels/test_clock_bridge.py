"""The bridge between two clocks, on two that are simulated: delay, drift, tone, and what faults do to it."""

import numpy as np
import pytest

from rtsep.kernels import _core

LIBRARIES = ["libsamplerate.so.0", "libsamplerate.0.dylib", "/opt/homebrew/lib/libsamplerate.0.dylib"]

RATE = 48000.0
TONE_HZ = 1000.0
FADE = 64
F32 = np.ndarray


@pytest.fixture(scope="module", autouse=True)
def library() -> None:
    try:
        _core.ClockBridge(1, RATE, 128, LIBRARIES)
    except RuntimeError as error:
        pytest.skip(f"libsamplerate is not installed ({error}): apt install libsamplerate0")


class Clocks:
    """Two devices: when their blocks come, and frame n of the input is sample n of a signal.

    Args:
        seconds: of the machine's clock.
        ppm: how much faster the input's clock is; the output's is the machine's.
        jitter_s: blocks come late by up to that.
        blocks: frames of a block of the input, of the output.
        phase_s: the input's first block ends so long after the output's first one is asked for.
    """

    def __init__(
        self, seconds: float, ppm: float, jitter_s: float, blocks: tuple[int, int] = (128, 128), seed: int = 0
    ) -> None:
        self.rate, self.blocks, self.phase_s = RATE * (1 + 1e-6 * ppm), blocks, 0.00037
        random = np.random.default_rng(seed)
        self.exact = [
            self.phase_s + (np.arange(int(seconds * self.rate / blocks[0])) + 1) * blocks[0] / self.rate,
            np.arange(int(seconds * RATE / blocks[1])) * blocks[1] / RATE,
        ]
        self.times = [
            np.maximum.accumulate(exact + random.uniform(0, jitter_s, len(exact))) for exact in self.exact
        ]

    def captured(self, seconds: F32) -> F32:
        """Frames that the input has at these moments."""
        return (seconds - self.phase_s) * self.rate

    def run(self, signal: F32, bridge: _core.ClockBridge) -> tuple[F32, F32]:
        """What the output gets of float32 [frames], and the bridge's meters after each of its blocks: drift
        in ppm, error of the delay, fill.
        """
        (size, out_size), (pushes, pulls) = self.blocks, self.times
        heard = np.zeros((len(pulls) * out_size, 1), np.float32)
        meters = np.zeros((len(pulls), 3))
        at, x = 0, signal.reshape(-1, 1)
        for index, time_s in enumerate(pulls):
            while at < len(pushes) and pushes[at] <= time_s:
                bridge.push(x[at * size : (at + 1) * size], pushes[at])
                at += 1
            bridge.pull(heard[index * out_size : (index + 1) * out_size], time_s)
            meters[index] = 1e6 * bridge.drift, bridge.delay_error_samples, bridge.fill_samples
        return heard[:, 0], meters

    def tone(self) -> F32:
        """1 kHz by the machine's clock, at -6 dBFS."""
        frames = np.arange(len(self.times[0]) * self.blocks[0])
        return (0.5 * np.sin(2 * np.pi * TONE_HZ / self.rate * frames)).astype(np.float32)


def bridge_of(clocks: Clocks) -> _core.ClockBridge:
    return _core.ClockBridge(1, RATE, max(clocks.blocks), LIBRARIES)


def tone_found(heard: F32, first: int) -> tuple[float, float]:
    """Of one second from frame `first` on: how far a sine is above everything else, dB, at the frequency that
    fits best; the phase of 1 kHz there, in samples.
    """
    frames = np.arange(first, first + int(RATE))
    part, hz, half = heard[frames].astype(np.float64), TONE_HZ, int(RATE) // 2
    for _ in range(4):
        turned = part * np.exp(-2j * np.pi * hz / RATE * frames)
        hz += np.angle(turned[half:].sum() / turned[:half].sum()) / (2 * np.pi * half / RATE)
    basis = np.stack([np.sin(2 * np.pi * hz / RATE * frames), np.cos(2 * np.pi * hz / RATE * frames)], 1)
    sine = basis @ np.linalg.lstsq(basis, part, rcond=None)[0]
    phase = np.angle(1j * (part * np.exp(-2j * np.pi * TONE_HZ / RATE * frames)).sum())
    return 10 * np.log10(sine.var() / (part - sine).var()), phase / (2 * np.pi * TONE_HZ / RATE)


@pytest.mark.parametrize(
    ("ppm", "seed"),
    [
        (200.0, 0),
        *(pytest.param(ppm, seed, marks=pytest.mark.slow) for ppm, seed in ((-200.0, 1), (13.0, 2))),
    ],
)
def test_two_clocks_for_a_minute_and_a_half(ppm: float, seed: int) -> None:
    clocks = Clocks(90.0, ppm, 1e-3, seed=seed)
    bridge = bridge_of(clocks)
    heard, meters = clocks.run(clocks.tone(), bridge)
    later = meters[int(30 * RATE) // clocks.blocks[1] :]
    assert np.abs(later[:, 0] - ppm).max() < 5.0
    assert np.abs(later[:, 1]).max() < 8.0
    assert abs(later[len(later) // 3 :, 1].mean()) < 1.0
    after_start = meters[int(1.5 * RATE) // clocks.blocks[1] :, 2]
    assert bridge.margin_samples - 48 < after_start.min() <= after_start.max() < bridge.margin_samples + 176
    assert (bridge.slips, bridge.silent_frames, bridge.lost_frames) == (0, 0, 0)
    loudest_step = np.abs(np.diff(heard)).max()
    assert loudest_step < 0.5 * 2 * np.sin(np.pi * TONE_HZ / RATE) * 1.002  # a sine has none that is larger
    assert min(tone_found(heard, int(second * RATE))[0] for second in (60, 70, 80, 88)) > 90.0
    wanted_s = -(128 + bridge.delay_samples) / clocks.rate - clocks.phase_s
    period = RATE / TONE_HZ
    off = tone_found(heard, int(88 * RATE))[1] - wanted_s * RATE
    assert abs((off + period / 2) % period - period / 2) < 1.0


@pytest.mark.parametrize("blocks", [(128, 128), (256, 64), (64, 480), (441, 128)])
def test_the_delay_is_the_stated_one(blocks: tuple[int, int]) -> None:
    clocks = Clocks(40.0, -150.0, 0.1e-3, blocks)
    bridge = bridge_of(clocks)
    signal = np.zeros(len(clocks.times[0]) * blocks[0], np.float32)
    click = len(signal) * 3 // 4
    signal[click] = 1.0
    heard, _ = clocks.run(signal, bridge)
    near = int(np.abs(heard).argmax()) + np.arange(-16, 17)
    played = float((near * heard[near]).sum() / heard[near].sum())  # its centre of gravity
    # frame n is the output's n-th where nothing is added: with the block that it comes in
    frames_behind = clocks.captured(np.float64(played / RATE)) - click - max(blocks)
    assert abs(frames_behind - bridge.delay_samples) < 1.0
    assert bridge.delay_samples == max(blocks) + bridge.look_ahead_samples + bridge.margin_samples
    assert bridge.slips == 0


def test_silence_until_the_clocks_are_known_then_a_fade() -> None:
    clocks = Clocks(2.0, 50.0, 0.5e-3)
    heard, _ = clocks.run(np.ones(len(clocks.times[0]) * 128, np.float32), bridge_of(clocks))
    first = int(np.flatnonzero(heard)[0])
    assert 0.5 * RATE <= first < 0.53 * RATE
    assert np.abs(np.diff(heard)).max() < 1.01 / FADE
    np.testing.assert_allclose(heard[first + FADE :], 1.0, atol=1e-5)


def steady(clocks: Clocks) -> F32:
    return np.full(len(clocks.times[0]) * clocks.blocks[0], 0.5, np.float32)


def test_an_input_that_stops_for_a_moment_is_a_gap_of_that_length_without_a_click() -> None:
    clocks = Clocks(4.0, 30.0, 0.2e-3)
    stop = int(2.0 / (128 / RATE))
    pushes = clocks.times[0]
    pushes[stop : stop + 20] = pushes[stop + 20]  # 53 ms, then all of them at once
    bridge = bridge_of(clocks)
    heard, meters = clocks.run(steady(clocks), bridge)
    assert bridge.slips == 1
    assert 0 < bridge.silent_frames <= 20 * 128
    assert np.abs(np.diff(heard[int(RATE) :])).max() < 0.5 * 1.01 / FADE
    np.testing.assert_allclose(heard[int(2.2 * RATE) :], 0.5, atol=1e-5)
    assert np.abs(meters[int(2.2 * RATE / 128) :, 1]).max() < 10.0  # the delay has not moved


def test_an_output_that_stands_still_jumps_back_to_the_stated_delay() -> None:
    clocks = Clocks(6.0, 30.0, 0.2e-3)
    clocks.times[1][int(3.0 * RATE / 128) :] += 1.0
    bridge = bridge_of(clocks)
    heard, meters = clocks.run(steady(clocks), bridge)
    assert bridge.slips >= 1
    assert bridge.lost_frames > 0  # half a second is kept
    assert np.abs(np.diff(heard[int(RATE) :])).max() < 0.5 * 1.01 / FADE
    assert np.abs(meters[int(4.0 * RATE / 128) : int(4.8 * RATE / 128), 1]).max() < 30.0
    np.testing.assert_allclose(heard[int(4.0 * RATE) : int(4.8 * RATE)], 0.5, atol=1e-5)


def test_frames_that_a_driver_loses_leave_a_gap_and_the_delay() -> None:
    clocks = Clocks(6.0, 30.0, 0.2e-3)
    clocks.times[0][int(3.0 * RATE / 128) :] += 0.02
    bridge = bridge_of(clocks)
    heard, meters = clocks.run(steady(clocks), bridge)
    assert bridge.slips >= 1
    assert np.abs(np.diff(heard[int(RATE) :])).max() < 0.5 * 1.01 / FADE
    assert np.abs(meters[int(3.5 * RATE / 128) :, 1]).max() < 30.0
    np.testing.assert_allclose(heard[int(3.5 * RATE) :], 0.5, atol=1e-5)


def test_what_is_no_number_is_gone_with_it() -> None:
    clocks = Clocks(3.0, 30.0, 0.2e-3)
    signal = steady(clocks)
    signal[int(2.0 * RATE)] = np.nan
    heard, _ = clocks.run(signal, bridge_of(clocks))
    bad = np.flatnonzero(~np.isfinite(heard))
    assert 0 < len(bad) <= 2 * bridge_of(clocks).look_ahead_samples
    assert np.isfinite(heard[bad[-1] + 1 :]).all()


def test_channels_stay_apart() -> None:
    bridge = _core.ClockBridge(2, RATE, 128, LIBRARIES)
    block = np.tile(np.array([0.25, -0.5], np.float32), (128, 1))
    out = np.zeros((128, 2), np.float32)
    for index in range(400):
        bridge.push(block, index * 128 / RATE)
        bridge.pull(out, index * 128 / RATE + 0.001)
    np.testing.assert_allclose(out, block, atol=1e-5)

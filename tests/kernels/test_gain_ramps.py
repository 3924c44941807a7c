"""Gains and bypass of the device callback: ramps against their reference, clicks, sums, latency."""

import threading
from math import gcd

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rtsep.kernels import _core
from rtsep.kernels.reference.device_callback import DeviceCallback as Reference

STEMS, HOP, LATENCY, HOP_LATENCY, RAMP, LONGEST_DELAY = 3, 48, 96, 48, 60, 100
SHARES = np.array([0.6, 0.3, 0.1], np.float32)
OPEN = np.ones(STEMS, np.float32)


def enough(block: int) -> int:
    """The latency with which no hop is late in blocks of that length."""
    return LATENCY + block - gcd(block, HOP)


def build(
    kind: type, ramp: int = RAMP, channels: int = 1, outputs: int | None = None, latency: int = LATENCY
) -> Reference:
    """All stem channels on outputs of their own (or summed on one), the bypass on the residual's."""
    gains = np.eye(STEMS * channels, dtype=np.float32)
    bypass = np.zeros((STEMS * channels, channels), np.float32)
    bypass[-channels:] = np.eye(channels)
    if outputs == 1:
        gains, bypass = np.ones((1, STEMS), np.float32), np.ones((1, 1), np.float32)
    picks = list(range(channels))
    callback: Reference = kind(
        picks, channels, gains, STEMS, HOP, latency, HOP_LATENCY, 4096, bypass, ramp, LONGEST_DELAY
    )
    return callback


def run(
    callback: Reference,
    mixture: np.ndarray,
    blocks: list[int],
    moves: dict[int, tuple[np.ndarray, float]],
    outputs: int | None = None,
    delays: dict[int, np.ndarray] | None = None,
) -> np.ndarray:
    """Plays block by block, stems as constant shares; `moves[b]` is set before block b, or all gains 1 and
    the delays `delays[b]`. [frames, outputs].
    """
    played, at, hop_index = [], 0, 0
    channels = mixture.shape[1]
    outputs = STEMS * channels if outputs is None else outputs
    hop = np.zeros((HOP, channels), np.float32)
    for index, frames in enumerate(blocks):
        if index in moves:
            callback.set_gains(*moves[index])
        if delays is not None and index in delays:
            open_mix = np.eye(outputs, outputs + channels, dtype=np.float32)
            callback.set_mix(open_mix, delays[index], float("inf"))
        out = np.full((frames, outputs), np.nan, np.float32)
        callback.process(np.ascontiguousarray(mixture[at : at + frames]), out)
        played.append(out)
        at += frames
        while callback.wait_input(hop_index, 0.0):
            callback.read_hop(hop_index, hop)
            frames_of_hop = np.arange(hop_index * HOP, (hop_index + 1) * HOP) - HOP_LATENCY
            delayed = np.where(
                (frames_of_hop >= 0)[:, None], mixture[np.maximum(frames_of_hop, 0)], np.float32(0)
            )
            callback.deliver(hop_index, np.ascontiguousarray(SHARES[:, None, None] * delayed))
            hop_index += 1
    return np.concatenate(played)


def noise(frames: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(5).uniform(-1, 1, (frames, channels)).astype(np.float32)


gain = st.sampled_from([0.0, 0.25, 1.0, 1.7, 3.98])
move = st.tuples(st.tuples(gain, gain, gain), st.sampled_from([0.0, 0.5, 1.0]))


@given(
    blocks=st.lists(st.integers(1, 300), min_size=1, max_size=12),
    moves=st.dictionaries(st.integers(0, 11), move, max_size=6),
    ramp=st.sampled_from([1, 7, 60, 500]),
    channels=st.integers(1, 2),
)
@example(blocks=[10, 200], moves={1: ((0.25, 1.0, 0.0), 0.0)}, ramp=60, channels=1)  # before anything sounds
@settings(max_examples=60, deadline=None)
def test_equals_the_reference(
    blocks: list[int],
    moves: dict[int, tuple[tuple[float, float, float], float]],
    ramp: int,
    channels: int,
) -> None:
    """Any cutting, targets that change at any block, in the middle of a ramp too."""
    mixture = noise(sum(blocks), channels)
    told = {b: (np.array(gains, np.float32), bypass) for b, (gains, bypass) in moves.items()}
    mine = run(build(_core.DeviceCallback, ramp, channels), mixture, blocks, told)
    twin = run(build(Reference, ramp, channels), mixture, blocks, told)
    np.testing.assert_allclose(mine, twin, atol=2e-6)


delay = st.integers(0, LONGEST_DELAY)


@given(
    blocks=st.lists(st.integers(1, 300), min_size=1, max_size=12),
    delays=st.dictionaries(st.integers(0, 11), st.tuples(delay, delay, delay), max_size=6),
    ramp=st.sampled_from([1, 7, 60, 500]),
    channels=st.integers(1, 2),
)
@example(blocks=[200, 30, 300], delays={1: (40, 0, 0), 2: (7, 0, 99)}, ramp=60, channels=2)  # within a fade
@settings(max_examples=40, deadline=None)
def test_delays_equal_those_of_the_reference(
    blocks: list[int], delays: dict[int, tuple[int, int, int]], ramp: int, channels: int
) -> None:
    """Any delays at any block, before the first one and in the middle of a cross-fade too."""
    mixture = noise(sum(blocks), channels)
    told = {block: np.array(frames, np.float32) for block, frames in delays.items()}
    mine = run(build(_core.DeviceCallback, ramp, channels), mixture, blocks, {}, delays=told)
    twin = run(build(Reference, ramp, channels), mixture, blocks, {}, delays=told)
    np.testing.assert_allclose(mine, twin, atol=2e-6)


@pytest.mark.parametrize("kind", [_core.DeviceCallback, Reference])
def test_a_ramp_is_a_line_and_exact_at_its_end(kind: type) -> None:
    """A constant mixture shows the gain itself: the first frame has moved by a step, the last is there."""
    frames = 20 * HOP
    callback = build(kind)
    target = np.array([0.1, 1.0, 0.3], np.float32)
    played = run(callback, np.ones((frames, 1), np.float32), [HOP] * 20, {10: (target, 0.0)})
    start = 10 * HOP
    seen = played[start : start + RAMP, 0] / SHARES[0]
    np.testing.assert_allclose(seen, 1 - 0.9 * np.arange(1, RAMP + 1) / RAMP, atol=1e-6)
    np.testing.assert_array_equal(played[start + RAMP - 1 :, 0], target[0] * SHARES[0])
    np.testing.assert_array_equal(played[start + RAMP - 1 :, 2], target[2] * SHARES[2])
    np.testing.assert_array_equal(played[LATENCY:, 1], SHARES[1])  # the one that was not moved stays


def test_the_other_ramps_go_on_when_one_gets_a_new_target() -> None:
    """The second gain begins 24 frames later; the first one's ramp ends when it would have ended anyway."""
    blocks = [HOP] * 10 + [24, 24] + [HOP] * 8
    half, both = np.array([0, 1, 1], np.float32), np.array([0, 0, 1], np.float32)
    callback = build(_core.DeviceCallback)
    played = run(callback, np.ones((sum(blocks), 1), np.float32), blocks, {10: (half, 0.0), 11: (both, 0.0)})
    start = 10 * HOP
    assert played[start + RAMP - 2, 0] > 0
    assert not played[start + RAMP - 1 :, 0].any()
    assert played[start + 24 + RAMP - 2, 1] > 0
    assert not played[start + 24 + RAMP - 1 :, 1].any()


@pytest.mark.parametrize("block", [1, 37, 64, 256, 300])
def test_no_click_on_a_tone(block: int) -> None:
    """Off, on, louder, in mid-ramp, into bypass and back: no step of the sound above the tone's own steepest
    one at its loudest plus that of the ramp.
    """
    samplerate, ramp, tone_hz = 48000, 960, 220.0
    frames = 24000 // block * block
    tone = np.sin(2 * np.pi * tone_hz * np.arange(frames) / samplerate).astype(np.float32)[:, None]
    blocks = [block] * (frames // block)

    def at(second: float) -> int:
        return int(second * samplerate) // block

    moves = {
        at(0.05): (np.array([0, 1, 1], np.float32), 0.0),
        at(0.10): (np.array([2, 0, 1], np.float32), 0.0),
        at(0.11): (np.array([0, 2, 0], np.float32), 0.0),  # in the middle of a ramp
        at(0.20): (np.array([0, 2, 0], np.float32), 1.0),
        at(0.30): (np.array([2, 2, 2], np.float32), 0.0),
        at(0.40): (np.array([0, 0, 0], np.float32), 1.0),
    }
    latency = enough(block)
    callback = build(_core.DeviceCallback, ramp, outputs=1, latency=latency)
    played = run(callback, tone, blocks, moves, outputs=1)
    loudest = 2.0
    slope = loudest * 2 * np.pi * tone_hz / samplerate + 2 * loudest / ramp
    steps = np.abs(np.diff(played[latency:, 0]))
    assert steps.max() <= slope + 1e-6
    assert steps.max() > 0.5 * slope  # the bound is that of this sound, not of a louder one


@pytest.mark.parametrize("block", [1, 37, 48, 300])
def test_an_impulse_keeps_its_place_while_gains_move(block: int) -> None:
    frames = 12000 // block * block
    mixture, latency = np.zeros((frames, 1), np.float32), enough(block)
    impulses = np.arange(100, frames - latency, 487)
    mixture[impulses] = 1.0
    rng = np.random.default_rng(3)
    moves = {
        int(b): (rng.uniform(0.1, 2, STEMS).astype(np.float32), float(rng.uniform()))
        for b in range(0, frames // block, 3)
    }
    callback = build(_core.DeviceCallback, 100, latency=latency)
    played = run(callback, mixture, [block] * (frames // block), moves)
    np.testing.assert_array_equal(np.flatnonzero(played.sum(1)), impulses + latency)


def test_open_gains_sum_to_the_delayed_mixture() -> None:
    mixture = noise(40 * HOP)
    moves = {3: (0.2 * OPEN, 0.0), 20: (OPEN, 0.0)}
    played = run(build(_core.DeviceCallback), mixture, [HOP] * 40, moves)
    back = 20 * HOP + RAMP
    np.testing.assert_allclose(played[back:].sum(1), mixture[back - LATENCY : -LATENCY, 0], atol=1e-6)


@pytest.mark.parametrize("stems", [OPEN, 0 * OPEN, np.array([0, 3, 0.5], np.float32)])
def test_bypass_is_the_delayed_mixture_whatever_the_stems_are(stems: np.ndarray) -> None:
    """To the last bit, on its own outputs, with the other ones silent; and none of it when it is off."""
    mixture = noise(60 * HOP)
    moves = {0: (stems, 0.0), 10: (stems, 1.0), 40: (OPEN, 0.0)}
    played = run(build(_core.DeviceCallback), mixture, [HOP] * 60, moves)
    on = slice(10 * HOP + RAMP - 1, 40 * HOP)
    np.testing.assert_array_equal(played[on, -1], mixture[on.start - LATENCY : on.stop - LATENCY, 0])
    np.testing.assert_array_equal(played[on, :-1], 0)
    off = 40 * HOP + RAMP - 1
    np.testing.assert_array_equal(played[off:], mixture[off - LATENCY : -LATENCY] * SHARES)


def test_the_cross_fade_into_bypass_is_not_heard_in_the_sum() -> None:
    """Stems that are open, and the mixture: the same sum, whatever the shares of the cross-fade."""
    mixture = noise(40 * HOP)
    played = run(build(_core.DeviceCallback), mixture, [HOP] * 40, {10: (OPEN, 1.0), 20: (OPEN, 0.0)})
    np.testing.assert_allclose(played[LATENCY:].sum(1), mixture[:-LATENCY, 0], atol=1e-6)


def test_gains_hold_in_fallback_and_in_its_fades() -> None:
    """Stems that are late while the first is off: it stays off, mirrored tail included."""
    callback = build(_core.DeviceCallback)
    callback.set_gains(np.array([0, 1, 1], np.float32), 0.0)
    mixture, out, hop = noise(20 * HOP), np.zeros((HOP, STEMS), np.float32), np.zeros((HOP, 1), np.float32)
    for k in range(20):
        callback.process(mixture[k * HOP : (k + 1) * HOP], out)
        assert not out[:, 0].any()
        callback.read_hop(k, hop)
        if not 8 <= k < 12:
            callback.deliver(k, np.ones((STEMS, HOP, 1), np.float32))
    assert callback.late_hops == 4


def test_a_stem_is_not_read_once_its_ramp_has_ended_at_zero() -> None:
    """No number in a stem that is off: 0 times NaN would be NaN at the output."""
    callback = build(_core.DeviceCallback, outputs=1)
    silence, out, hop = np.zeros((HOP, 1), np.float32), np.zeros((HOP, 1), np.float32), noise(HOP)
    for k in range(14):
        if k == 4:
            callback.set_gains(np.array([0, 1, 1], np.float32), 0.0)
        callback.process(silence, out)
        callback.read_hop(k, hop)
        stems = np.full((STEMS, HOP, 1), 0.1, np.float32)
        if k >= 8:
            stems[0] = np.nan
        callback.deliver(k, stems)
    np.testing.assert_allclose(out, 0.2, atol=1e-6)
    assert callback.nonfinite_samples == 0


@pytest.mark.parametrize(
    ("stem", "ceiling", "played", "limited", "nonfinite"),
    [
        (0.9, 0.5, 0.5, True, False),
        (-0.9, 0.5, -0.5, True, False),
        (-0.4, 0.5, -0.4, False, False),
        (-np.inf, 0.5, -0.5, True, False),
        (-0.9, np.inf, -0.9, False, False),
        (-np.inf, np.inf, 0.0, False, True),
        (np.inf, np.inf, 0.0, False, True),
        (np.nan, 0.5, 0.0, False, True),
    ],
)
def test_a_ceiling_keeps_the_sign(
    stem: float, ceiling: float, played: float, limited: bool, nonfinite: bool
) -> None:
    """And without one, a sum without bound is silence, counted as no number."""
    callback = build(_core.DeviceCallback, outputs=1)
    callback.set_mix(np.eye(1, STEMS + 1, dtype=np.float32), np.zeros(STEMS, np.float32), ceiling)
    hop, out = np.zeros((HOP, 1), np.float32), np.zeros((HOP, 1), np.float32)
    for k in range(12):
        callback.process(hop, out)
        callback.read_hop(k, hop)
        callback.deliver(k, np.full((STEMS, HOP, 1), stem if k >= 6 else 0, np.float32))
    np.testing.assert_array_equal(out, np.float32(played))
    assert (callback.limited_samples > 0, callback.nonfinite_samples > 0) == (limited, nonfinite)


def test_before_the_first_frame_gains_are_there_at_once() -> None:
    """A muted stem does not leak for a ramp when an engine starts again."""
    callback = build(_core.DeviceCallback, ramp=10_000)
    played = run(callback, np.ones((20 * HOP, 1), np.float32), [HOP] * 20, {0: (0 * OPEN, 0.0)})
    assert not played.any()


def test_gains_of_one_command_begin_in_one_frame() -> None:
    """Commands hammered in from another thread: all gains of a command move together, or none.

    So many stems that a command is often met in the middle; the first and the last are listened to.
    """
    stems = 8192
    routes = np.zeros((2, stems), np.float32)
    routes[0, 0] = routes[1, -1] = 1
    callback = _core.DeviceCallback([0], 1, routes, stems, 1, 2, 1, 256, np.zeros((2, 1), np.float32), 1)
    ended = threading.Event()

    def hammer() -> None:
        values = [np.full(stems, value, np.float32) for value in range(1, 100)]
        while not ended.is_set():
            for value in values:
                callback.set_gains(value, 0.0)

    hop, ones = np.zeros((1, 1), np.float32), np.ones((stems, 1, 1), np.float32)
    out = np.zeros((1, 2), np.float32)
    for k in range(100):  # past every fade
        callback.process(hop, out)
        callback.read_hop(k, hop)
        callback.deliver(k, ones)
    thread = threading.Thread(target=hammer)
    thread.start()
    seen: set[float] = set()
    try:
        for k in range(100, 10_000):
            callback.process(hop, out)
            callback.read_hop(k, hop)
            callback.deliver(k, ones)
            assert out[0, 0] == out[0, 1]
            seen.add(float(out[0, 0]))
    finally:
        ended.set()
        thread.join()
    assert len(seen) > 20


@pytest.mark.parametrize(
    ("gains", "bypass", "message"),
    [
        (np.ones(STEMS + 1, np.float32), 0.0, r"stem_gains must be \[S\]"),
        (np.full(STEMS, np.nan, np.float32), 0.0, "a gain is nan"),
        (np.full(STEMS, -1, np.float32), 0.0, "a gain is -1"),
        (np.full(STEMS, np.inf, np.float32), 0.0, "a gain is inf"),
        (OPEN, 1.5, "bypass is 1.5"),
        (OPEN, float("nan"), "bypass is nan"),
    ],
)
def test_what_is_no_gain_is_refused(gains: np.ndarray, bypass: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(_core.DeviceCallback).set_gains(gains, bypass)

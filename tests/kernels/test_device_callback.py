"""The device callback without a device: latency, overload, fades, sums. The code is the one PortAudio
calls.
"""

import threading
from collections.abc import Callable, Iterable
from math import gcd

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsep.kernels import _core
from rtsep.kernels.reference.device_callback import DeviceCallback as Reference

VOICES, HOP = 2, 48
STEMS = VOICES + 1
HOP_LATENCY = HOP  # 2M - H with M = H


def separated(mixture: np.ndarray, hop_index: int) -> np.ndarray:
    """Stems [S, H, C] of a hop as a perfect separator gives them: shares of the input, HOP_LATENCY late."""
    frames = np.arange(hop_index * HOP, (hop_index + 1) * HOP) - HOP_LATENCY
    delayed = np.where((frames >= 0)[:, None], mixture[np.maximum(frames, 0)], np.float32(0))
    shares = np.array([0.6, 0.3], np.float32)
    voices = [share * delayed for share in shares]
    return np.ascontiguousarray(np.stack([*voices, delayed - voices[0] - voices[1]]), np.float32)


def build(kind: type, latency: int, channels: int = 1, capacity: int = 4096) -> Reference:
    """A callback of that kind whose outputs are all stem channels."""
    gains = np.eye(STEMS * channels, dtype=np.float32)
    bypass = np.zeros((STEMS * channels, channels), np.float32)
    callback: Reference = kind(
        list(range(channels)), channels, gains, STEMS, HOP, latency, HOP_LATENCY, capacity, bypass, 960
    )
    return callback


def run(
    callback: Reference, mixture: np.ndarray, blocks: Iterable[int], may_deliver: Callable[[int, int], bool]
) -> np.ndarray:
    """Feeds `mixture` in blocks; after each, hops are read, and delivered where `may_deliver(hop, position)`.

    Returns what was played, [frames, S * C].
    """
    played, at, hop_index = [], 0, 0
    held: list[int] = []
    hop = np.zeros((HOP, mixture.shape[1]), np.float32)
    for frames in blocks:
        block = np.ascontiguousarray(mixture[at : at + frames])
        out = np.full((len(block), STEMS * mixture.shape[1]), np.nan, np.float32)
        callback.process(block, out)
        played.append(out)
        at += len(block)
        while callback.wait_input(hop_index, 0.0):
            callback.read_hop(hop_index, hop)
            held.append(hop_index)
            hop_index += 1
        for k in list(held):
            if may_deliver(k, at):
                callback.deliver(k, separated(mixture, k))
                held.remove(k)
    return np.concatenate(played)


def noise(frames: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(5).uniform(-1, 1, (frames, channels)).astype(np.float32)


@pytest.mark.parametrize("block", [1, 16, 24, 32, 48, 64, 100, 128, 480])
def test_on_time_the_delay_is_declared_and_least(block: int) -> None:
    """2M + B - gcd(B, H) is enough, and one frame less is not."""
    latency = 2 * HOP + block - gcd(block, HOP)
    mixture = noise(40 * max(block, HOP), 2)
    blocks = [block] * (len(mixture) // block)
    callback = build(_core.DeviceCallback, latency, 2)
    played = run(callback, mixture, blocks, lambda k, at: True)
    assert (callback.late_hops, callback.fallback_samples) == (0, 0)
    total = played.reshape(len(played), STEMS, 2).sum(1)
    np.testing.assert_allclose(total[latency:], mixture[: len(total) - latency], atol=1e-6)
    np.testing.assert_array_equal(total[:latency], 0)
    if latency > 2 * HOP:
        short = build(_core.DeviceCallback, latency - 1, 2)
        run(short, mixture, blocks, lambda k, at: True)
        assert short.late_hops > 0


@given(
    blocks=st.lists(st.integers(1, 300), min_size=1, max_size=10),
    late=st.sets(st.integers(0, 30)),
    lost=st.sets(st.integers(0, 30)),
    extra=st.integers(0, 200),
)
@settings(max_examples=40, deadline=None)
def test_equals_the_reference(blocks: list[int], late: set[int], lost: set[int], extra: int) -> None:
    """Any cutting, any hops late by up to three hops or never delivered: the same samples and counters."""
    mixture, latency = noise(sum(blocks)), 2 * HOP + extra

    def may_deliver(k: int, at: int) -> bool:
        return k not in lost and (k not in late or at >= (k + 4) * HOP)

    results = []
    for kind in (_core.DeviceCallback, Reference):
        callback = build(kind, latency)
        played = run(callback, mixture, blocks, may_deliver)
        results.append((played, callback.late_hops, callback.fallback_samples, callback.position))
    np.testing.assert_allclose(results[0][0], results[1][0], atol=2e-6)
    assert results[0][1:] == results[1][1:]


@given(late=st.sets(st.integers(0, 40)), lost=st.sets(st.integers(0, 40)), block=st.integers(1, 300))
@settings(max_examples=60, deadline=None)
def test_stems_always_sum_to_the_delayed_mixture(late: set[int], lost: set[int], block: int) -> None:
    mixture, latency = noise(40 * HOP), 2 * HOP + block - gcd(block, HOP)
    blocks = [block] * (len(mixture) // block)
    callback = build(_core.DeviceCallback, latency)
    played = run(
        callback, mixture, blocks, lambda k, at: k not in lost and (k not in late or at >= (k + 4) * HOP)
    )
    total = played.sum(1)
    np.testing.assert_allclose(total[latency:], mixture[: max(0, len(total) - latency), 0], atol=2e-6)
    np.testing.assert_array_equal(total[:latency], 0)


def test_fallback_fades_without_a_click() -> None:
    """A constant input makes every step of a stem visible: none is larger than the fade's own slope."""
    latency, frames = 2 * HOP, 40 * HOP
    mixture = np.ones((frames, 1), np.float32)
    callback = build(_core.DeviceCallback, latency)
    played = run(callback, mixture, [HOP] * (frames // HOP), lambda k, at: not 10 <= k < 20)
    voice = played[latency + 3 * HOP :, 0]  # past the onset, which is the signal's own step
    assert np.abs(np.diff(voice)).max() <= 0.6 / 64 + 1e-6
    gap = played[callback.first_frame(10) : callback.first_frame(20)]
    np.testing.assert_array_equal(gap[64:, :VOICES], 0)
    np.testing.assert_array_equal(gap[64:, VOICES], 1)
    back = played[callback.first_frame(20) + 64 :]
    np.testing.assert_allclose(back[:, 0], 0.6, atol=1e-6)
    assert callback.late_hops == 10
    assert callback.fallback_samples == 10 * HOP


def test_nonfinite_input_is_zeroed_and_counted() -> None:
    mixture = noise(20 * HOP)
    clean = mixture.copy()
    mixture[100, 0], mixture[200, 0], mixture[300, 0] = np.nan, np.inf, -np.inf
    clean[[100, 200, 300]] = 0
    callback = build(_core.DeviceCallback, 2 * HOP)
    played = run(callback, mixture, [HOP] * 20, lambda k, at: False)
    assert callback.nonfinite_samples == 3
    np.testing.assert_array_equal(played[2 * HOP :].sum(1), clean[: -2 * HOP, 0])


def test_flags_count_as_xruns_but_priming_does_not() -> None:
    callback = build(_core.DeviceCallback, 2 * HOP)
    block, out = np.zeros((16, 1), np.float32), np.zeros((16, STEMS), np.float32)
    for flags in (0, 1, 2, 4, 8, 16, 1 | 4):
        callback.process(block, out, flags)
    assert callback.xruns == 5


def test_picks_and_gains() -> None:
    gains = np.array([[0, 0, 0.5], [0, 0, 0], [0, 0, -1]], np.float32)
    bypass = np.zeros((3, 1), np.float32)
    callback = _core.DeviceCallback([2], 4, gains, STEMS, HOP, 2 * HOP, HOP_LATENCY, 256, bypass, 960)
    indata, out = noise(10 * HOP, 4), np.zeros((10 * HOP, 3), np.float32)
    callback.process(indata, out)  # nothing delivered: the residual is the delayed third channel
    delayed = indata[: -2 * HOP, 2]
    np.testing.assert_array_equal(out[2 * HOP :], np.stack([0.5 * delayed, 0 * delayed, -delayed], 1))
    assert callback.take_input_peak(0) == pytest.approx(np.abs(indata[:, 2]).max())
    assert callback.take_input_peak(0) == 0
    assert callback.device_outputs == 3
    for output, expected in enumerate(np.abs(out).max(0)):
        assert callback.take_output_peak(output) == expected
        assert callback.take_output_peak(output) == 0
    with pytest.raises(ValueError, match="no such output"):
        callback.take_output_peak(3)


@pytest.mark.parametrize("kind", [_core.DeviceCallback, Reference])
@pytest.mark.parametrize("block", [HOP, 30, 7, 211, 300])
def test_a_stalled_engine_finds_its_place_again(kind: type, block: int) -> None:
    """The ring overflows, twice; after the stall the engine gets zeros for what was lost, and then the right
    frames. Also where the ring is full in the middle of a hop: the rest of that hop never comes.
    """
    blocks = 150 * HOP // block
    callback, mixture = build(kind, 2 * HOP, capacity=256), 2 + noise(blocks * block)
    out, hop = np.zeros((block, STEMS), np.float32), np.zeros((HOP, 1), np.float32)
    total_lost, seen = 0, np.zeros_like(mixture)
    hop_index = 0
    for i in range(blocks):
        callback.process(mixture[i * block : (i + 1) * block], out)
        if i < blocks // 3 or blocks // 2 < i < 3 * blocks // 4:
            continue  # stalled
        while callback.wait_input(hop_index, 0.0):
            hop[...] = np.nan
            lost = callback.read_hop(hop_index, hop)
            assert lost == (hop == 0).sum()
            total_lost += lost
            seen[hop_index * HOP : (hop_index + 1) * HOP] = hop
            hop_index += 1
    assert hop_index == blocks * block // HOP
    assert total_lost == callback.input_lost_frames > HOP
    came = seen != 0
    np.testing.assert_array_equal(seen[came], mixture[came])
    # two gaps, and what came after the last hop
    assert np.count_nonzero(np.diff(came[: hop_index * HOP, 0].astype(int)) == -1) == 2
    assert came[hop_index * HOP - 20 * HOP : hop_index * HOP].all()


def test_with_an_engine_on_a_thread_of_its_own() -> None:
    """Real concurrency: whatever the threads do, the sum holds and delivered stems are played unchanged."""
    latency, frames = 2 * HOP, 1000 * HOP
    mixture = noise(frames)
    callback = build(_core.DeviceCallback, latency, capacity=frames)
    played = np.zeros((frames, STEMS), np.float32)

    def engine() -> None:
        hop = np.zeros((HOP, 1), np.float32)
        for k in range(frames // HOP):
            assert callback.wait_input(k, 10.0)
            callback.read_hop(k, hop)
            callback.deliver(k, separated(mixture, k))

    worker = threading.Thread(target=engine)
    worker.start()
    for at in range(0, frames, 16):
        out = np.zeros((16, STEMS), np.float32)
        callback.process(mixture[at : at + 16], out)
        played[at : at + 16] = out
    worker.join()
    np.testing.assert_allclose(played[latency:].sum(1), mixture[:-latency, 0], atol=2e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"picks": []}, "picks"),
        ({"picks": [1]}, "not a device channel"),
        ({"latency": 2 * HOP - 1}, "latency"),
        ({"gains": np.zeros((2, STEMS + 1), np.float32)}, "gains"),
        ({"stems": 1}, "residual"),
        ({"bypass_gains": np.zeros((STEMS, 2), np.float32)}, "bypass_gains"),
        ({"ramp": 0}, "ramp"),
    ],
)
def test_wrong_settings_are_named(change: dict[str, object], message: str) -> None:
    settings = {
        "picks": [0],
        "device_inputs": 1,
        "gains": np.eye(STEMS, dtype=np.float32),
        "stems": STEMS,
        "hop": HOP,
        "latency": 2 * HOP,
        "hop_latency": HOP_LATENCY,
        "input_capacity": 256,
        "bypass_gains": np.zeros((STEMS, 1), np.float32),
        "ramp": 960,
    }
    with pytest.raises(ValueError, match=message):
        _core.DeviceCallback(**(settings | change))  # type: ignore[arg-type]

"""The contract of `Separator`: any cutting, conservation, state, broken samples, bounds on what is asked."""

import tracemalloc
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rtsep.kernels.errors import RtsepError
from rtsep.models.choir.given_pitches import F0Track
from rtsep.rt.audio.test_signals import synthetic_choir
from rtsep.rt.separator import Separator

F32 = NDArray[np.float32]
RATE = 8000
# float32 rounding of a frame's transform and of at most five sums, relative to the loudest sample
ROUNDING = 2e-6


def load(model: str = "choir", **changes: Any) -> Separator:
    """Two voices at 8 kHz, 43 ms: the cheapest separator."""
    return Separator.load(model, **{"voices": 2, "samplerate": RATE, "latency_ms": 43, **changes})


def choir(seconds: float, channels: int = 1, samplerate: int = RATE) -> F32:
    return synthetic_choir(samplerate, seconds, channels=channels, voices=2)


def contours(seconds: float) -> F0Track:
    times = np.arange(0.0, seconds, 0.01)
    return F0Track(times, np.stack((523.0 + 5 * np.sin(30 * times), 392.0 + 0 * times), axis=1))


def in_blocks(separator: Separator, signal: F32, sizes: Iterable[int]) -> F32:
    parts, start, sizes = [], 0, list(sizes)
    while start < len(signal):
        for size in sizes:
            parts.append(separator.process(signal[start : start + size]))
            start += size
    return np.concatenate(parts, axis=1)[:, : len(signal)]


KINDS = pytest.mark.parametrize(
    "kind", ["choir", "choir-comb", "choir-fixed", "choir-comb f0", "choir-fixed f0"]
)


def load_kind(kind: str, **changes: Any) -> Separator:
    f0 = contours(10.0) if kind.endswith("f0") else None
    return load(kind.split()[0], f0=f0, **changes)


SIGNAL = choir(1.0, channels=2)
WHOLE = load(channels=2).process(SIGNAL)


@given(sizes=st.lists(st.one_of(st.integers(1, 400), st.integers(1, 8192)), min_size=1, max_size=12))
@settings(max_examples=25)
def test_any_cutting_gives_the_same_samples(sizes: list[int]) -> None:
    separator = load(channels=2)
    np.testing.assert_array_equal(in_blocks(separator, SIGNAL, sizes), WHOLE)


@pytest.mark.parametrize("size", [1, 2, 170, 171, 172, 8191, 8192])
def test_blocks_of_one_size_give_the_same_samples(size: int) -> None:
    np.testing.assert_array_equal(in_blocks(load(channels=2), SIGNAL, [size]), WHOLE)


@KINDS
def test_hops_give_the_same_samples_one_hop_earlier(kind: str) -> None:
    separator, twin = load_kind(kind), load_kind(kind)
    hop = separator.hop
    signal = choir(1.0)[: 40 * hop]
    whole = separator.process(signal)
    out = np.empty((3, hop, 1), np.float32)
    for start in range(0, len(signal) - hop, hop):
        twin.process_hop(signal[start : start + hop], out)
        np.testing.assert_array_equal(out, whole[:, start + hop : start + 2 * hop])


@KINDS
@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize(("samplerate", "latency_ms"), [(8000, 43), (16000, 11), (48000, 21)])
def test_stems_and_residual_sum_to_the_delayed_input(
    kind: str, channels: int, samplerate: int, latency_ms: int
) -> None:
    separator = load_kind(kind, channels=channels, samplerate=samplerate, latency_ms=latency_ms)
    signal = choir(0.5, channels, samplerate)
    out = np.concatenate((separator.process(signal), separator.flush()), axis=1)
    delay = separator.latency_samples
    assert out.shape == (3, len(signal) + delay, channels)
    total = out.sum(axis=0, dtype=np.float64)
    assert np.abs(total[delay:] - signal).max() <= ROUNDING * np.abs(signal).max()
    assert np.abs(total[:delay]).max() <= ROUNDING * np.abs(signal).max()
    assert np.abs(out[:-1]).max() > 0.05  # the stems are no silence


def test_flush_returns_the_tail() -> None:
    """Feeding the silence by hand gives the same, and an impulse in the last sample comes out last."""
    flushed, by_hand = load(), load()
    signal = choir(0.3)
    silence = np.zeros((flushed.latency_samples, 1), np.float32)
    flushed.process(signal)
    tail = flushed.flush()
    np.testing.assert_array_equal(tail, by_hand.process(np.concatenate((signal, silence)))[:, len(signal) :])
    impulse = np.zeros((500, 1), np.float32)
    impulse[-1] = 1.0
    separator = load()
    separator.process(impulse)
    assert int(np.argmax(np.abs(separator.flush().sum(axis=0)))) == separator.latency_samples - 1


def test_float64_and_strided_blocks_are_taken() -> None:
    signal = choir(0.3, channels=2)
    expected = load(channels=2).process(signal)
    for block in (signal.astype(np.float64), np.asfortranarray(signal), np.repeat(signal, 2, axis=0)[::2]):
        np.testing.assert_array_equal(load(channels=2).process(block), expected)  # type: ignore[arg-type]
    np.testing.assert_array_equal(load().process(signal[:, 0]), load().process(signal[:, :1]))


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint8, np.complex64, np.bool_])
def test_samples_that_are_not_floating_point_are_refused(dtype: type) -> None:
    with pytest.raises(ValueError, match="scale samples to float32, full scale = 1"):
        load().process(np.zeros((10, 1), dtype))  # type: ignore[arg-type]


def test_wrong_shapes_are_refused_and_change_nothing() -> None:
    separator, signal = load(channels=2), choir(0.3, channels=2)
    for shape in [(10,), (10, 1), (10, 3), (2, 10), (10, 2, 1), ()]:
        with pytest.raises(ValueError, match=r"expected \[frames, 2\]"):
            separator.process(np.ones(shape, np.float32))
    for out in (np.empty((3, 9, 2), np.float32), np.empty((2, 10, 2), np.float32), np.empty((3, 10, 2))):
        with pytest.raises(ValueError, match="expected a NumPy array of float32 of shape"):
            separator.process(np.ones((10, 2), np.float32), out)  # type: ignore[arg-type]
    hop, good = np.ones((separator.hop, 2), np.float32), np.zeros((3, separator.hop, 2), np.float32)
    for call in (separator.process_hop, separator.skip_hop):
        for block, out in [(hop[:-1], good), (hop, good[:, :-1]), (hop, good[:2]), (hop[:, :1], good)]:
            with pytest.raises(ValueError, match="hop has shape"):
                call(block, out)
        for block, out in [
            (hop.astype(float), good),
            (np.asfortranarray(hop), good),
            (hop, good.astype(float)),
        ]:
            with pytest.raises(TypeError, match="C-contiguous float32"):
                call(block, out)  # type: ignore[arg-type]
    np.testing.assert_array_equal(separator.process(signal), load(channels=2).process(signal))


def test_empty_blocks_are_nothing() -> None:
    separator, signal = load(), choir(0.2)
    assert separator.process(signal[:0]).shape == (3, 0, 1)
    np.testing.assert_array_equal(separator.process(signal), load().process(signal))


def test_out_is_written_and_returned() -> None:
    signal = choir(0.2)
    out = np.full((3, len(signal), 1), np.nan, np.float32)
    assert load().process(signal, out) is out
    np.testing.assert_array_equal(out, load().process(signal))
    room = np.full((3, 2 * len(signal), 1), np.nan, np.float32)
    load().process(signal, room[:, ::2])
    np.testing.assert_array_equal(room[:, ::2], out)


@KINDS
def test_reset_is_a_fresh_instance(kind: str) -> None:
    used, signal = load_kind(kind), choir(0.7)
    used.process(signal[:3333])
    used.process(np.full((100, 1), np.nan, np.float32))
    used.reset()
    assert used.nonfinite_samples == 0
    fresh = load_kind(kind)
    assert_same_state(used, fresh)
    np.testing.assert_array_equal(used.process(signal), fresh.process(signal))
    assert_same_state(used, fresh)


def assert_same_state(one: Separator, other: Separator) -> None:
    a, b = one.state_dict(), other.state_dict()
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


@KINDS
@given(at=st.integers(1, 7000))
@settings(max_examples=6)
def test_state_resumes_sample_exactly_anywhere(kind: str, at: int) -> None:
    signal, first, second = choir(1.0), load_kind(kind), load_kind(kind)
    expected = load_kind(kind).process(signal)
    first.process(signal[:at])
    state = first.state_dict()
    kept = {name: value.copy() for name, value in state.items()}
    first.process(signal[at:])  # the state is a copy: going on does not change it
    second.process(signal[::-1].copy())
    second.load_state_dict(state)
    np.testing.assert_array_equal(second.process(signal[at:]), expected[:, at:])
    for name in kept:
        np.testing.assert_array_equal(state[name], kept[name])
    assert_same_state(first, second)


@pytest.mark.parametrize(
    "changes",
    [
        {"voices": 3},
        {"channels": 2},
        {"latency_ms": 21},
        {"samplerate": 16000},
        {"samplerate": 8001},
        {"model": "choir-fixed"},
        {"f0": contours(1.0)},
    ],
    ids=lambda changes: "f0" if "f0" in changes else str(changes),  # the same in every process
)
def test_state_of_another_setting_is_refused_and_changes_nothing(changes: dict[str, Any]) -> None:
    signal, separator, other = choir(0.4), load(), load(**changes)
    other.process(np.zeros((1000, other.channels), np.float32))
    separator.process(signal[:1000])
    with pytest.raises(ValueError, match="state"):
        separator.load_state_dict(other.state_dict())
    np.testing.assert_array_equal(separator.process(signal[1000:]), load().process(signal)[:, 1000:])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("position", np.array(171)),
        ("position", np.array(-1)),
        ("position", np.array(3.0)),
        ("pending", np.zeros((171, 1))),
        ("history", np.full((1, 512), np.nan, np.float32)),
        ("model.comb.envelope", np.full((2, 36), np.nan, np.float32)),
        ("model.tracker.pitch", np.full((12, 2), 9999, np.int32)),
        ("model.tracker.last", np.full((12, 2), -2, np.int32)),
        ("unknown", np.zeros(1)),
    ],
    ids=str,
)
def test_states_that_cannot_be_are_refused_and_change_nothing(name: str, value: NDArray[Any]) -> None:
    signal, separator = choir(0.4), load()
    separator.process(signal[:1000])
    state = load().state_dict()
    with pytest.raises(ValueError, match=name.removeprefix("model.")):
        separator.load_state_dict({**state, name: value})
    del state["tail"]
    with pytest.raises(ValueError, match="tail"):
        separator.load_state_dict(state)
    np.testing.assert_array_equal(separator.process(signal[1000:]), load().process(signal)[:, 1000:])


@KINDS
def test_silence_gives_exact_silence(kind: str) -> None:
    separator = load_kind(kind)
    assert not separator.process(np.zeros((4000, 1), np.float32)).any()
    separator.process(choir(0.5))
    gone = 512 + separator.latency_samples  # the analysis window and the overlap
    tail = separator.process(np.zeros((gone + 2000, 1), np.float32))
    assert tail[:, :gone].any()
    assert not tail[:, gone:].any()


@KINDS
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e13, -3e38])
def test_broken_samples_are_zeroed_counted_and_leave_no_trace(kind: str, value: float) -> None:
    signal = choir(0.6, channels=2)
    hit = np.random.default_rng(0).random(signal.shape) < 0.01
    hit[1000:1300] = True
    broken, zeroed = signal.copy(), signal.copy()
    broken[hit], zeroed[hit] = value, 0
    separator, clean = load_kind(kind, channels=2), load_kind(kind, channels=2)
    np.testing.assert_array_equal(separator.process(broken), clean.process(zeroed))
    assert separator.nonfinite_samples == hit[: len(hit) // separator.hop * separator.hop].sum()
    assert clean.nonfinite_samples == 0


@KINDS
@pytest.mark.parametrize("gain", [1e-30, 1e-12, 1e6, 9e11])
def test_any_level_gives_finite_samples_and_conserves(kind: str, gain: float) -> None:
    signal = choir(0.5) * np.float32(gain)
    separator = load_kind(kind)
    out = separator.process(signal)
    assert np.isfinite(out).all()
    total, delay = out.sum(axis=0, dtype=np.float64), separator.latency_samples
    assert np.abs(total[delay:] - signal[:-delay]).max() <= ROUNDING * np.abs(signal).max()


@KINDS
def test_two_instances_give_the_same_samples(kind: str) -> None:
    signal, one, other = choir(0.5), load_kind(kind), load_kind(kind)
    np.testing.assert_array_equal(one.process(signal), other.process(signal))
    assert_same_state(one, other)


@KINDS
def test_memory_does_not_grow_with_hops(kind: str) -> None:
    separator, signal = load_kind(kind), choir(0.5)
    out = np.empty((3, len(signal), 1), np.float32)
    separator.process(signal, out)
    tracemalloc.start()
    try:
        separator.process(signal, out)
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(15):
            separator.process(signal, out)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 2048  # 350 hops: less than six bytes each, so nothing is kept


def test_report_is_of_the_last_hop() -> None:
    separator = load(voices=1)
    assert not separator.voices.f0_hz.any()
    t = np.arange(RATE // 2) / RATE
    tone = sum(0.1 / k * np.sin(2 * np.pi * 300.0 * k * t) for k in range(1, 8))
    separator.process(np.asarray(tone, np.float32))
    assert abs(1200 * np.log2(separator.voices.f0_hz[0] / 300.0)) < 5
    separator.reset()
    assert not separator.voices.f0_hz.any()
    np.testing.assert_array_equal(separator.voices.level_db, np.float32(-120))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"voices": 0}, r"0 voices is outside 1\.\.4; ask for"),
        ({"voices": 5}, r"5 voices is outside 1\.\.4; ask for"),
        (
            {"model": "chior"},
            "model 'chior' is not one of band, band-large, choir, choir-comb, choir-fixed, choir-levels",
        ),
        ({"backend": "gpu"}, r"backend 'gpu' is not one of auto, cpu, openvino, .*tensorrt-fp16; use"),
        ({"samplerate": 7999}, r"sample rate 7999 Hz is outside 8000\.\.192000 Hz; resample"),
        ({"samplerate": 192001}, r"sample rate 192001 Hz is outside 8000\.\.192000 Hz; resample"),
        ({"latency_ms": 10}, "latency 10 ms is not one of 5, 11, 21, 43, 143, 243, 543 ms; choose"),
        ({"channels": 0}, r"0 channels is outside 1\.\.64; select"),
        ({"channels": 65}, r"65 channels is outside 1\.\.64; select"),
    ],
    ids=str,
)
def test_what_is_out_of_bounds_is_refused_in_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RtsepError, match=message) as caught:
        load(**changes)
    assert "\n" not in str(caught.value)


def test_f0_with_another_number_of_voices_is_refused() -> None:
    with pytest.raises(RtsepError, match="2 contours of F0 for 3 voices; give"):
        load(voices=3, f0=contours(1.0))

"""Many streams on the processor are as many separators; and what `BatchSeparator` refuses."""

import tracemalloc
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import rtsep
from rtsep.kernels.errors import RtsepError
from rtsep.rt.audio.test_signals import synthetic_choir
from rtsep.rt.batch_separator import BatchSeparator
from rtsep.rt.separator import Separator

F32 = NDArray[np.float32]
WITH: dict[str, Any] = {"voices": 2, "samplerate": 8000, "latency_ms": 43, "channels": 2}
STREAMS, HOPS = 3, 30


def load(**changes: Any) -> BatchSeparator:
    return BatchSeparator.load(**{**WITH, "streams": STREAMS, **changes})


def songs(hop: int) -> F32:
    """[hops, S, H, C], every stream at another place of a choir."""
    sound = synthetic_choir(8000, 3.0, channels=2, voices=2)
    parts = [sound[1000 * (s + 1) :][: HOPS * hop].reshape(HOPS, hop, 2) for s in range(STREAMS)]
    return np.ascontiguousarray(np.stack(parts, 1))


def room(batch: BatchSeparator) -> F32:
    return np.zeros((batch.streams, len(batch.stems), batch.hop, batch.channels), np.float32)


def play(batch: BatchSeparator, hops: F32, resets: dict[int, list[bool]] | None = None) -> F32:
    """Output of every hop [hops, S, V + 1, H, C]; resets by number of the hop."""
    outs = [room(batch) for _ in hops]
    for number, hop in enumerate(hops):
        flags = (resets or {}).get(number)
        batch.process_hop(hop, outs[number], None if flags is None else np.array(flags))
    return np.stack(outs)


def test_a_stream_is_a_separator() -> None:
    batch, hops = load(), songs(load().hop)
    resets = {0: [True, True, True], 7: [False, True, False], 15: [True, False, False]}
    hops[5, 1, 10:20, 0] = np.nan
    hops[9, 2, :5, 1] = np.inf
    separators = [Separator.load(**WITH) for _ in range(STREAMS)]
    first = separators[0]
    assert (batch.stems, batch.hop, batch.preset) == (first.stems, first.hop, first.preset)
    assert batch.hop_latency_samples == first.hop_latency_samples
    assert (batch.streams, batch.channels, batch.samplerate, batch.gpu_lost) == (STREAMS, 2, 8000, "")
    out, expected = room(batch), room(batch)[0]
    sung = 0
    for number in range(HOPS):
        flags = resets.get(number, [False] * STREAMS)
        batch.process_hop(hops[number], out, np.array(flags))
        for stream, separator in enumerate(separators):
            if flags[stream]:
                separator.reset()
            separator.process_hop(hops[number, stream], expected)
            np.testing.assert_array_equal(out[stream], expected)
            voices = separator.voices
            np.testing.assert_array_equal(batch.voices.f0_hz[stream], voices.f0_hz)
            np.testing.assert_array_equal(batch.voices.level_db[stream], voices.level_db)
            np.testing.assert_array_equal(batch.voices.merged[stream], voices.merged)
            sung += int((voices.f0_hz > 0).sum())
        counts = [separator.nonfinite_samples for separator in separators]
        np.testing.assert_array_equal(batch.nonfinite_samples, counts)
        if number == 6:
            assert counts == [0, 10, 0]
    assert counts == [0, 0, 5]  # the reset of stream 1 began its count anew
    assert sung > HOPS


def test_streams_do_not_hear_each_other() -> None:
    """Stream 1 is reset, falls silent, breaks: not a bit of the others' changes."""
    plain = songs(load().hop)
    other = plain.copy()
    other[10:15, 1] = 0
    other[15:20, 1] = np.nan
    want, have = play(load(), plain), play(load(), other, {12: [False, True, False]})
    np.testing.assert_array_equal(have[:, [0, 2]], want[:, [0, 2]])
    assert not np.array_equal(have[:, 1], want[:, 1])
    assert np.isfinite(have).all()


def test_a_stream_that_joins_late_is_as_from_the_start() -> None:
    hops = songs(load().hop)
    late = play(load(), hops, {8: [False, False, True]})
    fresh = play(load(), hops[8:])
    np.testing.assert_array_equal(late[8:, 2], fresh[:, 2])


def test_state_and_reset() -> None:
    hops, first, second = songs(load().hop), load(), load()
    whole = play(first, hops)
    assert first.voices.f0_hz.any()
    first.reset()
    assert not first.voices.f0_hz.any()
    np.testing.assert_array_equal(play(first, hops[:13]), whole[:13])
    second.load_state_dict(first.state_dict())
    np.testing.assert_array_equal(second.voices.f0_hz, first.voices.f0_hz)
    np.testing.assert_array_equal(play(second, hops[13:]), whole[13:])


@pytest.mark.parametrize("changes", [{"streams": 2}, {"voices": 3}, {"samplerate": 8001}], ids=str)
def test_state_of_another_setting_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="state"):
        load().load_state_dict(load(**changes).state_dict())


def test_a_state_that_one_model_refuses_changes_no_stream() -> None:
    batch, hops = load(model="choir-comb"), songs(load().hop)
    want = play(load(model="choir-comb"), hops)
    play(batch, hops[:9])
    state = load(model="choir-comb").state_dict()
    state["2.model.tracker.pitch"] = np.full_like(state["2.model.tracker.pitch"], 9999)
    with pytest.raises(ValueError, match="pitch"):
        batch.load_state_dict(state)
    np.testing.assert_array_equal(play(batch, hops[9:]), want[9:])


def test_wrong_arrays_are_refused_and_change_nothing() -> None:
    batch, hops = load(), songs(load().hop)
    out, good = room(batch), hops[0]
    shapes = r"expected \[streams, hop, channels\] = \(3, 171, 2\) and \(3, 3, 171, 2\)"
    for bad_hops, bad_out in [(good[:2], out), (good[:, :-1], out), (good, out[:, :2]), (good[0], out)]:
        with pytest.raises(ValueError, match=shapes):
            batch.process_hop(bad_hops, bad_out)
    for bad_hops, bad_out in [
        (good.astype(float), out),
        (np.asfortranarray(good), out),
        (good, out.astype(float)),
    ]:
        with pytest.raises(TypeError, match="C-contiguous float32"):
            batch.process_hop(bad_hops, bad_out)
    with pytest.raises(ValueError, match=r"reset has shape \(2,\); expected \(3,\), a flag each"):
        batch.process_hop(good, out, np.zeros(2, np.bool_))
    with pytest.raises(TypeError, match="expected bool, not numbers of streams"):
        batch.process_hop(good, out, np.array([0, 1, 2]))  # type: ignore[arg-type]
    np.testing.assert_array_equal(play(batch, hops), play(load(), hops))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"streams": 0}, r"^0 streams is outside 1\.\.4096; ask for at least one$"),
        ({"streams": 5000}, r"^5000 streams is outside 1\.\.4096; share them out to several instances$"),
        ({"channels": 0}, r"^0 channels is outside 1\.\.64; select fewer"),
        ({"voices": 5}, r"^5 voices is outside 1\.\.4; "),
        ({"samplerate": 7999}, "^sample rate 7999 Hz is outside"),
        ({"latency_ms": 12}, "^latency 12 ms is not one of"),
        ({"model": "brass"}, "^model 'brass' is not one of"),
        ({"backend": "abacus"}, "^backend 'abacus' is not one of auto, cpu"),
    ],
    ids=str,
)
def test_bounds(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RtsepError, match=message):
        load(**changes)


def test_memory_does_not_grow_with_hops() -> None:
    batch, hops = load(), songs(load().hop)
    out, reset = room(batch), np.array([False, True, False])

    def round_of_hops() -> None:
        for hop in hops:
            batch.process_hop(hop, out, reset)

    round_of_hops()
    tracemalloc.start()
    try:
        round_of_hops()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(10):
            round_of_hops()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 2048  # 300 hops of three streams: nothing is kept


def test_it_is_public() -> None:
    assert rtsep.BatchSeparator is BatchSeparator
    assert "BatchSeparator" in dir(rtsep)

"""What a host may do with a separator by accident: copies, arrays in place, foreign arrays, two threads.
It works, or says what to do, and nothing has changed then."""

import copy
import pickle
import threading
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rtsep.models.mask_model import load_all, require_like
from rtsep.rt.audio.test_signals import synthetic_choir
from rtsep.rt.batch_separator import BatchSeparator
from rtsep.rt.separator import Separator

F32 = NDArray[np.float32]
RATE = 8000
SIGNAL: F32 = synthetic_choir(RATE, 0.6, channels=1, voices=2)


def load(model: str = "choir") -> Separator:
    return Separator.load(model, voices=2, samplerate=RATE, latency_ms=43)


def batch(model: str = "choir-comb", streams: int = 2) -> BatchSeparator:
    return BatchSeparator.load(model, streams=streams, voices=2, samplerate=RATE, latency_ms=43)


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, pickle.dumps])
@pytest.mark.parametrize("make", [load, batch])
def test_a_copy_says_how_to_get_a_second_one(how: Any, make: Any) -> None:
    with pytest.raises(TypeError, match=r"load another one with \w+\.load.*load_state_dict"):
        how(make())


@pytest.mark.parametrize("frames", [1, 100, 171, 1000, len(SIGNAL)])
@pytest.mark.parametrize("stem", [0, 2])
def test_stems_may_lie_over_the_block(frames: int, stem: int) -> None:
    want = load("choir-comb").process(SIGNAL)[:, :frames]
    room = np.zeros((3, frames, 1), np.float32)
    room[stem] = SIGNAL[:frames]
    separator = load("choir-comb")
    assert separator.process(room[stem], room) is room
    np.testing.assert_array_equal(room, want)


def test_stems_may_lie_over_the_hop() -> None:
    one, other = load("choir-comb"), load("choir-comb")
    hop, apart = one.hop, np.zeros((3, one.hop, 1), np.float32)
    for start in range(0, len(SIGNAL) - hop, hop):
        over = np.zeros((3, hop, 1), np.float32)
        over[1] = SIGNAL[start : start + hop]
        one.process_hop(over[1], over)
        other.process_hop(SIGNAL[start : start + hop], apart)
        np.testing.assert_array_equal(over, apart)


def test_stems_of_a_stream_may_lie_over_the_hops_of_others() -> None:
    one, other = batch(), batch()
    shape = (2, 3, one.hop, 1)
    for start in range(0, len(SIGNAL) - one.hop, one.hop):
        hops = np.stack([SIGNAL[start : start + one.hop], 0.5 * SIGNAL[start : start + one.hop]])
        apart, store = np.zeros(shape, np.float32), np.zeros(int(np.prod(shape)), np.float32)
        other.process_hop(hops, apart)
        over = store[: hops.size].reshape(hops.shape)
        over[...] = hops
        one.process_hop(over, store.reshape(shape))
        np.testing.assert_array_equal(store.reshape(shape), apart)


def test_lists_and_tensors_are_blocks_too() -> None:
    want = load("choir-comb").process(SIGNAL[:400])
    np.testing.assert_array_equal(load("choir-comb").process(SIGNAL[:400].tolist()), want)
    torch = pytest.importorskip("torch")
    np.testing.assert_array_equal(load("choir-comb").process(torch.tensor(SIGNAL[:400])), want)


def test_what_is_no_array_says_what_to_give() -> None:
    torch = pytest.importorskip("torch")
    separator = load("choir-comb")
    wrong = [torch.zeros(5, requires_grad=True), torch.zeros(5, device="meta"), [[0.0], [1.0, 2.0]]]
    for block in wrong:
        with pytest.raises(ValueError, match=r"block is a .*, no array .*tensor\.detach\(\)\.cpu\(\)\.numpy"):
            separator.process(block)
    for block in ([1, 2], None, "abc", b"abc"):
        with pytest.raises(ValueError, match="block"):
            separator.process(block)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"out is a torch.Tensor; expected a NumPy array"):
        separator.process(SIGNAL[:5], torch.zeros(3, 5, 1))
    hop, out = SIGNAL[: separator.hop], np.zeros((3, separator.hop, 1), np.float32)
    with pytest.raises(TypeError, match="NumPy arrays"):
        separator.process_hop(hop.tolist(), out)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        separator.process_hop(hop, out)
    want = load("choir-comb").process(SIGNAL)
    np.testing.assert_array_equal(separator.process(SIGNAL), want)


class Slow:
    """A pipeline that a test holds up in the middle of a hop."""

    def __init__(self, real: Any) -> None:
        self._real, self.inside, self.go_on = real, threading.Event(), threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def step(self, *arrays: F32) -> None:
        self.inside.set()
        assert self.go_on.wait(30)
        self._real.step(*arrays)


def test_a_second_thread_is_told_so_and_the_first_goes_on() -> None:
    separator, want, found = load("choir-comb"), load("choir-comb").process(SIGNAL), []
    slow = separator._pipeline = Slow(separator._pipeline)  # type: ignore[assignment]
    first = threading.Thread(target=lambda: found.append(separator.process(SIGNAL)))
    first.start()
    assert slow.inside.wait(30)
    hop, out = SIGNAL[: separator.hop], np.zeros((3, separator.hop, 1), np.float32)
    calls = [
        lambda: separator.process(SIGNAL), lambda: separator.process_hop(hop, out), separator.reset,
        lambda: separator.skip_hop(hop, out), separator.flush, separator.state_dict,
        lambda: separator.load_state_dict({}), lambda: separator.listen_to(np.ones(3, np.bool_)),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(RuntimeError, match="two threads use one Separator at once"):
            call()
    slow.go_on.set()
    first.join()
    np.testing.assert_array_equal(found[0], want)
    separator.process(SIGNAL)  # and is free again


def test_a_batch_tells_a_second_thread_so_too() -> None:
    shared, alone = batch(), batch()
    hops = SIGNAL[: 2 * shared.hop].reshape(2, shared.hop, 1)
    found, want, other = (np.zeros((2, 3, shared.hop, 1), np.float32) for _ in range(3))
    slow = shared._streams = Slow(shared._streams)  # type: ignore[assignment]
    first = threading.Thread(target=lambda: shared.process_hop(hops, found))
    first.start()
    assert slow.inside.wait(30)
    calls = [
        lambda: shared.process_hop(hops, other), shared.reset, shared.state_dict,
        lambda: shared.load_state_dict({}),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(RuntimeError, match="two threads use one BatchSeparator at once"):
            call()
    slow.go_on.set()
    first.join()
    for _ in range(3):
        alone.process_hop(hops, want)
    for _ in range(2):
        shared.process_hop(hops, found)  # and is free again
    assert want.any()
    np.testing.assert_array_equal(found, want)


def bad_values(array: NDArray[Any]) -> list[Any]:
    """What a damaged file may hold in an array's place."""
    shaped = [array[..., None], None, array.tolist(), array.astype(np.float16)]
    if not np.issubdtype(array.dtype, np.floating):
        return shaped
    return [*shaped, np.full_like(array, np.inf), np.full_like(array, np.nan), np.full_like(array, -np.inf)]


@pytest.mark.parametrize("model", ["choir", "choir-comb", "choir-fixed"])
def test_every_array_of_a_state_is_looked_at_before_any_is_taken(model: str) -> None:
    separator = load(model)
    separator.process(SIGNAL[:3000])
    other = load(model)
    other.process(SIGNAL[1000:2500])
    state, before = other.state_dict(), separator.state_dict()
    for name, array in state.items():
        for value in bad_values(array):
            with pytest.raises(ValueError, match="state"):
                separator.load_state_dict({**state, name: value})
        with pytest.raises(ValueError, match="state"):
            separator.load_state_dict({k: v for k, v in state.items() if k != name})
        after = separator.state_dict()
        for key in before:
            np.testing.assert_array_equal(before[key], after[key], err_msg=f"{key} after a bad {name}")


@pytest.mark.parametrize("model", ["choir", "choir-comb"])
def test_every_part_of_a_model_refuses_by_itself(model: str) -> None:
    """A model's memory may be loaded without the separator around it."""
    separator = load(model)
    separator.process(SIGNAL[:3000])
    pipeline = separator._pipeline
    parts: list[Any] = [pipeline, pipeline.model, pipeline.model._comb, pipeline.model._tracker]  # type: ignore[attr-defined]
    for part in parts:
        before = part.state_dict()
        zeros = {name: np.zeros_like(array) for name, array in before.items()}
        for name, array in before.items():
            if np.issubdtype(array.dtype, np.floating):
                with pytest.raises(ValueError, match="state"):
                    part.load_state_dict({**zeros, name: np.full_like(array, np.inf)})
        for name, array in part.state_dict().items():
            np.testing.assert_array_equal(array, before[name])


def test_a_part_that_refuses_late_takes_the_others_back() -> None:
    class Part:
        def __init__(self, refuses: bool) -> None:
            self.value, self.refuses = np.zeros(2), refuses

        def state_dict(self) -> Any:
            return {"value": self.value.copy()}

        def load_state_dict(self, state: Any) -> None:
            if self.refuses and state["value"].any():
                raise ValueError("no")
            self.value[...] = state["value"]

    parts = [Part(False), Part(True), Part(False)]
    with pytest.raises(ValueError, match="no"):
        load_all([(part, {"value": np.ones(2)}) for part in parts])
    assert not any(part.value.any() for part in parts)


def test_scores_may_have_no_hypothesis_but_not_none_at_all() -> None:
    own = {"a.score": np.array([0.0, -np.inf], np.float32)}
    require_like(own, own, "tracker")
    with pytest.raises(ValueError, match="NaN or Inf"):
        require_like(own, {"a.score": np.full(2, -np.inf, np.float32)}, "tracker")
    with pytest.raises(ValueError, match="NaN or Inf"):
        require_like(own, {"a.score": np.array([0.0, np.inf], np.float32)}, "tracker")


def test_a_batch_takes_all_of_a_state_or_nothing() -> None:
    one = batch()
    hops = np.stack([SIGNAL[: one.hop]] * 2)
    one.process_hop(hops, np.zeros((2, 3, one.hop, 1), np.float32))
    before, state = one.state_dict(), batch().state_dict()
    for name, array in state.items():
        for value in bad_values(array):
            with pytest.raises(ValueError, match="state"):
                one.load_state_dict({**state, name: value})
    for name, array in one.state_dict().items():
        np.testing.assert_array_equal(array, before[name])

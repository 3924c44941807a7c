"""The snapshot of numbers against its reference, and under a writer that never rests."""

import multiprocessing
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtsep.kernels import _core
from rtsep.kernels.reference.value_snapshot import ValueSnapshot as Reference
from rtsep.rt.process.shared_memory import SharedMemory

COUNT = 512  # 4 KiB: long enough to be caught in the middle


def shared(count: int) -> SharedMemory:
    return SharedMemory.create(_core.ValueSnapshot.bytes_needed(count))


@given(moves=st.lists(st.sampled_from(["write", "first polls", "second polls"]), max_size=40))
def test_equals_the_reference(moves: list[str]) -> None:
    """Two readers, each of which gets a snapshot once and the newest only."""
    memory = shared(3)
    mine = [_core.ValueSnapshot(3, memory.memory), *(_core.ValueSnapshot.attach(memory.memory) for _ in "12")]
    writer = Reference(3)
    twin = [writer, Reference(3, writer), Reference(3, writer)]
    for number, move in enumerate(moves):
        if move == "write":
            values = np.array([number, -number, -np.inf])
            mine[0].write(values)
            twin[0].write(values)
        else:
            who = 1 if move == "first polls" else 2
            got, expected = np.full((2, 3), np.nan)
            assert mine[who].poll(got) == twin[who].poll(expected)
            np.testing.assert_array_equal(got, expected)
        got, expected = np.zeros((2, 3))
        assert mine[1].read_back(got) == twin[1].read_back(expected)
        np.testing.assert_array_equal(got, expected)


def _write_for_ever(fd: int) -> None:
    snapshot, values, number = _core.ValueSnapshot.attach(SharedMemory(fd).memory), np.zeros(COUNT), 0
    while True:
        number += 1
        values[:] = number
        snapshot.write(values)


def test_no_torn_snapshot_beside_a_busy_writer() -> None:
    memory = shared(COUNT)
    reader, values = _core.ValueSnapshot(COUNT, memory.memory), np.zeros(COUNT)
    writer = multiprocessing.get_context("fork").Process(target=_write_for_ever, args=(memory.fd,))
    writer.start()
    try:
        seen: list[float] = []
        deadline = time.monotonic() + 30
        while len(seen) < 2_000 and time.monotonic() < deadline:
            if reader.poll(values):
                assert values[0] == values.min() == values.max()
                seen.append(values[0])
        assert seen == sorted(set(seen))
        assert len(seen) > 20  # on a busy machine the two processes seldom run side by side
    finally:
        writer.terminate()
        writer.join()


def test_a_writer_that_died_in_the_middle_leaves_what_was_read_and_the_next_one_goes_on() -> None:
    memory = shared(2)
    first = _core.ValueSnapshot(2, memory.memory)
    reader, values = _core.ValueSnapshot.attach(memory.memory), np.zeros(2)
    first.write(np.array([1.0, 2.0]))
    assert reader.poll(values)
    sequence = int.from_bytes(memory.memory[16:24], "little")
    memory.memory[16:24] = (sequence + 1).to_bytes(8, "little")  # odd: at work, for ever
    assert not reader.poll(values)
    np.testing.assert_array_equal(values, [1.0, 2.0])
    second = _core.ValueSnapshot.attach(memory.memory)
    second.write(np.array([3.0, 4.0]))
    assert reader.poll(values)
    np.testing.assert_array_equal(values, [3.0, 4.0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: _core.ValueSnapshot(1000, shared(4).memory), "smaller than bytes_needed"),
        (lambda: _core.ValueSnapshot.attach(SharedMemory.create(4096).memory), "holds no snapshot"),
        (lambda: _core.ValueSnapshot(4, shared(4).memory).write(np.zeros(3)), r"float64 \[count\]"),
        (lambda: _core.ValueSnapshot(4, shared(4).memory).poll(np.zeros((2, 2))), r"float64 \[count\]"),
    ],
)
def test_wrong_sizes_are_named(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]


def test_no_silent_copies() -> None:
    with pytest.raises(TypeError):
        _core.ValueSnapshot(2, shared(2).memory).poll(np.zeros(2, np.float32))  # type: ignore[arg-type]

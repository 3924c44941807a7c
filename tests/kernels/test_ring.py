"""The ring against its NumPy reference, and between real threads and processes."""

import multiprocessing
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsep.kernels import _core
from rtsep.kernels.reference.ring import SampleRing as Reference
from rtsep.rt.process.shared_memory import SharedMemory

CHANNELS = 2


def ramp(start: int, frames: int) -> np.ndarray:
    """Frames that tell their own absolute number (small enough for float32 to hold exactly)."""
    numbers = (np.arange(start, start + frames) % 2**20).astype(np.float32)
    return np.ascontiguousarray(np.stack([numbers, -numbers], 1))


@given(
    moves=st.lists(st.tuples(st.booleans(), st.integers(0, 40)), max_size=60),
    start=st.sampled_from([0, 7, 2**32 - 5, 2**63 + 11]),
)
def test_any_cutting_equals_the_reference(moves: list[tuple[bool, int]], start: int) -> None:
    ring, twin = _core.SampleRing(16, CHANNELS, start_position=start), Reference(16, CHANNELS, start)
    sent = 0
    for is_write, frames in moves:
        if is_write:
            block = ramp(sent, frames)
            count = ring.write(block)
            assert count == twin.write(block)
            sent += count
        else:
            out, expected = np.zeros((2, frames, CHANNELS), np.float32)
            assert ring.read(out) == twin.read(expected)
            np.testing.assert_array_equal(out, expected)
        assert (ring.available, ring.space) == (twin.available, twin.space)
        assert (ring.write_position, ring.read_position) == (twin.write_position, twin.read_position)


def test_positions_pass_two_to_the_64() -> None:
    ring = _core.SampleRing(16, CHANNELS, start_position=2**64 - 8)
    out = np.zeros((12, CHANNELS), np.float32)
    assert ring.write(ramp(0, 12)) == 12
    assert ring.write_position == 4
    assert ring.available == 12
    assert ring.read(out) == 12
    np.testing.assert_array_equal(out, ramp(0, 12))


def drain(ring: _core.SampleRing, total: int, cuts: np.random.Generator) -> np.ndarray:
    """Reads until `total` frames have come or the ring is closed and empty."""
    parts: list[np.ndarray] = []
    while sum(map(len, parts)) < total:
        closed = ring.closed
        out = np.zeros((int(cuts.integers(1, 100)), CHANNELS), np.float32)
        count = ring.read(out)
        parts.append(out[:count])
        if closed and not count:
            break
        if not count:
            time.sleep(1e-4)  # two threads share one interpreter: let the other one run
    return np.concatenate(parts)


def fill(ring: _core.SampleRing, total: int, cuts: np.random.Generator) -> None:
    sent = 0
    while sent < total:
        count = ring.write(ramp(sent, min(total - sent, int(cuts.integers(1, 100)))))
        sent += count
        if not count:
            time.sleep(1e-4)
    ring.close()


def test_two_threads_lose_nothing() -> None:
    total = 10_000  # the interpreter lock is handed over every 5 ms only
    ring = _core.SampleRing(64, CHANNELS)
    producer = threading.Thread(target=fill, args=(ring, total, np.random.default_rng(1)))
    producer.start()
    received = drain(ring, total, np.random.default_rng(2))
    producer.join()
    np.testing.assert_array_equal(received, ramp(0, total))


def _produce(fd: int, total: int) -> None:
    fill(_core.SampleRing.attach(SharedMemory(fd).memory), total, np.random.default_rng(3))


def test_two_processes_lose_nothing() -> None:
    total = 50_000
    shared = SharedMemory.create(_core.SampleRing.bytes_needed(64, CHANNELS))
    ring = _core.SampleRing(64, CHANNELS, shared.memory)
    producer = multiprocessing.get_context("fork").Process(target=_produce, args=(shared.fd, total))
    producer.start()
    received = drain(ring, total, np.random.default_rng(4))
    producer.join()
    np.testing.assert_array_equal(received, ramp(0, total))
    assert ring.closed


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: _core.SampleRing(48, 1), "power of two"),
        (lambda: _core.SampleRing(16, 0), "channels"),
        (lambda: _core.SampleRing(16, 1, bytearray(8)), r"bytes_needed|aligned"),
        (lambda: _core.SampleRing.attach(SharedMemory.create(4096).memory), "holds no ring"),
        (lambda: _core.SampleRing(16, 2).write(np.zeros((4, 3), np.float32)), "frames, channels"),
    ],
)
def test_wrong_sizes_are_named(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]


@settings(max_examples=20)
@given(st.sampled_from([np.float64, np.int32]))
def test_no_silent_copies(dtype: type) -> None:
    with pytest.raises(TypeError):
        _core.SampleRing(16, 1).write(np.zeros((4, 1), dtype))

"""Hops on their way to the recorder: each knows its place, whatever happened in front of it."""

from types import SimpleNamespace

import numpy as np
import pytest
from helpers.take_show import DELAY, HOP, RATE, Show, samples

from rtsep.rt.takes import take_feed
from rtsep.rt.takes.hop_record import Cause, Layout, Segment, merged, segments
from rtsep.rt.takes.take_memory import SLOT_BYTES, TakeMemory

LAYOUT = Layout(HOP, 3)
SEQUENCE_OFFSET = 16  # in a snapshot, behind magic and count


class FakeTime:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    clock = FakeTime()
    monkeypatch.setattr(take_feed, "time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


def drain(memory: TakeMemory) -> list[Segment]:
    block = np.zeros((memory.ring.available, 3), np.float32)
    memory.ring.read(block)
    return [segment for segment in merged(segments(block, LAYOUT)) if len(segment.rows)]


def assert_true(found: list[Segment]) -> None:
    """Each row is what was played at the frame it is said to be of."""
    for segment in found:
        np.testing.assert_array_equal(segment.rows, samples(segment.frame, len(segment.rows)))


def gaps(found: list[Segment]) -> list[tuple[int, int, Cause]]:
    """First missing frame, how many, and why, as the segment behind tells."""
    out, at = [], 0
    for segment in found:
        if segment.frame != at:
            out.append((at, segment.frame - at, segment.facts.cause))
        else:
            assert segment.facts.cause is Cause.NONE
        at = segment.frame + len(segment.rows)
    return out


def test_a_show_comes_whole_and_the_clock_follows_the_device(wall: FakeTime) -> None:
    memory = TakeMemory.create(3)
    show = Show(memory)
    show.play(10)
    assert memory.clock.frame_at(RATE, wall.now_s) == 10 * HOP
    assert memory.clock.frame_at(RATE, wall.now_s + 1.5) == 10 * HOP + 12000
    show.end()
    found = drain(memory)
    assert_true(found)
    assert gaps(found) == []
    assert len(found) <= 2  # the first hop belongs in front of the show; all others are one piece
    assert found[-1].frame + len(found[-1].rows) == 10 * HOP == memory.clock.read()[2]


def test_what_the_ring_does_not_take_is_a_gap(wall: FakeTime) -> None:
    memory = TakeMemory.create(3, ring_frames=1024)
    show = Show(memory)
    show.play(30)
    first = drain(memory)
    show.play(5)
    show.end()
    found = first + drain(memory)
    assert_true(found)
    ((at, frames, cause),) = gaps(found)
    assert cause is Cause.RING_FULL
    assert frames > HOP
    assert set(range(at, at + frames)) == show.lost


@pytest.mark.parametrize(("state", "cause"), [(True, Cause.DEVICE_LOST), (False, Cause.ENGINE_RESTARTED)])
def test_time_without_a_device_is_a_gap_as_long_as_the_wall_clock_says(
    wall: FakeTime, state: bool, cause: Cause
) -> None:
    memory = TakeMemory.create(3)
    show = Show(memory)
    show.play(10)
    wall.now_s += 2.5
    show.engine(going_on=state)
    show.device.position = 3 * HOP  # blocks that came before the first hop was read
    wall.now_s += 4 * HOP / RATE
    show.play(20)
    show.end()
    found = drain(memory)
    assert_true(found)
    begin = 10 * HOP + round(2.5 * RATE)
    # what was inside the separator comes out of one that goes on, and is lost with one that died
    inside = 0 if state else DELAY
    assert gaps(found) == [(10 * HOP - inside, begin - 10 * HOP + inside, cause)]


def test_a_second_engine_never_goes_back(wall: FakeTime) -> None:
    memory = TakeMemory.create(3)
    show = Show(memory)
    show.play(10)
    show.engine(going_on=True)  # at the same moment
    show.play(10)
    show.end()
    found = drain(memory)
    assert_true(found)
    assert found[-1].frame + len(found[-1].rows) == 20 * HOP


def test_a_clock_whose_writer_was_killed_is_read_all_the_same() -> None:
    """An odd sequence number stays for ever; the snapshot before it is whole."""
    memory = TakeMemory.create(3)
    memory.clock.tick(64, 1.0)
    memory.clock.tick(128, 2.0)
    reader = TakeMemory(memory.shared)
    assert reader.clock.read() == (128, 2.0, None)
    memoryview(memory.shared.memory)[SLOT_BYTES + SEQUENCE_OFFSET] |= 1
    late = TakeMemory(memory.shared)
    assert late.clock.read() == (64, 1.0, None)
    late.clock.finish(64)
    assert TakeMemory(memory.shared).clock.read()[2] == 64

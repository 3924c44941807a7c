"""Hops of an engine that is warmed up: the take gets those that the engine before it has not written."""

from types import SimpleNamespace

import numpy as np
from helpers.take_show import RATE, FakeDevice

from rtsep.rt.live.engines.held_hops import HeldHops
from rtsep.rt.takes.hop_record import Layout, segments
from rtsep.rt.takes.take_feed import TakeFeed
from rtsep.rt.takes.take_memory import TakeMemory

HOP, STEMS = 64, 2


def chain() -> SimpleNamespace:
    return SimpleNamespace(
        separator=SimpleNamespace(hop=HOP, hop_latency_samples=HOP),
        hop=np.zeros((HOP, 1), np.float32),
        stems=np.zeros((STEMS, HOP, 1), np.float32),
        callback=FakeDevice(),
    )


def test_what_was_skipped_or_lost_while_an_engine_was_warmed_up_is_told() -> None:
    memory, before = TakeMemory.create(STEMS + 1), chain()
    feed = TakeFeed(memory, STEMS, HOP, 1, HOP, RATE, before.callback)  # type: ignore[arg-type]
    held = HeldHops(before, chain(), RATE)  # type: ignore[arg-type]
    skipped, lost = (3, 17, 18), {18: 5}
    for k in range(20):
        hop = np.full((HOP, 1), float(k), np.float32)
        stems = np.full((STEMS, HOP, 1), float(k), np.float32)
        if k < 15:
            feed.write(hop, stems, 0, False)
        held.add(hop, stems, lost.get(k, 0), k in skipped)
    block = np.zeros((memory.ring.available, STEMS + 1), np.float32)
    memory.ring.read(block)  # what the engine before has written
    held.feed_from(feed, memory, 0, 1)
    block = np.zeros((memory.ring.available, STEMS + 1), np.float32)
    memory.ring.read(block)
    found = list(segments(block, Layout(HOP, STEMS + 1)))
    assert {segment.engine for segment in found} == {1}
    assert [segment.facts.skipped_at for segment in found if segment.facts.skipped] == [16 * HOP, 17 * HOP]
    assert [(s.facts.lost_at, s.facts.lost_frames) for s in found if s.facts.lost_frames] == [(18 * HOP, 5)]

"""A take with skipped hops, through the real feed and recorder, is what the file path gives with them."""

import os
import time
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pytest
from helpers.take_show import FakeDevice

from rtsep.bench.take_check import Replay, replay
from rtsep.rt.process.block import Block
from rtsep.rt.separator import Separator
from rtsep.rt.takes.record_plan import Order, Orders, RecordPlan
from rtsep.rt.takes.recorder_process import Recorder
from rtsep.rt.takes.take_feed import TakeFeed
from rtsep.rt.takes.take_log import TakeLog
from rtsep.rt.takes.take_memory import TakeMemory

HOPS = 300
BATCHES = (5, 1, 9, 48, 2)  # hops that the recorder finds at once: it looks every 50 ms, or was held up


def separator_of(latency_ms: int) -> Separator:
    model = "choir" if latency_ms > 100 else "choir-comb"
    return Separator.load(model, voices=2, samplerate=48000, latency_ms=latency_ms)


def record(folder: Path, separator: Separator, skipped: Collection[int], hops: int = HOPS) -> TakeLog:
    """A take in `folder`, as a session writes it, in which the hops `skipped` were skipped."""
    hop, delay, rate = separator.hop, separator.hop_latency_samples, separator.samplerate
    names = ["input", *separator.stems]
    memory, device = TakeMemory.create(len(names)), FakeDevice()
    reader, writer = os.pipe()
    os.write(writer, Order("start", 0, folder=str(folder), started=time.time()).to_json().encode() + b"\n")
    recorder = Recorder(RecordPlan(names, rate, hop, 1), memory, Block.create(), Orders(reader))
    recorder._obey()
    feed = TakeFeed(memory, len(separator.stems), hop, 1, delay, rate, device)  # type: ignore[arg-type]
    out = np.zeros((len(separator.stems), hop, 1), np.float32)
    rng, batches = np.random.default_rng(1), np.cumsum(np.resize(BATCHES, hops))
    for k in range(hops):
        mixture = (0.1 * rng.standard_normal((hop, 1))).astype(np.float32)
        (separator.skip_hop if k in skipped else separator.process_hop)(mixture, out)
        device.position += hop
        feed.write(mixture, out, 0, k in skipped)
        while k + 1 in batches and (count := memory.ring.read(recorder._chunk[recorder._waiting :])):
            recorder._take_rows(recorder._waiting + count)
    for _ in range(-(-delay // hop)):
        separator.process_hop(np.zeros((hop, 1), np.float32), out)
        feed.write_rest(out)
    feed.finish()
    recorder.run()  # what is left, and the end
    os.close(writer)
    os.close(reader)
    return TakeLog.load(folder)


def checked(folder: Path, separator: Separator) -> Replay:
    separator.reset()
    return replay(folder, separator)


@pytest.mark.parametrize("latency_ms", [11, 143])
@pytest.mark.parametrize(
    "skipped",
    [
        pytest.param((100, 103), id="two looked at together"),
        pytest.param((100, 101, 102, 105, 106), id="one after another, and again"),
        pytest.param((0, 20), id="the first hop"),
        pytest.param((1, 2), id="behind the first"),
        pytest.param(range(HOPS - 2, HOPS), id="the last"),
        pytest.param(np.flatnonzero(np.random.default_rng(3).random(HOPS) < 0.2), id="a fifth, anywhere"),
    ],
)
def test_the_take_tells_which_hops_were_skipped(
    tmp_path: Path, skipped: Collection[int], latency_ms: int
) -> None:
    """Each where it was, whatever the recorder found at once, so that the take can be separated again."""
    separator = separator_of(latency_ms)
    hop, delay = separator.hop, separator.hop_latency_samples
    log = record(tmp_path, separator, set(skipped))
    told = [
        (event["first_frame"] + delay) // hop + k
        for event in log.events
        for k in range(event["frames"] // hop)
    ]
    assert told == list(skipped)
    assert sum(event["count"] for event in log.events) == len(skipped)
    found = checked(tmp_path, separator)
    assert (found.different, found.skipped_hops, found.holes) == (0, len(skipped), 0)
    assert found.compared >= log.frames - delay


def test_where_a_take_is_another_is_told(tmp_path: Path) -> None:
    separator = separator_of(11)
    log = record(tmp_path, separator, (50, 53))
    assert checked(tmp_path, separator).first_different is None
    log.events[0]["count"] += 1
    log.save(tmp_path)
    found, at = checked(tmp_path, separator).first_different, 51 * separator.hop
    assert found is not None
    assert at - separator.hop_latency_samples <= found < at

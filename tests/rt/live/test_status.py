"""The shared snapshot: never torn, nothing missed between reads."""

import json
import multiprocessing
import time

import numpy as np
import pytest

from rtsep.rt.live.meters import HopTimes, LevelMeters, RecentPeaks
from rtsep.rt.live.status import Status, of_each, rounded
from rtsep.rt.process.block import BLOCK_BYTES, Block
from rtsep.rt.process.peaks import PeakKeeper
from rtsep.rt.process.shared_memory import SharedMemory


def test_status_survives_json() -> None:
    status = Status(
        state="running", stems=("voice-1", "residual"), peak_db=(-3.0, -60.5), clip=(True, False), xruns=3
    )
    assert Status.from_dict(json.loads(json.dumps(status.as_dict()))) == status


def test_a_pitch_stands_with_its_stem() -> None:
    """Those that have one, in whichever order; a name that is no stem, or a value too few, is a mistake."""
    stems = ("drums", "vocals", "bass", "residual")
    assert of_each(stems, ("bass", "vocals"), [55.0, 0.0]) == [None, 0.0, 55.0, None]
    assert of_each(stems, (), []) == [None] * 4
    with pytest.raises(ValueError, match="shorter"):
        of_each(stems, ("bass", "vocals"), [55.0])
    with pytest.raises(ValueError, match="'tuba' is none of the stems"):
        of_each(stems, ("tuba",), [55.0])


def test_numbers_that_json_has_not_become_the_floor() -> None:
    assert rounded([np.float32("nan"), np.inf, -np.inf, 1.234]) == [-120.0, -120.0, -120.0, 1.23]


def test_nothing_before_the_first_snapshot() -> None:
    assert Block.create().read() == {}


def test_a_second_writer_goes_on_counting() -> None:
    first = Block.create()
    first.write({"a": 1})
    second = Block(first.shared)
    assert second.write({"a": 2}) == 2
    assert first.read() == {"a": 2}


def test_too_much_is_refused_and_the_old_snapshot_stays() -> None:
    block = Block.create()
    block.write({"a": 1})
    with pytest.raises(ValueError, match="does not fit"):
        block.write({"a": "x" * BLOCK_BYTES})
    assert block.read() == {"a": 1}


def _write_for_ever(fd: int) -> None:
    block, i = Block(SharedMemory(fd)), 0
    while True:
        i += 1
        block.write({"numbers": [i] * (i % 100 + 1)})


def test_no_torn_snapshot_beside_a_busy_writer() -> None:
    block = Block.create()
    writer = multiprocessing.get_context("fork").Process(target=_write_for_ever, args=(block.shared.fd,))
    writer.start()
    try:
        seen: list[int] = []
        deadline = time.monotonic() + 30
        while len(set(seen)) < 200 and time.monotonic() < deadline:
            if numbers := block.read().get("numbers"):
                assert len(set(numbers)) == 1
                assert len(numbers) == numbers[0] % 100 + 1
                seen.append(numbers[0])
        assert seen == sorted(seen)
        assert len(set(seen)) > 20  # on a busy machine the two processes seldom run side by side
    finally:
        writer.terminate()
        writer.join()


def test_levels_since_the_last_read() -> None:
    meters = LevelMeters(stems=2, hop=4, channels=1)
    hop = np.zeros((2, 4, 1), np.float32)
    hop[0, 1], hop[1] = -1.0, 0.5
    meters.add(hop)
    first = meters.publish(was_read=False)
    assert first == {"peak_db": [0.0, -6.02], "rms_db": [-6.02, -6.02], "clip": [True, False]}
    meters.add(np.zeros_like(hop))
    assert meters.publish(was_read=False)["peak_db"] == [0.0, -6.02]  # nobody has looked: the peak is kept
    assert meters.publish(was_read=True)["peak_db"] == [-120.0, -120.0]
    meters.add(hop)
    assert meters.publish(was_read=True)["peak_db"] == [0.0, -6.02]


def test_readers_with_peaks_of_their_own_take_none_from_each_other() -> None:
    """One looks at every snapshot, one at every third; each meets the one loud interval, once."""
    meters, recent = LevelMeters(stems=1, hop=4, channels=1), RecentPeaks({})
    often, seldom = PeakKeeper(), PeakKeeper()
    met: dict[str, list[float]] = {"often": [], "seldom": []}
    for interval in range(9):
        meters.add(np.full((1, 4, 1), 1.0 if interval == 4 else 0.1, np.float32))
        meters.publish(was_read=True)
        snapshot = json.loads(json.dumps(recent.publish(stem=meters.latest, input=np.array([0.5]))))
        often.add(snapshot)
        met["often"] += often.take()["peak_db"]
        if interval % 3 == 2:
            seldom.add(snapshot)
            met["seldom"] += seldom.take()["peak_db"]
    assert met["often"] == [-20.0] * 4 + [0.0] + [-20.0] * 4
    assert met["seldom"] == [-20.0, 0.0, -20.0]
    assert (snapshot["clips"], snapshot["input_clips"]) == ([1], [0])
    assert often.take() == {
        "peak_db": [-20.0],
        "input_peak_db": [-6.02],
        "output_peak_db": [],
    }  # nothing new: as it was


def test_counts_of_clips_go_on_in_another_engine() -> None:
    before = RecentPeaks({}).publish(stem=np.array([1.0, 0.5]), output=np.array([1.5]))
    after = RecentPeaks(before).publish(stem=np.array([1.0, 1.0]), output=np.array([0.0]))
    assert (after["clips"], after["output_clips"], after["levels"]["count"]) == ([2, 1], [1], 2)
    assert RecentPeaks(before).publish(stem=np.zeros(3))["clips"] == [0, 0, 0]  # other stems


def test_hop_times_are_shares_of_the_hop() -> None:
    times = HopTimes(hop_s=0.005)
    nothing = {"hop_time_p50": 0.0, "hop_time_p99": 0.0, "hop_time_max": 0.0, "hop_time_counts": []}
    assert times.publish() == nothing
    for _ in range(5000):
        times.add(1.0)  # fell out of the window of the last seconds
    for i in range(1000):
        times.add(0.0011 if i % 100 else 0.0041)
    shares = {"hop_time_p50": 0.22, "hop_time_p99": 0.22, "hop_time_max": 0.82}
    assert times.publish() == shares | {"hop_time_counts": [0, 0, 990, 0, 0, 0, 0, 0, 10, 0]}


def test_clips_are_counted_on_by_stem_and_output() -> None:
    """Over a change of stems: who plays on keeps its count, and the peaks of readers begin anew."""
    recent = RecentPeaks({})
    recent.publish(stem=np.array([1.0, 0.5, 1.0]), input=np.ones(1), output=np.array([1.0, 0.1]))
    recent.go_over(("voice-1", "voice-2", "residual"), ("voice-2", "voice-3", "residual"), 3)
    told = recent.publish(stem=np.array([0.1, 1.0, 1.0]), input=np.ones(1), output=np.array([0.1, 0.1, 1.0]))
    assert (told["clips"], told["input_clips"], told["output_clips"]) == ([0, 1, 2], [2], [1, 0, 1])
    assert [len(peaks) for peaks in told["levels"]["peak_db"]] == [3]
    assert told["levels"]["count"] == 2

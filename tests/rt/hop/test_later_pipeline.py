"""Pitches that are decided later: the same samples as at 43 ms but for the pitches, whole hops later."""

import tracemalloc
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from helpers.sung import sing, vibrato
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rtsep.kernels.errors import RtsepError
from rtsep.models.build import build_model
from rtsep.models.choir.both_ways import Listener, date_shift
from rtsep.models.choir.build import build_tracker
from rtsep.models.choir.given_pitches import F0Track
from rtsep.models.choir.later_tracker import BACK_HOPS, LaterTracker
from rtsep.models.choir.model import ChoirModel
from rtsep.models.choir.network_tracker import NetworkTracker
from rtsep.models.choir.peak_reading import PeakReading
from rtsep.models.choir.score.score import Score
from rtsep.models.choir.traced_assignment import TracedAssignment
from rtsep.models.framing import Framing
from rtsep.rt.audio.test_signals import synthetic_choir
from rtsep.rt.batch_separator import BatchSeparator
from rtsep.rt.hop.later_pipeline import UNHEARD_HOPS, LaterPipeline
from rtsep.rt.hop.pipeline import HopPipeline
from rtsep.rt.hop.presets import LATER_HOPS, Preset
from rtsep.rt.separator import Separator

F32 = NDArray[np.float32]
RATE = 8000
SOUND = synthetic_choir(RATE, 2.0, channels=2, voices=2)
LATER = pytest.mark.parametrize("latency_ms", LATER_HOPS)


def load(latency_ms: int = 143, **changes: Any) -> Separator:
    return Separator.load(
        **{"voices": 2, "samplerate": RATE, "latency_ms": latency_ms, "channels": 2, **changes}
    )


def contours() -> F0Track:
    times_s = np.arange(0.0, 2.0, 0.01)
    return F0Track(times_s, np.stack((440.0 + 9 * np.sin(30 * times_s), 220.0 + 0 * times_s), axis=1))


def tracker(framing: Framing) -> NetworkTracker:
    found = build_tracker("choir", voices=2, framing=framing)
    assert isinstance(found, NetworkTracker)
    return found


def model_with(later_hops: int) -> ChoirModel:
    """The shipped choir whose tracker is a `LaterTracker`, of no hops too."""
    framing = Preset(RATE, 43).framing
    at_once = build_model(voices=2, framing=framing)
    assert isinstance(at_once, ChoirModel)
    later = LaterTracker(tracker(framing), tracker(framing), 2, later_hops)
    return ChoirModel(2, framing, at_once.comb, later)


def hops_of(sound: F32) -> Iterable[F32]:
    hop = Preset(RATE, 43).hop
    return (sound[i : i + hop] for i in range(0, len(sound) - hop + 1, hop))


def test_no_hop_later_is_the_preset_of_43_ms_to_the_bit() -> None:
    preset = Preset(RATE, 43)
    now = HopPipeline(preset, build_model(voices=2, framing=preset.framing), 2)
    later = LaterPipeline(HopPipeline(preset, model_with(0), 2), 0)
    one, other = (np.zeros((3, preset.hop, 2), np.float32) for _ in range(2))
    doubted = 0
    for k, hop in enumerate(hops_of(SOUND)):
        if k % 7 == 5:
            now.skip(hop, one)
            later.skip(hop, other)
        else:
            now.step(hop, one)
            later.step(hop, other)
            np.testing.assert_array_equal(later.model.report.followed_hz, now.model.report.followed_hz)
            tracker_later = later.model.tracker
            assert isinstance(tracker_later, LaterTracker)
            doubted += tracker_later.others.count > 0
        np.testing.assert_array_equal(one, other)
    assert doubted > 3  # and the masks of other hypotheses are the same too


@LATER
def test_given_pitches_are_the_preset_of_43_ms_whole_hops_later(latency_ms: int) -> None:
    f0 = contours()
    now, later = load(43, f0=f0), load(latency_ms, f0=f0)
    wait = later.latency_samples - now.latency_samples
    assert wait == LATER_HOPS[latency_ms] * now.hop
    sound = np.concatenate((SOUND, np.zeros((wait, 2), np.float32)))
    np.testing.assert_array_equal(later.process(sound)[:, wait:], now.process(SOUND))
    np.testing.assert_array_equal(later.voices.f0_hz, now.voices.f0_hz)


def test_a_frame_gets_what_the_best_hypothesis_of_later_thinks_of_it() -> None:
    """Against what files are decided with: both directions of the network, and a trace that looks back."""
    later_hops, framing = LATER_HOPS[143], Preset(RATE, 143).framing
    pipeline = LaterPipeline(HopPipeline(Preset(RATE, 43), model_with(later_hops), 2), later_hops)
    forward, backward = (Listener(tracker(framing), framing, 2) for _ in range(2))
    hop_s = framing.hop / framing.samplerate
    traced, reading = TracedAssignment(2, hop_s, 100), PeakReading(2, hop_s)
    out = np.zeros((3, framing.hop, 2), np.float32)
    silence = np.zeros((framing.hop, 2), np.float32)
    hops, heard, said, voiced = list(hops_of(SOUND)), [], [], 0
    for k, hop in enumerate(hops):
        pipeline.step(hop, out)
        heard.append(forward.hear(hop))
        frame = k - BACK_HOPS
        if frame < 0:
            continue
        backward.reset()
        for number in range(k, frame - 2, -1):
            turned = np.ascontiguousarray((hops[number] if number >= 0 else silence)[::-1])
            if number > k - UNHEARD_HOPS:
                backward._sound.take(turned)
            else:
                from_behind = backward.hear(turned)
        said.append(0.5 * (heard[frame] + from_behind))
        traced.step(said[-1][0], said[-1][1])
        if k < later_hops:
            assert not out.any()
            continue
        played = k - later_hops
        chosen = traced.trace.decided(played)[0]
        reading.read(*traced.trace.peaks(played), chosen, said[played][2])
        np.testing.assert_array_equal(pipeline.model.report.followed_hz, reading.f0_hz)
        voiced += bool(reading.f0_hz.any())
    assert voiced > 50


@pytest.mark.parametrize("samplerate", [8000, 11025, 22050, 44100, 48000, 96000, 192000])
def test_forward_and_backward_frames_of_one_time_have_one_number(samplerate: int) -> None:
    assert date_shift(Preset(samplerate, 143).framing) == 0


@LATER
def test_any_cutting_gives_the_same_samples(latency_ms: int) -> None:
    whole = load(latency_ms).process(SOUND)
    for size in (1009, 170, 171, 2731):
        separator = load(latency_ms)
        parts = [separator.process(SOUND[i : i + size]) for i in range(0, len(SOUND), size)]
        np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


@LATER
def test_stems_sum_to_the_input_that_much_later(latency_ms: int) -> None:
    separator = load(latency_ms)
    out = np.concatenate((separator.process(SOUND), separator.flush()), axis=1)
    delay = separator.latency_samples
    total = out.sum(axis=0, dtype=np.float64)
    assert np.abs(total[delay:] - SOUND).max() < 2e-6
    assert np.abs(total[:delay]).max() < 2e-6
    assert np.abs(out[0]).max() > 0.05


def test_hops_give_the_same_samples_one_hop_earlier() -> None:
    separator, twin = load(), load()
    hop = separator.hop
    whole = separator.process(SOUND)
    out = np.empty((3, hop, 2), np.float32)
    for start in range(0, len(SOUND) - 2 * hop, hop):
        twin.process_hop(SOUND[start : start + hop], out)
        np.testing.assert_array_equal(out, whole[:, start + hop : start + 2 * hop])


@given(at=st.integers(1, 14000))
@settings(max_examples=8)
def test_state_resumes_sample_exactly_anywhere(at: int) -> None:
    first, second = load(), load()
    expected = load().process(SOUND)
    first.process(SOUND[:at])
    state = first.state_dict()
    second.process(SOUND[::-1].copy())
    second.load_state_dict(state)
    np.testing.assert_array_equal(second.process(SOUND[at:]), expected[:, at:])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hops", np.array(-1)),
        ("waiting", np.zeros((6, 170, 2), np.float32)),
        ("played.model.tracker.trace.parent", np.full((4, 8), 8, np.int32)),
        ("played.model.tracker.trace.peaks", np.full((4, 8, 2), 8, np.int32)),
        ("played.model.tracker.trace.steps", np.array(-1)),
        ("played.model.tracker.unison", np.full((4, 3), 0, np.float32)),
        ("played.model.tracker.heard", np.array(-1)),
        ("played.model.tracker.now.own_hz", np.array([-1, 0], np.float32)),
    ],
    ids=str,
)
def test_states_that_cannot_be_are_refused_and_change_nothing(name: str, value: NDArray[Any]) -> None:
    separator = load()
    separator.process(SOUND[:5000])
    state = separator.state_dict()
    assert name in state
    with pytest.raises(ValueError, match=name.rpartition(".")[2]):
        separator.load_state_dict({**load().state_dict(), name: value})
    after = separator.state_dict()
    for key in state:
        np.testing.assert_array_equal(after[key], state[key], err_msg=key)


def test_state_of_another_preset_is_refused() -> None:
    for other in (43, 243):
        with pytest.raises(ValueError, match="state"):
            load().load_state_dict(load(other).state_dict())


def test_reset_is_a_fresh_instance() -> None:
    used, fresh = load(), load()
    used.process(SOUND[:9000])
    used.process(np.full((500, 2), np.nan, np.float32))
    used.reset()
    assert used.nonfinite_samples == 0
    state = fresh.state_dict()
    for name, value in used.state_dict().items():
        np.testing.assert_array_equal(value, state[name], err_msg=name)
    np.testing.assert_array_equal(used.process(SOUND), fresh.process(SOUND))


def test_broken_samples_are_zeroed_and_counted_once() -> None:
    broken, zeroed = SOUND.copy(), SOUND.copy()
    hit = np.random.default_rng(0).random(SOUND.shape) < 0.01
    broken[hit], zeroed[hit] = np.nan, 0
    separator, clean = load(), load()
    np.testing.assert_array_equal(separator.process(broken), clean.process(zeroed))
    assert separator.nonfinite_samples == hit[: len(hit) // separator.hop * separator.hop].sum()


def test_hops_without_time_keep_the_sum_and_hold_the_pitches_before() -> None:
    separator, hop = load(), Preset(RATE, 143).hop
    out, total, pitches = np.zeros((3, hop, 2), np.float32), [], []
    for k, block in enumerate(hops_of(SOUND)):
        if 30 <= k < 33:
            separator.skip_hop(block, out)
        else:
            separator.process_hop(block, out)
        total.append(out.sum(axis=0))
        pitches.append(separator.voices.followed_hz.copy())
    delay = separator.hop_latency_samples
    got = np.concatenate(total)
    assert np.abs(got[delay:] - SOUND[: len(got) - delay]).max() < 2e-6
    # frames 28 to 30 were not assigned: they have the pitches of frame 27, whose stems there was no time for
    for held in pitches[34:36]:
        np.testing.assert_array_equal(held, pitches[33])
    assert pitches[33].all()
    assert not np.array_equal(pitches[36], pitches[33])


def test_pitches_belong_to_the_frame_that_is_heard() -> None:
    """A tone that begins is reported when its stem comes out, not when its first frame has gone in."""
    separator = load(243, voices=1, channels=1)
    hop, begin = separator.hop, 40
    t = np.arange(60 * hop) / RATE
    tone = np.asarray(sum(0.1 / k * np.sin(2 * np.pi * 300.0 * k * t) for k in range(1, 8)), np.float32)
    sound = np.concatenate((np.zeros(begin * hop, np.float32), tone))[:, None]
    out = np.zeros((2, hop, 1), np.float32)
    found = []
    for start in range(0, len(sound), hop):
        separator.process_hop(sound[start : start + hop], out)
        found.append(bool(separator.voices.f0_hz[0] > 0))
    first = found.index(True)
    reported_s = (first + 1) * hop / RATE - separator.preset.pitch_delay_s
    assert reported_s == pytest.approx(begin * hop / RATE, abs=0.045)
    assert separator.preset.pitch_delay_s == pytest.approx(
        Preset(RATE, 43).framing.pitch_delay_s + LATER_HOPS[243] * hop / RATE
    )


def test_memory_does_not_grow_with_hops() -> None:
    separator = load()
    out = np.empty((3, len(SOUND), 2), np.float32)
    separator.process(SOUND, out)
    tracemalloc.start()
    try:
        separator.process(SOUND, out)
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(4):
            separator.process(SOUND, out)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 2048


def test_a_score_is_followed_and_its_bias_waits_too() -> None:
    """Parts that cross, each in the stem of its name, and a state that goes on in the middle."""
    written = Score(("low", "high"), (((0.0, 2.0, 60.0),), ((0.0, 2.0, 67.0),)), (), 0.0)
    sound = np.stack([sing(vibrato(midi, 2.0, RATE), RATE, seed=midi) for midi in (60, 67)])
    mixture = sound.sum(axis=0).astype(np.float32)[:, None]
    one, other = (Separator.load(samplerate=RATE, latency_ms=143, score=written) for _ in range(2))
    assert one.stems == ("low", "high", "residual")
    assert one.guide is not None
    assert one.guide.position.bar == 1
    out = one.process(mixture)
    late = one.latency_samples
    heard, true = (part[:, RATE // 2 :] for part in (out[:2, late:, 0], sound[:, :-late]))
    alike = np.corrcoef(heard, true)[:2, 2:]  # the higher part is in the lower stem
    assert np.diag(alike).min() > 0.6
    assert max(alike[0, 1], alike[1, 0]) < 0.4
    other.process(mixture[:7001])
    resumed = Separator.load(samplerate=RATE, latency_ms=143, score=written)
    resumed.load_state_dict(other.state_dict())
    np.testing.assert_array_equal(resumed.process(mixture[7001:]), out[:, 7001:])


def test_voices_sung_anew_are_as_late() -> None:
    f0 = contours()
    now, later = load(43, render="synth", f0=f0), load(143, render="synth", f0=f0)
    wait = later.latency_samples - now.latency_samples
    sung = now.process(SOUND)
    np.testing.assert_array_equal(later.process(SOUND)[:, wait:], sung[:, : len(SOUND) - wait])
    assert np.abs(sung[0]).max() > 0.05


def test_what_decides_nothing_later_says_so_in_one_line() -> None:
    refusals: list[tuple[dict[str, Any], str]] = [
        (
            {"model": "band"},
            r"model band works at 5, 11, 21, 43 ms, its family band .*; choose --latency among",
        ),
        ({"model": "band", "voices": 2}, r"model band works at 5, 11, 21, 43 ms"),
        (
            {"model": "choir-comb"},
            "model choir-comb tracks pitches without a network, .*; use --latency 43 or",
        ),
        ({"backend": "cuda"}, r"--backend cuda does not decide later \(--latency 143\); use --backend cpu"),
    ]
    for changes, message in refusals:
        with pytest.raises(RtsepError, match=message) as caught:
            load(**{"voices": None, **changes})
        assert "\n" not in str(caught.value)
    with pytest.raises(RtsepError, match=r"latency 143 ms decides pitches later, .*; use 43 ms or less"):
        BatchSeparator.load(streams=2, voices=2, samplerate=RATE, latency_ms=143)

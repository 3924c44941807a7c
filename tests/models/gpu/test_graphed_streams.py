"""Many streams on a GPU, with the hop program run operation by operation in the GPU's place."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from helpers.eager_hop import EagerHop
from helpers.sung import sing, vibrato
from numpy.typing import NDArray

from rtsep import BatchSeparator, Separator
from rtsep.kernels.errors import GpuMissing, RtsepError
from rtsep.models.build import build_model
from rtsep.models.gpu.build_program import build_program
from rtsep.models.gpu.hop_runner import HopResult
from rtsep.rt.gpu import start_check as gpu_check
from rtsep.rt.gpu.many_streams import GraphedStreams
from rtsep.rt.hop.pipeline import HopPipeline
from rtsep.rt.hop.presets import Preset

F32 = NDArray[np.float32]
RATE, VOICES, STREAMS, HOPS = 16000, 2, 3, 120
PRESET = Preset(RATE, 11)
CHORDS = ((71.0, 62.0), (67.0, 55.0), (76.0, 64.0))
QUICK = 12  # hops of the check at the start, where it is not what is tested


@pytest.fixture(autouse=True)
def short_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_check, "CHECK_HOPS", QUICK)


@pytest.fixture(scope="module")
def songs() -> F32:
    """[hops, S, H, 1], another chord in every stream."""
    sounds = [
        sum(sing(vibrato(midi, 1.5, RATE), RATE, seed=i) for i, midi in enumerate(chord)) for chord in CHORDS
    ]
    used = np.stack(sounds).astype(np.float32)[:, : HOPS * PRESET.hop]
    return np.ascontiguousarray(used.reshape(STREAMS, HOPS, PRESET.hop, 1).swapaxes(0, 1))


def runner(streams: int = STREAMS) -> EagerHop:
    return EagerHop(build_program("choir", voices=VOICES, framing=PRESET.framing), streams)


def standby() -> HopPipeline:
    return HopPipeline(PRESET, build_model("choir", voices=VOICES, framing=PRESET.framing, f0=None), 1)


def batch(hop_runner: EagerHop) -> BatchSeparator:
    return BatchSeparator(GraphedStreams(hop_runner, standby(), STREAMS), PRESET, 1)


def engine() -> Separator:
    return Separator.load("choir", voices=VOICES, samplerate=RATE, latency_ms=11)


def play(
    separator: BatchSeparator, hops: F32, resets: dict[int, list[bool]] | None = None, start: int = 0
) -> F32:
    """Output of every hop [hops, S, V + 1, H, 1]; resets by number of the hop, counted from `start`."""
    outs = np.zeros((len(hops), STREAMS, VOICES + 1, PRESET.hop, 1), np.float32)
    for number, hop in enumerate(hops):
        flags = (resets or {}).get(start + number)
        separator.process_hop(hop, outs[number], None if flags is None else np.array(flags))
    return outs


def test_every_stream_is_the_engine_s(songs: F32) -> None:
    hops = songs.copy()
    hops[20, :2, 3:8] = np.nan
    resets = {40: [False, False, True], 55: [True, False, False]}
    there, engines = batch(runner()), [engine() for _ in range(STREAMS)]
    out, expected = (np.zeros((STREAMS, VOICES + 1, PRESET.hop, 1), np.float32) for _ in range(2))
    told = 0
    for number, hop in enumerate(hops):
        flags = resets.get(number, [False] * STREAMS)
        there.process_hop(hop, out, np.array(flags))
        for stream, here in enumerate(engines):
            if flags[stream]:
                here.reset()
            here.process_hop(hop[stream], expected[stream])
            np.testing.assert_allclose(there.voices.f0_hz[stream], here.voices.f0_hz, rtol=1e-4)
            np.testing.assert_allclose(there.voices.level_db[stream], here.voices.level_db, atol=1e-2)
            np.testing.assert_array_equal(there.voices.merged[stream], here.voices.merged)
            told += int((here.voices.f0_hz > 0).sum())
        np.testing.assert_allclose(out, expected, atol=1e-4)
    assert told > HOPS
    np.testing.assert_array_equal(there.nonfinite_samples, [0, 5, 0])  # counted from a stream's reset on
    assert there.hop_latency_samples == engines[0].hop_latency_samples


def test_streams_do_not_hear_each_other(songs: F32) -> None:
    """Stream 1 leaves (silence), breaks, and joins anew: not a bit of the others' changes."""
    hops = songs[:60].copy()
    hops[20:30, 1] = 0
    hops[30:40, 1] = np.nan
    want, have = play(batch(runner()), songs[:60]), play(batch(runner()), hops, {45: [False, True, False]})
    np.testing.assert_array_equal(have[:, [0, 2]], want[:, [0, 2]])
    assert np.isfinite(have).all()
    late = play(batch(runner()), songs[45:60])
    np.testing.assert_array_equal(have[45:, 1], late[:, 1])


def test_state_and_reset(songs: F32) -> None:
    first, second = batch(runner()), batch(runner())
    whole = play(first, songs[:40])
    first.reset()
    assert not first.voices.f0_hz.any()
    np.testing.assert_array_equal(play(first, songs[:25]), whole[:25])
    second.load_state_dict(first.state_dict())
    np.testing.assert_array_equal(second.voices.f0_hz, first.voices.f0_hz)
    np.testing.assert_array_equal(play(second, songs[25:40]), whole[25:])
    with pytest.raises(ValueError, match="this batch needs"):
        second.load_state_dict(engine().state_dict())


def test_a_lost_gpu_is_the_mixture_from_then_on(songs: F32) -> None:
    """Stems fade out as those of an engine without time do; nothing of the input is missing or late."""
    hops = songs.copy()
    lost_at, anew = 50, 60
    hops[lost_at + 2, 0, 5:9] = np.inf
    resets = {anew: [False, True, False]}
    hop_runner = runner()
    there, engines = batch(hop_runner), [engine() for _ in range(STREAMS)]
    have = play(there, hops[:lost_at], resets)
    assert there.voices.f0_hz.any()
    hop_runner.fails = True
    have = np.concatenate([have, play(there, hops[lost_at : lost_at + 1])])
    hop_runner.fails = False  # back a hop later: a GPU that has failed is not trusted again
    have = np.concatenate([have, play(there, hops[lost_at + 1 :], resets, lost_at + 1)])
    assert there.gpu_lost == "CUDA error: unspecified launch failure"
    want = np.zeros_like(have)
    for number in range(HOPS):
        for stream, here in enumerate(engines):
            if resets.get(number, [False] * STREAMS)[stream]:
                here.reset()
            (here.process_hop if number < lost_at else here.skip_hop)(
                hops[number, stream], want[number, stream]
            )
    np.testing.assert_allclose(have, want, atol=1e-4)
    assert np.abs(have[lost_at, :, :VOICES]).max() > 0.01  # the fade is heard
    assert not have[lost_at + 1 :, :, :VOICES].any()
    np.testing.assert_array_equal(have[lost_at + 4 : anew, :, -1], hops[lost_at + 3 : anew - 1])
    assert not have[anew, 1].any()
    np.testing.assert_array_equal(there.nonfinite_samples, [4, 0, 0])
    assert not there.voices.f0_hz.any()
    assert hop_runner.steps == QUICK + STREAMS - 1 + lost_at  # the streams of the check are staggered


@pytest.mark.parametrize("call", [BatchSeparator.reset, BatchSeparator.state_dict])
def test_a_gpu_lost_between_hops(songs: F32, call: Callable[[BatchSeparator], object]) -> None:
    """In a reset or a snapshot: said, and survived; who goes on from that snapshot goes on without it."""
    hop_runner = runner()
    there = batch(hop_runner)
    play(there, songs[:20])
    hop_runner.fails = True
    call(there)
    assert there.gpu_lost
    other = batch(runner())
    other.load_state_dict(there.state_dict())
    assert other.gpu_lost == "the GPU was lost before"
    assert not other.voices.f0_hz.any()
    np.testing.assert_array_equal(play(other, songs[20:30]), play(there, songs[20:30]))
    loading = runner()
    failed = batch(loading)
    state = failed.state_dict()
    loading.fails = True
    failed.load_state_dict(state)
    assert failed.gpu_lost


@pytest.mark.parametrize("wrong_stream", [0, 2])
def test_every_stream_is_compared(monkeypatch: pytest.MonkeyPatch, wrong_stream: int) -> None:
    wrong = runner()
    step = wrong.step

    def louder(*given: NDArray[np.generic]) -> HopResult:
        result = step(*given)  # type: ignore[arg-type]
        stems = result.stems.copy()
        stems[wrong_stream] *= 1.01
        return result._replace(stems=stems)

    monkeypatch.setattr(wrong, "step", louder)
    with pytest.raises(
        GpuMissing, match=f"by .* on a chord in stream {wrong_stream} of 3, bound 0.0001; use"
    ):
        batch(wrong)


@pytest.mark.parametrize("mistake", ["another stream's audio", "no reset", "NaN", "failure", "late failure"])
def test_what_else_the_check_finds(monkeypatch: pytest.MonkeyPatch, mistake: str) -> None:
    wrong = runner()
    step = wrong.step

    def mistaken(hops: F32, reset: NDArray[np.bool_], given_hz: F32) -> HopResult:
        if mistake == "another stream's audio":
            return step(hops[[0, 2, 1]], reset, given_hz)
        if mistake == "no reset":
            return step(hops, np.zeros_like(reset), given_hz)
        result = step(hops, reset, given_hz)
        if mistake == "NaN":
            result.stems[2, 0, 5] = np.nan
        wrong.fails = mistake == "failure" or (mistake == "late failure" and wrong.steps == QUICK + 2)
        return result

    monkeypatch.setattr(wrong, "step", mistaken)
    failed = r"the GPU failed \(CUDA error: unspecified launch failure\)"
    match = failed if "failure" in mistake else "differs from the processor by"
    with pytest.raises(GpuMissing, match=match):
        batch(wrong)


def test_more_streams_than_places_in_the_chord(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stream 8 hears what stream 1 hears: still each is compared."""
    streams = gpu_check.STAGGER + 2
    good = runner(streams)
    gpu_check.check_on_chord(good, standby(), streams)
    assert good.steps == QUICK + gpu_check.STAGGER - 1
    step = good.step

    def muted(*given: NDArray[np.generic]) -> HopResult:
        result = step(*given)  # type: ignore[arg-type]
        result.stems[-1] = 0
        return result

    monkeypatch.setattr(good, "step", muted)
    with pytest.raises(GpuMissing, match="in stream 8 of 9"):
        gpu_check.check_on_chord(good, standby(), streams)


def test_a_gpu_is_asked_for_all_streams_at_once(monkeypatch: pytest.MonkeyPatch, songs: F32) -> None:
    given: dict[str, object] = {}

    def hop(backend: str, model: str, **more: object) -> EagerHop:
        given.update(more, backend=backend, model=model)
        return runner()

    shape = {"voices": VOICES, "samplerate": RATE, "latency_ms": 11}
    with monkeypatch.context() as patched:
        patched.setattr("rtsep.rt.batch_separator.gpu_hop", hop)
        there = BatchSeparator.load(streams=STREAMS, backend="cuda", **shape)  # type: ignore[arg-type]
    assert given == {
        "backend": "cuda",
        "model": "choir",
        "voices": VOICES,
        "framing": PRESET.framing,
        "channels": 1,
        "streams": STREAMS,
    }
    here = BatchSeparator.load(streams=STREAMS, **shape)  # type: ignore[arg-type]
    np.testing.assert_allclose(play(there, songs[:40]), play(here, songs[:40]), atol=1e-4)


def test_without_a_gpu_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(GpuMissing, match="--backend cuda needs an NVIDIA GPU"):
        BatchSeparator.load(streams=2, backend="cuda")
    with pytest.raises(
        RtsepError, match="--backend tensorrt runs one stream, 2 were asked for; use --backend"
    ):
        BatchSeparator.load(streams=2, backend="tensorrt")


@pytest.mark.gpu
def test_captured_streams_are_the_engine_s(songs: F32) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no NVIDIA GPU here")
    there, here = (
        BatchSeparator.load(streams=STREAMS, voices=VOICES, samplerate=RATE, backend=backend)
        for backend in ("cuda", "cpu")
    )
    resets = {60: [False, True, False]}
    np.testing.assert_allclose(play(there, songs, resets), play(here, songs, resets), atol=1e-4)
    assert not there.gpu_lost

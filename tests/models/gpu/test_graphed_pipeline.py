"""A separator on a GPU, with the hop program run operation by operation in the GPU's place."""

import numpy as np
import pytest
import torch
from helpers.eager_hop import EagerHop
from helpers.sung import sing, vibrato
from numpy.typing import NDArray

from rtsep import Separator
from rtsep.kernels.errors import GpuMissing
from rtsep.models import backends
from rtsep.models.build import build_model
from rtsep.models.gpu import cuda_graph
from rtsep.models.gpu.build_program import build_program
from rtsep.rt.fallback import load_or_fall_back, take_over
from rtsep.rt.gpu import start_check
from rtsep.rt.hop.presets import Preset

F32 = NDArray[np.float32]
RATE, VOICES = 16000, 2
PRESET = Preset(RATE, 11)
WITH = {"voices": VOICES, "samplerate": RATE, "latency_ms": 11, "channels": 1, "f0": None}


def runner() -> EagerHop:
    return EagerHop(build_program("choir", voices=VOICES, framing=PRESET.framing))


def graphed(hop: EagerHop) -> Separator:
    standby = build_model("choir", voices=VOICES, framing=PRESET.framing, f0=None)
    return Separator(standby, PRESET, 1, hop)


def engine() -> Separator:
    return Separator.load("choir", voices=VOICES, samplerate=RATE, latency_ms=11)


@pytest.fixture(autouse=True)
def _short_check(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The check at the start is asked about in tests of its own, and costs a second of each of the others."""
    if request.function is not test_another_computation_is_not_used:
        monkeypatch.setattr(start_check, "CHECK_HOPS", 20)


@pytest.fixture(scope="module")
def song() -> F32:
    tones = [sing(vibrato(midi, 1.5, RATE), RATE, seed=i) for i, midi in enumerate((71.0, 62.0))]
    return (tones[0] + tones[1]).astype(np.float32)[:, None]


def hops(song: F32) -> list[F32]:
    count = len(song) // PRESET.hop
    return [np.ascontiguousarray(h) for h in song[: count * PRESET.hop].reshape(count, PRESET.hop, 1)]


def test_blocks_of_any_length_are_the_engine_s(song: F32) -> None:
    there, here = graphed(runner()), engine()
    sizes = np.random.default_rng(3).integers(1, 700, 60)
    at, told = 0, 0
    for size in sizes:
        block = song[at : at + size]
        at += size
        np.testing.assert_allclose(there.process(block), here.process(block), atol=1e-4)
        np.testing.assert_allclose(there.voices.f0_hz, here.voices.f0_hz, rtol=1e-4)
        np.testing.assert_array_equal(there.voices.merged, here.voices.merged)
        told += int((here.voices.f0_hz > 0).sum())
    assert told > 0
    assert there.latency_samples == here.latency_samples


def test_a_hop_without_time_joins(song: F32) -> None:
    """Skipped hops run on the processor: what the GPU holds has to follow."""
    there, here = graphed(runner()), engine()
    a, b = (np.zeros((VOICES + 1, PRESET.hop, 1), np.float32) for _ in range(2))
    for number, hop in enumerate(hops(song)):
        for separator, out in ((there, a), (here, b)):
            (separator.skip_hop if number % 7 == 3 else separator.process_hop)(hop, out)
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_a_lost_gpu_is_a_hop_of_mixture_and_then_the_processor(song: F32) -> None:
    hop_runner = runner()
    there, here = graphed(hop_runner), engine()
    a, b = (np.zeros((VOICES + 1, PRESET.hop, 1), np.float32) for _ in range(2))
    lost_at, apart = 60, []
    for number, hop in enumerate(hops(song)):
        hop_runner.fails = number == lost_at  # back a hop later: a GPU that has failed is not trusted again
        there.process_hop(hop, a)
        if number == lost_at:
            here.skip_hop(hop, b)
            np.testing.assert_allclose(a, b, atol=1e-4)
        else:
            here.process_hop(hop, b)
        apart.append(float(np.abs(a - b).max()))
        np.testing.assert_allclose(a.sum(0), b.sum(0), atol=1e-5)  # the delayed input, without a gap
    assert there.gpu_lost == "CUDA error: unspecified launch failure"
    assert max(apart[: lost_at + 1]) < 1e-4
    # the processor's tracker begins anew: it finds the same voices again, 40 dB below full scale apart
    assert 1e-4 < max(apart) < 0.5
    assert max(apart[-10:]) < 0.01
    assert hop_runner.steps == start_check.CHECK_HOPS + lost_at


def test_a_gpu_lost_between_hops(song: F32) -> None:
    """In a skip, a reset or a snapshot: said, and survived."""
    out = np.zeros((VOICES + 1, PRESET.hop, 1), np.float32)
    for call in (lambda s: s.skip_hop(hops(song)[0], out), Separator.reset, Separator.state_dict):
        hop_runner = runner()
        separator = graphed(hop_runner)
        hop_runner.fails = True
        call(separator)
        assert separator.gpu_lost
        separator.process_hop(hops(song)[0], out)


def test_state_and_reset(song: F32) -> None:
    first = graphed(runner())
    first.process(song[:9000])
    other = graphed(runner())
    other.load_state_dict(first.state_dict())
    expected = first.process(song[9000:])
    np.testing.assert_array_equal(other.process(song[9000:]), expected)
    other.reset()
    np.testing.assert_allclose(other.process(song), engine().process(song), atol=1e-4)


@pytest.mark.parametrize("lost", [False, True])
def test_a_processor_goes_on_from_a_gpu_s_state(song: F32, lost: bool) -> None:
    hop_runner = runner()
    before = graphed(hop_runner)
    before.process(song[:8000])
    hop_runner.fails = lost
    before.process(song[8000:9000])
    state = before.state_dict()
    assert bool(state["gpu_lost"]) is lost
    after, again = engine(), graphed(runner())
    take_over(after, state)
    take_over(again, state)
    assert bool(again.gpu_lost) is lost
    span = PRESET.latency_samples
    heard = np.concatenate([song[9000 - span : 9000], song[9000:]])[: len(song) - 9000]
    for separator in (after, again):  # nothing of the input is missing at the seam
        np.testing.assert_allclose(separator.process(song[9000:]).sum(0), heard, atol=1e-5)
    take_over(graphed(runner()), engine().state_dict())


def test_another_computation_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = runner()
    step = wrong.step

    def louder(*given: NDArray[np.generic]) -> object:
        result = step(*given)  # type: ignore[arg-type]
        return result._replace(stems=1.01 * result.stems)

    monkeypatch.setattr(wrong, "step", louder)
    with pytest.raises(GpuMissing, match=r"differs from the processor by .* on a chord, bound 0.0001; use"):
        graphed(wrong)
    failing = runner()
    failing.fails = True
    with pytest.raises(GpuMissing, match=r"the GPU failed \(CUDA error: unspecified launch failure\)"):
        graphed(failing)


def test_what_cannot_be_had_runs_on_the_processor(monkeypatch: pytest.MonkeyPatch, song: F32) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(GpuMissing, match=r"--backend cuda needs an NVIDIA GPU"):
        Separator.load("choir", voices=VOICES, samplerate=RATE, backend="cuda")
    separator, notes = load_or_fall_back("choir", backend="cuda", **WITH)  # type: ignore[arg-type]
    assert len(notes) == 1
    assert "needs an NVIDIA GPU" in notes[0]
    assert "it runs on the processor" in notes[0]
    np.testing.assert_array_equal(separator.process(song), engine().process(song))
    separator, notes = load_or_fall_back("choir", backend="cpu", **WITH)  # type: ignore[arg-type]
    assert notes == []


def test_where_there_is_a_gpu_it_is_asked(monkeypatch: pytest.MonkeyPatch, song: F32) -> None:
    given = {}

    def hop(backend: str, model: str, **more: object) -> EagerHop:
        given.update(more, backend=backend, model=model)
        return runner()

    monkeypatch.setattr("rtsep.rt.gpu.one_stream.gpu_hop", hop)
    separator = Separator.load("choir", voices=VOICES, samplerate=RATE, backend="tensorrt")
    assert given == {
        "backend": "tensorrt",
        "model": "choir",
        "voices": VOICES,
        "framing": PRESET.framing,
        "channels": 1,
    }
    np.testing.assert_allclose(separator.process(song), engine().process(song), atol=1e-4)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("no room\nfor it"), KeyError("sm_999")])
def test_a_gpu_that_cannot_hold_the_hop(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def refuse(program: object, streams: int, **more: object) -> None:
        raise error

    monkeypatch.setattr(cuda_graph, "require_gpu", lambda backend: "H200")
    monkeypatch.setattr(cuda_graph, "GraphedHop", refuse)
    monkeypatch.setattr(torch.nn.Module, "cuda", lambda self: self)
    with pytest.raises(
        GpuMissing, match=r"the GPU refused the hop \(.*(no room for it|sm_999).*; use --backend"
    ):
        backends.gpu_hop("cuda", "choir", voices=VOICES, framing=PRESET.framing, channels=1)


@pytest.mark.gpu
def test_the_captured_hop_is_the_engine_s(song: F32) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no NVIDIA GPU here")
    there, here = Separator.load("choir", voices=VOICES, samplerate=RATE, backend="cuda"), engine()
    np.testing.assert_allclose(there.process(song), here.process(song), atol=1e-4)
    assert not there.gpu_lost

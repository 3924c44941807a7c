"""The source-filter network on stage: hop by hop through ONNX Runtime as in training, at every sample
rate."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from rtsep.kernels import _core
from rtsep.models.choir.source_filter_masks import SourceFilterMasks
from rtsep.models.framing import Framing
from rtsep.models.networks.export import export_onnx
from rtsep.models.networks.source_filter_net import SourceFilterNet
from rtsep.models.runtimes.onnx_step import OnnxStep
from rtsep.rt.hop.presets import Preset
from rtsep.training.choir.levels.comb_reading import read
from rtsep.training.choir.levels.renderer import TorchRenderer

F32 = NDArray[np.float32]


@pytest.fixture(scope="module")
def network() -> SourceFilterNet:
    torch.manual_seed(3)
    net = SourceFilterNet(4, hidden=16)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return net


@pytest.fixture(scope="module")
def graph(network: SourceFilterNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("network") / "levels.onnx"
    export_onnx(network, path)
    return path


def sung(framing: Framing, hops: int, voices: int) -> tuple[F32, F32]:
    """Power [hops, bins] with partials that glide, and their F0 [hops, voices]; the first voice rests for a
    while."""
    rng = np.random.default_rng(7)
    power = (1e-9 * rng.exponential(size=(hops, framing.bins))).astype(np.float32)
    start_hz = np.array([523.3, 330.0, 220.0, 110.0])[:voices]
    f0_hz = (start_hz * 2 ** np.cumsum(0.005 * rng.standard_normal((hops, voices)), axis=0)).astype(
        np.float32
    )
    f0_hz[hops // 3 : hops // 2, 0] = 0
    for hop, voice in np.ndindex(hops, voices):
        if f0_hz[hop, voice]:
            at = np.round(np.arange(1, 13) * f0_hz[hop, voice] / framing.bin_hz).astype(int)
            power[hop, at] += (0.01 / np.arange(1, 13) ** 2).astype(np.float32)
    return power, f0_hz


def stepped(masks_of: SourceFilterMasks, power: F32, f0_hz: F32) -> F32:
    masks = np.zeros((len(power), f0_hz.shape[1], power.shape[1]), np.float32)
    level_db = np.zeros(f0_hz.shape[1], np.float32)
    for hop in range(len(power)):
        masks_of.step(power[hop], f0_hz[hop], masks[hop], level_db)
    return masks


@pytest.mark.parametrize(
    ("samplerate", "latency_ms"), [(16000, 5), (16000, 43), (44100, 11), (48000, 11), (48000, 21)]
)
def test_streaming_is_training(
    network: SourceFilterNet, graph: Path, samplerate: int, latency_ms: int
) -> None:
    """Kernels and ONNX Runtime hop by hop against the sequence and the renderer that training goes
    through."""
    framing = Preset(samplerate, latency_ms).framing
    power, f0_hz = sung(framing, hops=24, voices=4)
    streamed = stepped(SourceFilterMasks(OnnxStep(graph), 4, framing), power, f0_hz)
    reading = read(power, f0_hz, framing)
    with torch.no_grad():
        found = network.sequence(*(x.unsqueeze(0) for x in reading.inputs), *network.initial_state(1))
    level, trust, noise = (x[0] for x in found[:3])
    renderer = TorchRenderer(framing)
    partials = renderer.place(reading.inputs.f0_hz, reading.before_hz)
    at = (partials.frame, partials.voice, partials.partial)
    masks = renderer.masks(torch.from_numpy(power), partials, level[at], trust[at], noise).numpy()
    np.testing.assert_allclose(streamed, masks, atol=1e-3)
    assert np.sqrt(np.mean((streamed - masks) ** 2)) < 1e-4


@pytest.mark.parametrize("voices", [1, 2, 3, 4])
def test_any_number_of_voices_gives_shares(graph: Path, voices: int) -> None:
    framing = Preset(48000, 11).framing
    power, f0_hz = sung(framing, hops=12, voices=voices)
    masks = stepped(SourceFilterMasks(OnnxStep(graph), voices, framing), power, f0_hz)
    assert masks.shape[1] == voices
    assert np.isfinite(masks).all()
    assert (masks >= 0).all()
    assert (masks.sum(axis=1, dtype=np.float64) <= 1 + 1e-6).all()


def test_state_continues_sample_exactly_and_reset_forgets(graph: Path) -> None:
    framing = Preset(16000, 21).framing
    power, f0_hz = sung(framing, hops=20, voices=3)
    one, other = (SourceFilterMasks(OnnxStep(graph), 3, framing) for _ in range(2))
    whole = stepped(one, power, f0_hz)
    stepped(other, power[:9], f0_hz[:9])
    state = other.state_dict()
    stepped(other, power[:5], f0_hz[:5])
    other.load_state_dict(state)
    np.testing.assert_array_equal(stepped(other, power[9:], f0_hz[9:]), whole[9:])
    other.reset()
    np.testing.assert_array_equal(stepped(other, power, f0_hz), whole)


def test_voices_beyond_those_asked_for_rest(graph: Path) -> None:
    framing = Preset(16000, 11).framing
    step = OnnxStep(graph)
    power, f0_hz = sung(framing, hops=4, voices=2)
    stepped(SourceFilterMasks(step, 2, framing), power, f0_hz)
    assert not step.inputs["f0_hz"][0, 2:].any()
    assert (step.inputs["envelope"][0, 2:] == _core.GuidedComb.UNSEEN).all()


def test_a_supposition_is_a_step_that_nothing_is_learnt_from(graph: Path) -> None:
    framing = Preset(16000, 21).framing
    power, f0_hz = sung(framing, hops=14, voices=3)
    one, other = (SourceFilterMasks(OnnxStep(graph), 3, framing) for _ in range(2))
    stepped(one, power[:8], f0_hz[:8])
    other.load_state_dict(one.state_dict())
    supposed = np.zeros((3, framing.bins), np.float32)
    another_hz = np.ascontiguousarray(f0_hz[8][::-1])
    for _ in range(2):  # as often as one likes
        one.suppose(power[8], another_hz, supposed)
    for name, array in one.state_dict().items():
        np.testing.assert_array_equal(array, other.state_dict()[name])
    state = other.state_dict()
    np.testing.assert_array_equal(stepped(other, power[8:9], another_hz[None])[0], supposed)
    other.load_state_dict(state)
    np.testing.assert_array_equal(stepped(one, power[8:], f0_hz[8:]), stepped(other, power[8:], f0_hz[8:]))

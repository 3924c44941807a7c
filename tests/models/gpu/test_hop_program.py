"""The hop as one torch program gives the engine's samples, stream by stream, over state and resets."""

import numpy as np
import pytest
import torch
from helpers.eager_step import EagerStep
from helpers.sung import note, sing, vibrato
from numpy.typing import NDArray

from rtsep import Separator
from rtsep.models.choir.given_pitches import F0Track
from rtsep.models.choir.model import ChoirModel, mark_merged
from rtsep.models.choir.network_tracker import NetworkTracker
from rtsep.models.choir.source_filter_masks import SourceFilterMasks
from rtsep.models.gpu.comb import TensorAdaptiveComb
from rtsep.models.gpu.hop_program import HopProgram, merged
from rtsep.models.gpu.levels import TensorLevels
from rtsep.models.gpu.tracker import TensorTracker
from rtsep.models.networks.pitch_net import PitchNet
from rtsep.models.networks.source_filter_net import SourceFilterNet
from rtsep.rt.hop.pipeline import HopPipeline
from rtsep.rt.hop.presets import Preset

F32 = NDArray[np.float32]
SAMPLERATE, SECONDS = 16000, 1.0
CHORDS = ((72.0, 60.0), (69.0, 57.0), (76.0, 64.0))


def song(chord: tuple[float, ...], channels: int) -> tuple[F32, F0Track]:
    """Sung chord [frames, channels] and its pitches."""
    contours = [vibrato(midi, SECONDS, SAMPLERATE) for midi in chord]
    sound = sum(sing(contour, SAMPLERATE, seed=i) for i, contour in enumerate(contours))
    pan = np.linspace(0.5, 1.0, channels)
    every = slice(None, None, 80)  # 5 ms
    times_s = np.arange(round(SECONDS * SAMPLERATE))[every] / SAMPLERATE
    return (sound[:, None] * pan).astype(np.float32), F0Track(times_s, np.stack(contours, 1)[every])


class Engines:
    """One separator per stream, and one program for all of them, with given pitches."""

    def __init__(self, channels: int) -> None:
        self.preset = Preset(SAMPLERATE, 11)
        self.songs = [song(chord, channels) for chord in CHORDS]
        framing = self.preset.framing
        self.program = HopProgram(framing, 2, channels, TensorAdaptiveComb(2, framing)).eval()
        self.state = self.program.initial_state(len(CHORDS))
        self.channels = channels
        self.began = [0] * len(CHORDS)
        self.separators = [self._separator(stream) for stream in range(len(CHORDS))]

    def _separator(self, stream: int) -> Separator:
        return Separator.load(
            "choir-comb",
            voices=2,
            samplerate=SAMPLERATE,
            latency_ms=11,
            channels=self.channels,
            f0=self.songs[stream][1],
        )

    @property
    def hops(self) -> int:
        return int(SECONDS * SAMPLERATE) // self.preset.hop

    @torch.no_grad()
    def step(self, hop: int, reset: tuple[int, ...] = ()) -> float:
        """Both sides for one hop; returns the energy of the voices."""
        size = self.preset.hop
        for stream in reset:
            self.separators[stream] = self._separator(stream)
            self.began[stream] = hop
        blocks, pitches = [], []
        for (sound, track), began in zip(self.songs, self.began, strict=True):
            blocks.append(sound[hop * size : (hop + 1) * size])
            f0_hz = np.zeros(2, np.float32)
            hops = hop - began + 1
            track.at(hops * size / SAMPLERATE - self.preset.framing.pitch_delay_s, f0_hz)
            pitches.append(f0_hz)
        if hop == 30:
            blocks[1][5, 0] = np.nan
        begins = torch.tensor([stream in reset for stream in range(len(CHORDS))])
        given = torch.from_numpy(np.stack(blocks)), begins, torch.from_numpy(np.stack(pitches))
        stems, f0_hz, level_db, _, nonfinite, *state = self.program(*given, *self.state)
        self.state = tuple(state)
        out = np.zeros((3, size, self.channels), np.float32)
        for stream, separator in enumerate(self.separators):
            before = separator.nonfinite_samples
            separator.process_hop(np.ascontiguousarray(blocks[stream]), out)
            np.testing.assert_allclose(stems[stream].numpy(), out, atol=1e-5)
            np.testing.assert_allclose(level_db[stream].numpy(), separator.voices.level_db, atol=1e-2)
            np.testing.assert_array_equal(f0_hz[stream].numpy(), separator.voices.f0_hz)
            assert int(nonfinite[stream]) == separator.nonfinite_samples - before
        return float(stems[:, :2].square().sum())


@pytest.mark.parametrize("channels", [1, 2])
def test_every_stream_is_the_engine_s(channels: int) -> None:
    engines = Engines(channels)
    energy = [engines.step(hop) for hop in range(engines.hops)]
    assert energy[-1] > 0.1 * max(energy) > 0.0


def test_a_reset_is_of_one_stream() -> None:
    engines = Engines(1)
    for hop in range(80):
        engines.step(hop, reset=(2,) if hop == 40 else (0, 1) if hop == 60 else ())


def test_state_moves() -> None:
    """A state that a compiler froze would give the same output for the same input."""
    engines = Engines(1)
    for hop in range(5):
        engines.step(hop)
    before = engines.state
    engines.step(5)
    for old, new in zip(before, engines.state, strict=True):
        assert not torch.equal(old, new) or old.numel() <= 6  # voices that sing stay active


def test_unisons_and_octaves_are_marked() -> None:
    f0_hz = np.array(
        [[note(69), note(57), note(60), 0], [0, 0, 0, 0], [note(72), note(71), note(67), note(60)]]
    )
    for row, found in zip(f0_hz.astype(np.float32), merged(torch.from_numpy(f0_hz).float()), strict=True):
        expected = np.zeros(4, bool)
        mark_merged(row, expected)
        np.testing.assert_array_equal(found.numpy(), expected)


def trained(preset: Preset, voices: int) -> tuple[HopProgram, HopPipeline]:
    """A program and an engine around the same two networks, untrained but talkative."""
    torch.manual_seed(1)
    pitches, levels = PitchNet().eval(), SourceFilterNet(voices, hidden=32).eval()
    with torch.no_grad():
        pitches.heads.weight.mul_(6.0)
        pitches.heads.bias.zero_()
    framing = preset.framing
    parts = TensorLevels(levels, voices, framing), TensorTracker(pitches, voices, framing)
    program = HopProgram(framing, voices, 1, *parts)
    masks = SourceFilterMasks(EagerStep(levels), voices, framing)  # type: ignore[arg-type]
    tracker = NetworkTracker(EagerStep(pitches), voices, framing)  # type: ignore[arg-type]
    return program.eval(), HopPipeline(preset, ChoirModel(voices, framing, masks, tracker), 1)


@torch.no_grad()
@pytest.mark.parametrize("latency_ms", [5, 11])
def test_with_networks_it_is_the_engine_s_too(latency_ms: int) -> None:
    """Where other hypotheses are nearly as likely too; at 5 ms the tracker's network looks at every other
    hop."""
    preset = Preset(SAMPLERATE, latency_ms)
    program, pipeline = trained(preset, 2)
    assert isinstance(pipeline.model.tracker, NetworkTracker)
    others = pipeline.model.tracker.others
    state = program.initial_state(1)
    sound = song(CHORDS[0], 1)[0]
    out = np.zeros((3, preset.hop, 1), np.float32)
    told = doubted = 0
    for hop in range(40):
        block = np.ascontiguousarray(sound[hop * preset.hop : (hop + 1) * preset.hop])
        _, reset, given_hz = program.example_inputs(1)
        stems, f0_hz, _, marked, _, *rest = program(torch.from_numpy(block[None]), reset, given_hz, *state)
        state = tuple(rest)
        pipeline.step(block, out)
        report = pipeline.model.report
        np.testing.assert_allclose(stems[0].numpy(), out, atol=1e-4)
        np.testing.assert_allclose(f0_hz[0].numpy(), report.f0_hz, rtol=1e-4)
        np.testing.assert_array_equal(marked[0].numpy(), report.merged)
        told += int((report.f0_hz > 0).sum())
        doubted += int(others.share[0] < 0.9)
    assert told > 0
    assert doubted > 10


@torch.no_grad()
def test_nothing_is_on_the_host() -> None:
    """On a device without values, a branch on data or a tensor made on the host would be an error."""
    program = trained(Preset(SAMPLERATE, 11), 4)[0].to("meta")
    state = program.initial_state(3)
    results = program(*program.example_inputs(3), *state)
    assert {result.device.type for result in results} == {"meta"}
    assert [r.shape for r in results[5:]] == [s.shape for s in state]


@pytest.mark.gpu
def test_one_graph_launch_per_hop() -> None:
    """Captured once, replayed: the samples of the program run operation by operation."""
    if not torch.cuda.is_available():
        pytest.skip("no NVIDIA GPU here")
    from rtsep.models.gpu.cuda_graph import GraphedHop

    engines = Engines(1)
    program = HopProgram(engines.preset.framing, 2, 1, TensorAdaptiveComb(2, engines.preset.framing))
    graphed = GraphedHop(program.eval().cuda(), streams=3)
    size = engines.preset.hop
    state = program.initial_state(3)
    for hop in range(50):
        block = np.stack([sound[hop * size : (hop + 1) * size] for sound, _ in engines.songs])
        f0_hz = np.stack([np.full(2, note(60), np.float32)] * 3)
        out = graphed.step(block, np.zeros(3, bool), f0_hz)
        given = torch.from_numpy(block).cuda(), torch.zeros(3, dtype=torch.bool).cuda()
        expected, *rest = program(*given, torch.from_numpy(f0_hz).cuda(), *state)
        state = tuple(rest[4:])
        np.testing.assert_allclose(out.stems, expected.detach().cpu().numpy(), atol=1e-5)

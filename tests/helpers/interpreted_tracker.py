"""The kernel of `models/gpu/triton_tracker.py` by Triton's interpreter, against the tensors and the stage.

No module of its own for pytest: Triton reads TRITON_INTERPRET when it is first imported, so these run in a
process of their own, which `test_fused_tracker.py` starts.
"""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from helpers.eager_step import EagerStep
from torch import Tensor, nn

from rtsep.models.choir.network_tracker import NetworkTracker
from rtsep.models.choir.peak_reading import JOIN_S
from rtsep.models.choir.pitch_grid import BANDS, CANDIDATES
from rtsep.models.framing import Framing
from rtsep.models.gpu.assignment import PEAKS
from rtsep.models.gpu.tracker import OWN, TensorTracker
from rtsep.models.networks.pitch_net import PRESETS, PitchNet

STREAMS = 2
HOPS, MANY_HOPS = 12, 80  # the interpreter takes a tenth of a second for a stream's hop
# where state [S, ...] of `TensorTracker` has which of `NetworkTracker`'s
ORDER = (
    *("f0_hz", "confident", "own_hz", "silent_s", "sung", "register_centre", "observed_s", "score"),
    *("others_share", "others_hz"),
)
Outputs = tuple[Tensor, Tensor, Tensor]  # salience, offset, unison [S, CANDIDATES]
Draw = Callable[[np.random.Generator, int], Outputs]


class FakeNetwork(nn.Module):
    """A network with given outputs, which counts hops."""

    inputs, outputs, states = PitchNet.inputs, PitchNet.outputs, ("hops",)

    def __init__(self) -> None:
        super().__init__()
        self.given = tuple(torch.zeros(1, CANDIDATES) for _ in range(3))

    def initial_state(self, batch: int) -> tuple[Tensor, ...]:
        return (torch.zeros(batch, 1),)

    def example_inputs(self, batch: int) -> tuple[Tensor, ...]:
        return torch.zeros(batch, BANDS), torch.zeros(batch, PRESETS)

    def forward(self, *args: Tensor) -> tuple[Tensor, ...]:
        return *self.given, args[2] + 1.0


class Side:
    """One of two implementations, over the same hops."""

    def __init__(self, voices: int, framing: Framing, fused: bool) -> None:
        self.network = FakeNetwork()
        self.tracker = TensorTracker(self.network, voices, framing)  # type: ignore[arg-type]
        self.tracker.fused = fused
        self.state = self.tracker.initial_state(STREAMS)
        self.amplitude = torch.zeros(STREAMS, framing.bins)

    @torch.no_grad()
    def step(self, outputs: Outputs) -> tuple[Tensor, Tensor]:
        """Pitches and which are confident."""
        self.network.given = outputs
        f0_hz, confident, _, _, *state = self.tracker(self.amplitude, *self.state)
        self.state = tuple(state)
        return f0_hz, confident


def framing_of(hop: int) -> Framing:
    return Framing(samplerate=16000, window_samples=1024, half_overlap=hop, hop=hop)


def assert_alike(found: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-4, atol=1e-4)


def as_heads(salience: np.ndarray, offset: np.ndarray, unison: np.ndarray) -> Outputs:
    """Laid out as `PitchNet` leaves them: three values of a candidate side by side."""
    heads = torch.from_numpy(np.stack([salience, offset, unison], -1).astype(np.float32))
    first, second, third = heads.unbind(-1)
    return first, second, third


def noise(rng: np.random.Generator, hop: int) -> Outputs:
    """Many candidates as likely as not."""
    shape = (STREAMS, CANDIDATES)
    return as_heads(rng.normal(-1.0, 3.0, shape), rng.normal(0.0, 0.6, shape), rng.normal(0.0, 2.0, shape))


class Music:
    """Chords that stay a while, of which some meet: voices rest, join and come back."""

    def __init__(self) -> None:
        self.chords = np.zeros((STREAMS, 4), np.int64)

    def __call__(self, rng: np.random.Generator, hop: int) -> Outputs:
        shape = (STREAMS, CANDIDATES)
        if hop % 8 == 0:
            moved = self.chords + rng.integers(-3, 4, self.chords.shape)
            fresh = rng.integers(8, CANDIDATES - 8, self.chords.shape)
            self.chords = np.where(rng.random(self.chords.shape) < 0.5, moved, fresh).clip(2, CANDIDATES - 3)
        salience, unison = rng.normal(-7.0, 1.0, shape), rng.normal(-3.0, 1.0, shape)
        for stream, chord in enumerate(self.chords):
            singing = chord[rng.random(4) < 0.8]
            salience[stream, singing] = rng.normal(2.0, 2.0, singing.size)
            unison[stream, singing] = rng.normal(0.0, 2.0, singing.size)
        return as_heads(salience, rng.normal(0.0, 0.5, shape), unison)


def ties(rng: np.random.Generator, hop: int) -> Outputs:
    """Peaks of equal height, seven at most: of more, torch says nothing about which it takes."""
    shape = (STREAMS, CANDIDATES)
    salience = np.full(shape, -8.0)
    for stream in range(STREAMS):
        at = rng.choice(np.arange(2, CANDIDATES - 2, 4), PEAKS - 1, replace=False)
        salience[stream, at] = rng.integers(-2, 3, at.size)
        salience[stream, at[:3] + 1] = salience[stream, at[:3]]  # a peak two candidates wide
    return as_heads(salience, np.zeros(shape), rng.integers(-1, 2, shape))


def broken(rng: np.random.Generator, hop: int) -> Outputs:
    """What is no number, and now and then nothing at all."""
    outputs = noise(rng, hop)
    outputs[0][torch.from_numpy(rng.random((STREAMS, CANDIDATES)) < 0.2)] = torch.nan
    outputs[2][torch.from_numpy(rng.random((STREAMS, CANDIDATES)) < 0.2)] = torch.nan
    if hop % 7 == 0:
        outputs[0][:, ::9] = torch.inf
        outputs[0][1] = torch.nan
    return outputs


class ToldStep(EagerStep):
    """Nothing is remembered that a stage's state would need."""

    def state_dict(self) -> dict[str, np.ndarray]:
        return {}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        assert not state


class Stages:
    """The tracker on stage, one per stream."""

    def __init__(self, voices: int, framing: Framing) -> None:
        self.networks = [FakeNetwork() for _ in range(STREAMS)]
        steps = [ToldStep(network) for network in self.networks]  # type: ignore[arg-type]
        self.trackers = [NetworkTracker(step, voices, framing) for step in steps]  # type: ignore[arg-type]
        self.amplitude = np.zeros(framing.bins, np.float32)
        self.f0_hz, self.confident = (
            np.zeros((STREAMS, voices), np.float32),
            np.zeros((STREAMS, voices), np.bool_),
        )

    def step(self, outputs: Outputs) -> None:
        for stream, (network, tracker) in enumerate(zip(self.networks, self.trackers, strict=True)):
            network.given = tuple(x[stream : stream + 1] for x in outputs)
            tracker.step(self.amplitude, self.f0_hz[stream], self.confident[stream])

    def lose_hypotheses(self, stream: int) -> None:
        self.trackers[stream].beam.score[...] = -np.inf  # a saved state like that is refused

    def assert_state(self, found: tuple[Tensor, ...]) -> None:
        for stream, tracker in enumerate(self.trackers):
            state = tracker.state_dict()
            for name, value in zip(("hops", *ORDER), found, strict=False):
                np.testing.assert_allclose(value[stream].numpy(), state[name], rtol=1e-4, atol=1e-4)


def follow(voices: int, hop: int, draw: Draw, hops: int, on_stage: bool = True) -> tuple[int, int]:
    """The kernel beside the tensors and the stage: how many pitches were reported, and how many of them
    twice."""
    rng = np.random.default_rng(voices)
    framing = framing_of(hop)
    kernel, tensors = Side(voices, framing, True), Side(voices, framing, False)
    stages = Stages(voices, framing)
    reported = doubled = 0
    for now in range(hops):
        outputs = draw(rng, now)
        if now == hops // 2:  # a stream without any hypothesis starts again from silence
            for side in (kernel, tensors):
                side.state[OWN][1] = -torch.inf
            stages.lose_hypotheses(1)
        found, expected = kernel.step(outputs), tensors.step(outputs)
        assert_alike((*found, *kernel.state), (*expected, *tensors.state))
        if on_stage:
            stages.step(outputs)
            np.testing.assert_allclose(found[0].numpy(), stages.f0_hz, rtol=1e-4)
            np.testing.assert_array_equal(found[1].numpy(), stages.confident)
            stages.assert_state(kernel.state)
        for f0_hz in found[0].numpy():
            reported += np.count_nonzero(f0_hz)
            doubled += np.count_nonzero(f0_hz) - np.unique(f0_hz[f0_hz > 0]).size
    return reported, doubled


@pytest.mark.parametrize("voices", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("hop", "draw"), [(43, noise), (85, Music()), (43, ties)], ids=["noise", "music", "ties"]
)  # at 5 ms, a hop of 43, the network looks at every other hop
def test_kernel_tensors_and_stage_agree(voices: int, hop: int, draw: Draw) -> None:
    reported, _ = follow(voices, hop, draw, HOPS)
    assert reported > HOPS


@pytest.mark.parametrize("voices", [1, 2, 3, 4])
def test_what_is_no_number_is_treated_alike(voices: int) -> None:
    """The stage takes an infinite peak for one of no certainty, the tensors for none: those are the twin."""
    assert follow(voices, 85, broken, HOPS, on_stage=False)[0] > 0


def test_for_many_hops_and_where_voices_meet() -> None:
    reported, doubled = follow(4, 43, Music(), MANY_HOPS)
    assert reported > 2 * MANY_HOPS
    assert doubled > 10


def test_of_more_equal_peaks_than_there_is_room_for_the_lower_are_taken() -> None:
    """As on stage; of tensors, torch leaves it open."""
    salience = np.full((STREAMS, CANDIDATES), -8.0)
    salience[:, 4:100:4] = 1.0
    outputs = as_heads(salience, np.zeros_like(salience), np.full_like(salience, -9.0))
    network, kernel = FakeNetwork(), Side(4, framing_of(85), True)
    stage = NetworkTracker(EagerStep(network), 4, framing_of(85))  # type: ignore[arg-type]
    network.given = tuple(x[:1] for x in outputs)
    f0_hz, confident = np.zeros(4, np.float32), np.zeros(4, np.bool_)
    found = kernel.step(outputs)[0]
    stage.step(np.zeros(framing_of(85).bins, np.float32), f0_hz, confident)
    assert np.all(f0_hz > 0)
    for stream in range(STREAMS):
        np.testing.assert_allclose(found[stream].numpy(), f0_hz, rtol=1e-4)


@pytest.mark.parametrize("voices", [1, 4])
def test_of_nothing_nothing_is_sung_and_who_rests_is_not_forgotten(voices: int) -> None:
    silence = np.full((STREAMS, CANDIDATES), -9.0)
    outputs = as_heads(silence, np.zeros_like(silence), silence)
    kernel = Side(voices, framing_of(85), True)
    fresh = kernel.state
    for _ in range(2):
        f0_hz, confident = kernel.step(outputs)
        assert not f0_hz.any()
        assert not confident.any()
    hops, *_, silent_s = kernel.state[:5]
    assert hops.tolist() == [2] * STREAMS
    np.testing.assert_allclose(silent_s.numpy(), 2 * 85 / 16000, rtol=1e-6)
    for after, before in zip(kernel.state[5:8], fresh[5:8], strict=True):
        np.testing.assert_array_equal(after.numpy(), before.numpy())
    kernel.state[4].fill_(2.0 * JOIN_S)
    kernel.step(outputs)
    assert float(kernel.state[4].max()) == 2.0 * JOIN_S

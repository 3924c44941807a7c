"""Pitches found by tensors are those found on stage, stream by stream."""

import numpy as np
import pytest
import torch
from helpers.eager_step import EagerStep
from helpers.interpreted_tracker import Music, Side, Stages, framing_of

from rtsep.kernels import _core
from rtsep.models.choir.network_tracker import NetworkTracker
from rtsep.models.choir.peak_reading import OTHERS
from rtsep.models.choir.pitch_grid import CANDIDATES
from rtsep.models.framing import Framing
from rtsep.models.gpu.assignment import PEAKS, SILENT, TensorAssignment
from rtsep.models.gpu.tracker import TensorTracker
from rtsep.models.networks.pitch_net import PitchNet

STREAMS = 3


@torch.no_grad()
@pytest.mark.parametrize("voices", [1, 2, 3, 4])
def test_every_stream_s_assignment_is_the_kernel_s(voices: int) -> None:
    rng = np.random.default_rng(voices)
    kernel, tensor = _core.PitchAssignment(voices, 0.005), TensorAssignment(voices, 0.005)
    state = tensor.initial_state(STREAMS)
    twins = [[part[stream].numpy().copy() for part in state] for stream in range(STREAMS)]
    chosen = np.zeros(voices, np.int32)
    sounding = 0
    for hop in range(120):
        if hop % 4 == 0:  # pitches stay a while, as music does
            count = rng.integers(0, PEAKS + 1, STREAMS)
            place = -np.sort(-rng.uniform(0.0, CANDIDATES - 1.0, (STREAMS, PEAKS))).astype(np.float32)
        log_odds = rng.normal(0.0, 3.0, (STREAMS, PEAKS)).astype(np.float32)
        if hop == 60:  # a stream without any hypothesis starts again from silence
            state[3][1] = -torch.inf
            twins[1][3][...] = -np.inf
        found, *rest = tensor(*(torch.from_numpy(x) for x in (place, log_odds, count)), *state)
        state = tuple(rest)
        for stream, twin in enumerate(twins):
            kernel.step(place[stream], log_odds[stream], int(count[stream]), *twin, chosen)
            np.testing.assert_array_equal(found[stream].numpy(), chosen)
            for part, expected in zip(state, twin, strict=True):
                np.testing.assert_allclose(part[stream].numpy(), expected, rtol=1e-4, atol=1e-4)
        sounding += int((found != SILENT).sum())
    assert sounding > 100


@torch.no_grad()
@pytest.mark.parametrize("hop", [43, 85])
def test_every_stream_is_the_stage_s(hop: int) -> None:
    """At 5 ms the network looks at every other hop."""
    torch.manual_seed(2)
    network = PitchNet().eval()
    network.heads.weight.mul_(6.0)  # as talkative as a trained one: many candidates as likely as not
    network.heads.bias.zero_()
    framing = Framing(samplerate=16000, window_samples=1024, half_overlap=hop, hop=hop)
    stages = [NetworkTracker(EagerStep(network), 3, framing) for _ in range(STREAMS)]  # type: ignore[arg-type]
    tensor = TensorTracker(network, 3, framing)
    state = tensor.initial_state(STREAMS)
    rng = np.random.default_rng(hop)
    f0_hz, confident = np.zeros(3, np.float32), np.zeros(3, np.bool_)
    sounding = doubted = 0
    for _ in range(24):
        amplitude = np.exp(rng.normal(-6.0, 2.0, (STREAMS, framing.bins))).astype(np.float32)
        found_hz, found_confident, share, others_hz, *rest = tensor(torch.from_numpy(amplitude), *state)
        state = tuple(rest)
        for stream, stage in enumerate(stages):
            stage.step(amplitude[stream], f0_hz, confident)
            np.testing.assert_allclose(found_hz[stream].numpy(), f0_hz, rtol=1e-4)
            np.testing.assert_array_equal(found_confident[stream].numpy(), confident)
            np.testing.assert_allclose(share[stream].numpy(), stage.others.share, atol=1e-3)
            np.testing.assert_allclose(others_hz[stream].numpy(), stage.others.f0_hz, rtol=1e-4)
            sounding += int((f0_hz > 0).sum())
            doubted += int(stage.others.count == OTHERS)
    assert sounding > 24
    assert doubted > 24


@pytest.mark.parametrize("hop", [43, 85])
def test_where_voices_meet_the_other_hypotheses_are_the_stage_s(hop: int) -> None:
    """Shares and pitches of the others are state: with chords of which some meet, a voice joins another in
    them too."""
    rng = np.random.default_rng(hop)
    side, stages, draw = Side(4, framing_of(hop), fused=False), Stages(4, framing_of(hop)), Music()
    doubted = doubled = 0
    for now in range(120):
        outputs = draw(rng, now)
        side.step(outputs)
        stages.step(outputs)
        stages.assert_state(side.state)
        for tracker in stages.trackers:
            doubted += int(tracker.others.share[0] < 0.9)
            for f0_hz in tracker.others.f0_hz:
                doubled += np.count_nonzero(f0_hz) - np.unique(f0_hz[f0_hz > 0]).size
    assert doubted > 20
    assert doubled > 5

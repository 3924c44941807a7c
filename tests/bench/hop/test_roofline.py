"""Bytes and operations of a hop: counted from the program, against arithmetic."""

import math

import pytest
import torch

from rtsep.bench.hop import roofline
from rtsep.bench.hop.roofline import Work, count, floor_us
from rtsep.models.choir.peak_reading import OTHERS
from rtsep.models.choir.pitch_grid import CANDIDATES
from rtsep.models.gpu.build_program import build_program
from rtsep.models.gpu.comb import TensorAdaptiveComb
from rtsep.models.gpu.fused_tracker import assign_pitches
from rtsep.models.gpu.hop_program import HopProgram
from rtsep.models.gpu.tracker import OWN, TensorTracker, peaks
from rtsep.rt.hop.presets import Preset


def test_operations_are_counted_one_by_one() -> None:
    a, b = torch.zeros(8, 16, device="meta"), torch.zeros(16, 4, device="meta")
    with roofline._Counter() as counter:
        product = (a @ b).view(4, 8)  # a view moves nothing
        total = torch.relu(product).sum()
        torch.fft.rfft(torch.zeros(3, 64, device="meta"))
    assert total.shape == ()
    assert counter.product_operations == 2 * 8 * 16 * 4
    assert counter.operations == 2 * 8 * 16 * 4 + 32 + 32 + 3 * 2.5 * 64 * math.log2(64)


def test_streams_share_the_weights_and_nothing_else() -> None:
    preset = Preset(16000, 11)

    def program() -> HopProgram:
        return build_program("choir", voices=2, framing=preset.framing)

    one, four = count(program(), 1), count(program(), 4)
    assert four.operations == pytest.approx(4 * one.operations, rel=0.02)
    assert four.launches == one.launches
    shared = sum(x.numel() * x.element_size() for x in (*program().parameters(), *program().buffers()))
    assert four.compulsory_bytes - shared == 4 * (one.compulsory_bytes - shared)
    assert one.compulsory_bytes < one.moved_bytes


def test_who_sings_what_is_one_launch() -> None:
    framing = Preset(16000, 11).framing
    apart, fused = (
        count(build_program("choir", voices=4, framing=framing), 1, fused) for fused in (False, True)
    )
    assert fused.product_operations == apart.product_operations
    tracker = build_program("choir", voices=4, framing=framing).to("meta").tracker
    assert isinstance(tracker, TensorTracker)
    before = [x.to("meta") for x in tracker.initial_state(1)][: 1 + OWN]
    outputs = [torch.zeros(1, CANDIDATES, device="meta") for _ in range(3)]
    found = peaks(*outputs[:2])
    with torch.no_grad(), roofline._Counter() as of_kernel:
        assign_pitches(outputs, before, tracker.choices, 0.01, 0.9, 1)
    assert of_kernel.launches == 1
    with torch.no_grad(), roofline._Counter() as of_tensors:
        tracker._decide(found, outputs[2], *before)
    assert of_tensors.launches > 300
    assert apart.launches - fused.launches == of_tensors.launches - 1


def test_masks_are_computed_for_every_hypothesis() -> None:
    framing = Preset(16000, 11).framing
    program = build_program("choir", voices=2, framing=framing).to("meta")
    assert isinstance(program.masks, TensorAdaptiveComb)
    state = [x.to("meta") for x in program.masks.initial_state(1)]
    given = torch.zeros(1, framing.bins, device="meta"), torch.zeros(1, 2, device="meta")
    with torch.no_grad(), roofline._Counter() as once:
        program.masks(*given, *state)
    with torch.no_grad(), roofline._Counter() as mean:
        share, others_hz = torch.zeros(1, 1 + OTHERS), torch.zeros(1, OTHERS, 2)
        program._mean_masks(*given, share.to("meta"), others_hz.to("meta"), *state)
    assert mean.launches > (1 + OTHERS) * once.launches


def test_a_hop_in_and_its_stems_out_are_part_of_the_bytes() -> None:
    framing = Preset(16000, 11).framing
    mono, stereo = (count(HopProgram(framing, 2, c, TensorAdaptiveComb(2, framing)), 1) for c in (1, 2))
    # per channel: the hop, three stems, history and the tails of two stems, both in and out
    floats = framing.hop * 4 + 2 * (framing.window_samples + 2 * 2 * framing.half_overlap)
    fresh = framing.window_samples + 2 * 2 * framing.half_overlap  # what a reset begins with
    assert stereo.compulsory_bytes - mono.compulsory_bytes == 4 * (floats + fresh)


def test_the_floor_is_the_longer_of_bytes_and_operations() -> None:
    work = Work(10, 4e6, 3e6, compulsory_bytes=1_000_000, moved_bytes=9_000_000)
    floors = floor_us(work, {"bytes_per_s": 1e10, "operations_per_s": 1e10})
    assert floors == {"bytes": 100.0, "operations": 400.0, "floor": 400.0, "unfused": 900.0}

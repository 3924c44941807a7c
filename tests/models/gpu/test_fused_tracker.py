"""Who sings what in one kernel: its samples by the interpreter and on a GPU, its machine code by the compiler
alone."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from rtsep.kernels.assignments import all_assignments
from rtsep.models.choir.network_tracker import preset_of
from rtsep.models.gpu import fused_tracker
from rtsep.models.gpu.assignment import PEAKS
from rtsep.models.gpu.fused_tracker import HAS_TRITON, choices, fuses
from rtsep.models.gpu.hop_program import HopProgram
from rtsep.models.gpu.levels import TensorLevels
from rtsep.models.gpu.tracker import TensorTracker
from rtsep.models.networks.pitch_net import PitchNet
from rtsep.models.networks.source_filter_net import SourceFilterNet
from rtsep.rt.hop.presets import Preset

needs_triton = pytest.mark.skipif(not HAS_TRITON, reason="Triton is not installed: it exists for Linux alone")
POINTERS = {
    "hops": "*i64",
    "hops_after": "*i64",
    "confident": "*i1",
    "confident_after": "*i1",
    "assignments": "*i32",
}


def test_choices_are_the_ways_of_the_assignment_and_then_none() -> None:
    for voices in range(1, 5):
        table, every = choices(voices).numpy(), np.array(all_assignments(voices))
        np.testing.assert_array_equal(table[:, : len(every)].T - 1, every)
        assert (table[:, len(every) :] > PEAKS).all()
        assert table.shape[1].bit_count() == 1


@pytest.mark.slow
@needs_triton
def test_interpreted_it_is_the_tensors_and_the_stage_s() -> None:
    """See `interpreted_tracker.py`: the interpreter must be chosen before Triton is imported."""
    cases = Path(__file__).parents[2] / "helpers" / "interpreted_tracker.py"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(cases)]
    run = subprocess.run(
        command, env={**os.environ, "TRITON_INTERPRET": "1"}, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert " passed" in run.stdout


@needs_triton
@pytest.mark.parametrize("capability", [75, 90])
@pytest.mark.parametrize("voices", [1, 4])
def test_it_compiles_without_a_gpu_and_nothing_is_contracted(
    voices: int, capability: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    import triton
    from triton.backends.compiler import GPUTarget

    from rtsep.models.gpu.triton_tracker import LAUNCH, assign_pitches

    constants = {
        "VOICES": voices,
        "LANES": triton.next_power_of_2(voices),
        "ASSIGNMENTS": choices(voices).shape[1],
        "HOP_S": 0.0107,
        "MEMORY": 0.9,
        "STRIDE": 1,
    }
    signature = {name: POINTERS.get(name, "*fp32") for name in assign_pitches.arg_names}
    signature |= {"of_stream": "i32", "of_candidate": "i32"} | dict.fromkeys(constants, "constexpr")
    source = triton.compiler.ASTSource(fn=assign_pitches, signature=signature, constexprs=constants)
    code = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=LAUNCH).asm
    assert len(code["cubin"]) > 0
    assert "div.rn.f32" in code["ptx"]
    # what is left is inside the library's own log2, which rounds denormals away
    assert not re.search(r"fma\.rn\.f32", code["ptx"])


def talkative(voices: int, preset: Preset) -> HopProgram:
    """A program with an untrained network that finds many pitches."""
    torch.manual_seed(1)
    pitches, levels = PitchNet().eval(), SourceFilterNet(voices, hidden=32).eval()
    with torch.no_grad():
        pitches.heads.weight.mul_(6.0)
        pitches.heads.bias.zero_()
    framing = preset.framing
    parts = TensorLevels(levels, voices, framing), TensorTracker(pitches, voices, framing)
    return HopProgram(framing, voices, 1, *parts).eval()


def tracker_of(program: HopProgram) -> TensorTracker:
    assert isinstance(program.tracker, TensorTracker)
    return program.tracker


@pytest.mark.parametrize("latency_ms", [5, 11])
@torch.no_grad()
def test_shapes_without_values_are_the_tensors(latency_ms: int) -> None:
    program = talkative(3, Preset(16000, latency_ms)).to("meta")
    given = (*program.example_inputs(2), *program.initial_state(2))
    expected = program(*given)
    tracker_of(program).fused = True
    for one, other in zip(program(*given), expected, strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)


def test_tensors_stay_where_there_is_no_gpu_and_where_a_compiler_looks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fused_tracker, "HAS_TRITON", True)
    assert fuses(torch.device("cuda"))
    assert not fuses(torch.device("cpu"))
    assert not fuses(torch.device("meta"))
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert not fuses(torch.device("cuda"))
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: False)
    monkeypatch.setattr(fused_tracker, "HAS_TRITON", False)
    assert not fuses(torch.device("cuda"))


@torch.no_grad()
def test_an_exported_program_holds_operations_of_torch_alone() -> None:
    tracker = tracker_of(talkative(2, Preset(16000, 11)))
    given = torch.zeros(1, Preset(16000, 11).framing.bins), *tracker.initial_state(1)
    exported = torch.export.export(tracker, given)
    names = {str(node.target) for node in exported.graph.nodes if node.op == "call_function"}
    assert any(name.startswith("aten.topk") for name in names)
    assert not any("rtsep" in name for name in names)


@pytest.mark.gpu
@torch.no_grad()
@pytest.mark.parametrize("latency_ms", [5, 11])
@pytest.mark.parametrize("voices", [1, 2, 3, 4])
def test_on_a_gpu_the_captured_hop_is_the_tensors(voices: int, latency_ms: int) -> None:
    """Some hundred hops of a captured hop with the kernel, against operations of torch one by one."""
    if not torch.cuda.is_available():
        pytest.skip("no NVIDIA GPU here")
    from rtsep.models.gpu.cuda_graph import GraphedHop

    streams, preset = 3, Preset(16000, latency_ms)
    assert preset_of(preset.framing)[1] == (2 if latency_ms == 5 else 1)
    fused, tensors = (talkative(voices, preset).cuda() for _ in range(2))
    tracker_of(tensors).fused = False
    graphed = GraphedHop(fused, streams)
    state = tensors.initial_state(streams)
    rng = np.random.default_rng(voices)
    zeros, no_hz = np.zeros(streams, np.bool_), np.zeros((streams, voices), np.float32)
    reported = 0
    for _ in range(200):
        block = (0.1 * rng.standard_normal((streams, preset.hop, 1))).astype(np.float32)
        out = graphed.step(block, zeros, no_hz)
        given = (torch.from_numpy(x).cuda() for x in (block, zeros, no_hz))
        stems, f0_hz, _, _, _, *rest = tensors(*given, *state)
        state = tuple(rest)
        np.testing.assert_allclose(out.f0_hz, f0_hz.cpu().numpy(), rtol=1e-4)
        np.testing.assert_allclose(out.stems, stems.cpu().numpy(), atol=1e-4)
        reported += int((out.f0_hz > 0).sum())
    assert reported > 200

"""A model by name as one program: the engine's samples, from the weights of its card."""

import numpy as np
import pytest
import torch
from helpers.sung import sing, vibrato

from rtsep import Separator
from rtsep.kernels.errors import RtsepError
from rtsep.models.gpu.build_program import build_program
from rtsep.rt.hop.presets import Preset

SAMPLERATE = 16000


@torch.no_grad()
@pytest.mark.parametrize("model", ["choir", "choir-levels"])
def test_it_is_the_engine(model: str) -> None:
    preset = Preset(SAMPLERATE, 11)
    program = build_program(model, voices=2, framing=preset.framing)
    engine = Separator.load(model, voices=2, samplerate=SAMPLERATE, latency_ms=11)
    sound = sum(sing(vibrato(midi, 0.4, SAMPLERATE), SAMPLERATE, seed=midi) for midi in (60, 67))
    state = program.initial_state(1)
    _, reset, given_hz = program.example_inputs(1)
    out = np.zeros((3, preset.hop, 1), np.float32)
    loudest = 0.0
    for hop in range(60):
        block = sound[hop * preset.hop : (hop + 1) * preset.hop, None].astype(np.float32)
        stems, _, _, _, _, *after = program(torch.from_numpy(block[None]), reset, given_hz, *state)
        state = tuple(after)
        engine.process_hop(np.ascontiguousarray(block), out)
        np.testing.assert_allclose(stems[0].numpy(), out, atol=1e-4)
        loudest = max(loudest, float(np.abs(out[:2]).max()))
    assert loudest > 0.05


@pytest.mark.parametrize(
    ("model", "message"),
    [("choir-comb", "has no tracker network"), ("nobody", "model 'nobody' is not one of")],
)
def test_what_does_not_run_as_one_program(model: str, message: str) -> None:
    with pytest.raises(RtsepError, match=message):
        build_program(model, voices=2, framing=Preset(SAMPLERATE, 11).framing)

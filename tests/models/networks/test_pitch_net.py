"""The pitch network's contract, and that it sees pitches relative to each other."""

from pathlib import Path

import pytest
import torch

from rtsep.models.choir.pitch_grid import BANDS, CANDIDATES
from rtsep.models.networks.export import export_onnx
from rtsep.models.networks.pitch_net import PitchNet
from rtsep.models.networks.step_module import StepModule, step_through


def _inputs(batch: int, time: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    bands = -8.0 + 3.0 * torch.randn(batch, time, BANDS, generator=generator)
    preset = torch.nn.functional.one_hot(torch.arange(batch) % 4, 4).float()
    return bands, preset[:, None].expand(-1, time, -1)


@pytest.mark.parametrize("looks", [1, 2])
def test_sequence_is_the_step_over_time(looks: int) -> None:
    torch.manual_seed(0)
    net = PitchNet(looks).eval()
    assert isinstance(net, StepModule)
    bands, preset = _inputs(3, 20)
    with torch.no_grad():
        state = tuple(torch.randn_like(s) for s in net.initial_state(3))
        for found, expected in zip(
            net.sequence(bands, preset, *state), step_through(net, bands, preset, *state), strict=True
        ):
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("looks", [1, 2])
def test_streams_of_a_batch_do_not_hear_each_other(looks: int) -> None:
    torch.manual_seed(0)
    net = PitchNet(looks).eval()
    bands, preset = _inputs(2, 8)
    with torch.no_grad():
        both = net.sequence(bands, preset, *net.initial_state(2))[0]
        alone = net.sequence(bands[1:], preset[1:], *net.initial_state(1))[0]
    torch.testing.assert_close(both[1:], alone, atol=1e-5, rtol=1e-5)


def test_what_sounds_higher_is_found_higher() -> None:
    """Away from the edges, and without the notion of place, the network does not know where it is.

    Intervals reach over the edges and the context hears all of it, so both are left out here.
    """
    torch.manual_seed(0)
    net = PitchNet().eval()
    steps = 6
    with torch.no_grad():
        net.place.weight.zero_()
        net.spread.weight.zero_()
        for layer in (net.interval, net.interval_after):
            layer.narrow.weight.zero_()
            layer.narrow.bias.zero_()
        bands = torch.full((1, BANDS), -11.5)
        for partial in (1, 2, 3, 4):
            place = 180 + round(60 * torch.log2(torch.tensor(float(partial))).item())
            bands[0, place - 2 : place + 3] = torch.tensor([-4.0, -3.0, -2.0, -3.0, -4.0])
        shifted = torch.roll(bands, 2 * steps, dims=1)
        preset = net.example_inputs(1)[1]
        low = net(bands, preset, *net.initial_state(1))[0]
        high = net(shifted, preset, *net.initial_state(1))[0]
    assert low.shape == (1, CANDIDATES)
    torch.testing.assert_close(high[:, 40 + steps : 80 + steps], low[:, 40:80], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("looks", [1, 2])
def test_the_exported_hop_is_the_networks(looks: int, tmp_path: Path) -> None:
    """`export_onnx` compares them: no two states may be one input."""
    torch.manual_seed(0)
    net = PitchNet(looks).eval()
    export_onnx(net, tmp_path / "pitch.onnx")
    states = net.initial_state(1)
    assert len({state.data_ptr() for state in states}) == len(states) == len(net.states)

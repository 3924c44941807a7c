"""The source-filter network: hop by hop as in sequence, at any level, and what its parameters mean."""

import pytest
import torch

from rtsep.models.networks import source_filter_physics as physics
from rtsep.models.networks.source_filter_net import SourceFilterNet
from rtsep.models.networks.step_module import StepModule, step_through


def network(voices: int = 4) -> SourceFilterNet:
    torch.manual_seed(1)
    net = SourceFilterNet(voices, hidden=16)
    for parameter in net.parameters():  # heads begin at zero: every path must count
        torch.nn.init.normal_(parameter, std=0.1)
    return net


def passage(net: SourceFilterNet, batch: int, hops: int) -> list[torch.Tensor]:
    """Inputs that move, [B, T, ...]; one voice rests for a while."""
    torch.manual_seed(2)
    bands, partials, envelope, f0_hz, hop_s = (
        x.unsqueeze(1).repeat(1, hops, *[1] * (x.dim() - 1)) for x in net.example_inputs(batch)
    )
    swell = 2.0 * torch.randn(batch, hops, 1)
    f0_hz[:, hops // 3 : hops // 2, 0] = 0.0
    moved = partials.clone()
    moved[..., :2] += torch.randn(partials[..., :2].shape)
    return [bands + swell, moved, envelope + torch.randn(envelope.shape), f0_hz, hop_s]


def test_is_a_step_module() -> None:
    assert isinstance(network(), StepModule)


@pytest.mark.parametrize("voices", [1, 3, 4])
def test_a_sequence_is_its_hops(voices: int) -> None:
    net = network(voices)
    given = passage(net, 2, 9)
    state = net.initial_state(2)
    at_once, by_hop = net.sequence(*given, *state), step_through(net, *given, *state)
    for a, b in zip(at_once, by_hop, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_it_hears_the_same_at_any_level() -> None:
    """10 dB louder: levels, noise and gains 10 dB up, filters and trust as they were."""
    net = network()
    bands, partials, envelope, f0_hz, hop_s = passage(net, 1, 6)
    up = 2.302585
    louder = torch.stack((partials[..., 0] + up, partials[..., 1] + up, partials[..., 2]), dim=-1)
    quiet = net.sequence(bands, partials, envelope, f0_hz, hop_s, *net.initial_state(1))
    loud = net.sequence(bands + up / 2, louder, envelope + up, f0_hz, hop_s, *net.initial_state(1))
    by_name = dict(zip(net.outputs, zip(quiet, loud, strict=False), strict=False))
    for name, (soft, strong) in by_name.items():
        if name in ("level", "noise"):
            strong = strong - up
        if name in ("amplitude", "noise_gain"):
            strong = strong * 10 ** (-10 / 20)
        torch.testing.assert_close(strong, soft, rtol=1e-3, atol=2e-3, msg=name)


def test_a_voice_is_steered_by_its_own_pitch_and_knows_no_number() -> None:
    """Voices in another order are the same voices."""
    net = network()
    given, state = passage(net, 1, 5), net.initial_state(1)
    order = [2, 0, 3, 1]
    swapped = [given[0], *(x[:, :, order] for x in given[1:4]), given[4]]
    for a, b in zip(net.sequence(*given, *state)[:7], net.sequence(*swapped, *state)[:7], strict=True):
        torch.testing.assert_close(a[:, :, order], b)


def test_leaning_on_nothing_its_levels_are_those_of_its_source_and_filter() -> None:
    net = network()
    net.lean_on_the_mixture(0.0)
    given = passage(net, 1, 3)
    level, trust, _, amplitude, _, _, lsf = net.sequence(*given, *net.initial_state(1))[:7]
    f0_hz = given[3].clamp(min=physics.LOWEST_F0_HZ)
    expected = physics.harmonic_log_power(net.number * f0_hz.unsqueeze(-1), given[3], amplitude, lsf)
    torch.testing.assert_close(level, expected, rtol=0.0, atol=0.1)  # 0.1 % of the reading are left
    torch.testing.assert_close(trust, torch.full_like(trust, 0.8), atol=1e-3, rtol=0.0)


def test_filters_are_stable_and_gains_positive_whatever_it_says() -> None:
    raw = 3.0 * torch.randn(50, 21)
    lsf = physics.line_frequencies(physics.exp_sigmoid(raw, 2.0))
    assert (torch.diff(lsf, dim=-1) > 0).all()
    assert ((lsf > 0) & (lsf < torch.pi)).all()
    assert torch.isfinite(physics.envelope_log_power(lsf, torch.linspace(0, 12000, 64).expand(50, -1))).all()
    assert (physics.exp_sigmoid(torch.tensor([-1e3, 0.0, 1e3]), 2.0) > 0).all()

"""A larger band network begins where the smaller one ended."""

import pytest
import torch
from torch import Tensor

from rtsep.kernels.errors import RtsepError
from rtsep.models.band.features import BANDS
from rtsep.models.networks.band_net import AVERAGE_S, BandDecoder, BandEncoder
from rtsep.training.band.growth import NEW, WIDER, grown

BEFORE = 1 + len(AVERAGE_S)  # features of the smaller network


def _smaller(weights: dict[str, Tensor], old_inputs: dict[str, int]) -> dict[str, Tensor]:
    out = {}
    for key, value in weights.items():
        if key.startswith(NEW):
            continue
        out[key] = value[:, : old_inputs[key]].clone() if key in WIDER else value.clone()
    return out


@torch.no_grad()
def _gains(encoder: BandEncoder, decoder: BandDecoder) -> Tensor:
    bands = -12.0 + 3.0 * torch.randn(2, 20, BANDS, generator=torch.Generator().manual_seed(4))
    preset = torch.nn.functional.one_hot(torch.tensor([1, 3]), 4).float()[:, None].expand(-1, 20, -1)
    (gain,) = decoder.sequence(*encoder.sequence(bands, preset, *encoder.initial_state(2))[:4])
    return gain


@pytest.mark.parametrize("paths", [0, 2])
def test_grown_weights_give_the_gains_of_the_smaller_network(paths: int) -> None:
    torch.manual_seed(0)
    encoder, decoder = BandEncoder().eval(), BandDecoder().eval()
    judge = decoder.judge.weigh.weight.shape[1] - encoder.to_half.weigh.weight.shape[1] + BEFORE
    small = _smaller(encoder.state_dict(), {"to_half.weigh.weight": BEFORE})
    small_decoder = _smaller(decoder.state_dict(), {"judge.weigh.weight": judge})
    # what the smaller network did: its new inputs count for nothing, its memory gives nothing
    with torch.no_grad():
        encoder.to_half.weigh.weight[:, BEFORE:] = 0.0
        decoder.judge.weigh.weight[:, judge:] = 0.0
        encoder.remembered.weight.zero_()
    expected = _gains(encoder, decoder)

    torch.manual_seed(1)
    other, other_decoder = BandEncoder(paths).eval(), BandDecoder().eval()
    assert not torch.allclose(_gains(other, other_decoder), expected, atol=1e-3)
    other.load_state_dict(grown(other, small, "small"))
    other_decoder.load_state_dict(grown(other_decoder, small_decoder, "small"))
    torch.testing.assert_close(_gains(other, other_decoder), expected, atol=1e-6, rtol=0.0)
    # and what was grown learns: what lies before the layers of zeros is not zero
    assert other.local.weight_ih.abs().sum() > 0
    if other.paths is not None:
        assert other.paths.widen.weight.abs().sum() > 0


def test_weights_of_this_network_stay_as_they_are() -> None:
    encoder = BandEncoder()
    for key, value in grown(BandEncoder(), encoder.state_dict(), "same").items():
        assert torch.equal(value, encoder.state_dict()[key])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda w: w.pop("across.bias"), "across.bias is nothing"),
        (lambda w: w.update({"across.bias": torch.zeros(3)}), r"across.bias is \[3\]"),
        (lambda w: w.update({"to_half.weigh.weight": torch.zeros(24, 4, 1, 5)}), "to_half"),
        (lambda w: w.update({"more": torch.zeros(3)}), "has no more"),
        (lambda w: w.update(BandEncoder(1).state_dict()), "has no paths"),
    ],
)
def test_another_network_is_refused(change: object, says: str) -> None:
    weights = dict(BandEncoder().state_dict())
    assert callable(change)
    change(weights)
    with pytest.raises(RtsepError, match=says):
        grown(BandEncoder(), weights, "strange")

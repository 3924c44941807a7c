"""A run that begins with a model's weights is that model at first, with a second look or without."""

from pathlib import Path

import pytest
import torch

from rtsep.kernels.errors import RtsepError
from rtsep.models.choir.pitch_grid import BANDS
from rtsep.models.networks.pitch_net import PitchNet
from rtsep.training.choir.pitch.start import begin_with
from rtsep.training.loop.checkpoint import BEST, save


def _salience(net: PitchNet) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    bands = -8.0 + 2.0 * torch.randn(1, 30, BANDS, generator=generator)
    preset = net.example_inputs(1)[1][:, None].expand(-1, 30, -1)
    with torch.no_grad():
        return net.eval().sequence(bands, preset, *net.initial_state(1))[0]


def test_a_second_look_begins_with_hardly_a_say() -> None:
    shipped, doubting = PitchNet(), PitchNet(looks=2)
    begin_with(shipped, Path("choir"))
    begin_with(doubting, Path("choir"))
    before, after = _salience(shipped), _salience(doubting)
    assert 0 < float((before - after).abs().mean()) < 0.05 * float(before.abs().mean())


def test_a_run_with_a_second_look_goes_on_with_it(tmp_path: Path) -> None:
    learnt, again = PitchNet(looks=2), PitchNet(looks=2)
    save(tmp_path / BEST, {"weights": learnt.state_dict(), "measures": {}})
    begin_with(again, tmp_path)
    torch.testing.assert_close(_salience(learnt), _salience(again), atol=0, rtol=0)
    with pytest.raises(RtsepError, match="another network"):
        begin_with(PitchNet(), tmp_path)


def test_a_model_without_a_tracker_is_no_start() -> None:
    with pytest.raises(RtsepError, match="choir-comb has no tracker"):
        begin_with(PitchNet(), Path("choir-comb"))

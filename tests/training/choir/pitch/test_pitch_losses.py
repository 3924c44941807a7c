"""Every term of the pitch network's loss is there, pulls the right way, and only where it may."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.rendered_fixture import write_choirs
from torch import Tensor

from rtsep.training.choir.pitch.task import PitchConfig, PitchTask
from rtsep.training.choir.render.dataset import ChoirFolder
from rtsep.training.loop.settings import FitSettings

CONFIG = PitchConfig(frames=16, held_out=1, fit=FitSettings(steps=1, batch=1))
# one frame of four candidates: sung by one, sung by two, silent, and one of which nothing is known
SALIENCE, WEIGHT = torch.tensor([1.0, 1.0, 0.0, 0.0]), torch.tensor([1.0, 1.0, 1.0, 0.0])
OFFSET, UNISON = torch.tensor([0.3, -0.2, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.0, 0.0])


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> PitchTask:
    folder = tmp_path_factory.mktemp("choirs")
    write_choirs(folder, 2, seconds=2.0)
    return PitchTask(ChoirFolder(folder), CONFIG)


def said() -> dict[str, Tensor]:
    """A network that knows nothing: every logit and offset zero."""
    return {name: torch.zeros(1, 1, 4, requires_grad=True) for name in ("salience", "offset", "unison")}


def gradients(task: PitchTask) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Of the loss, and of each term alone, by what the network said."""
    batch = {"salience": SALIENCE, "weight": WEIGHT, "offset": OFFSET, "unison": UNISON}
    outputs = said()
    loss, logs, _ = task._measure(tuple(outputs.values()), {k: v.view(1, 1, 4) for k, v in batch.items()})
    whole, alone = {}, {}
    for name, output in outputs.items():
        term = logs[name]
        assert isinstance(term, Tensor)
        (whole[name],) = torch.autograd.grad(loss, output, retain_graph=True)
        (alone[name],) = torch.autograd.grad(term, output, retain_graph=True)
    return {k: v.flatten() for k, v in whole.items()}, {k: v.flatten() for k, v in alone.items()}


def test_salience_rises_where_somebody_sings_and_falls_where_nobody_does(task: PitchTask) -> None:
    whole, _ = gradients(task)
    np.testing.assert_array_equal(whole["salience"].sign().numpy(), [-1, -1, 1, 0])


def test_offsets_move_towards_the_voice_where_somebody_sings(task: PitchTask) -> None:
    whole, _ = gradients(task)
    np.testing.assert_array_equal(whole["offset"].sign().numpy(), [-1, 1, 0, 0])


def test_unisons_are_told_from_single_voices_where_somebody_sings(task: PitchTask) -> None:
    whole, _ = gradients(task)
    np.testing.assert_array_equal(whole["unison"].sign().numpy(), [1, -1, 0, 0])


def test_each_term_counts_with_its_weight(task: PitchTask) -> None:
    whole, alone = gradients(task)
    for name, weight in (("salience", 1.0), ("offset", 2.0), ("unison", 0.5)):
        torch.testing.assert_close(whole[name], weight * alone[name])
    assert replace(CONFIG).offset_weight == PitchConfig().offset_weight == 2.0
    assert PitchConfig().unison_weight == 0.5

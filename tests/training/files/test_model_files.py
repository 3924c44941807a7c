"""From a trained network to a folder that `--model` takes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rtsep.models.networks.export import load_weights, parity_error
from rtsep.models.networks.step_module import step_through
from rtsep.models.registry import CARD_FILE, DEFAULT_MODEL, find_model
from rtsep.models.runtimes.onnx_step import OnnxStep
from rtsep.training.files.card_file import write_card
from rtsep.training.files.model_files import write_network


class Follower(nn.Module):
    """A level that follows its input."""

    inputs, outputs, states = ("level",), ("followed",), ("before",)

    def __init__(self) -> None:
        super().__init__()
        self.keep = nn.Parameter(torch.tensor([0.9]))

    def initial_state(self, batch: int) -> tuple[Tensor, ...]:
        return (torch.zeros(batch, 1),)

    def example_inputs(self, batch: int) -> tuple[Tensor, ...]:
        return (torch.ones(batch, 1),)

    def forward(self, level: Tensor, before: Tensor) -> tuple[Tensor, ...]:
        now = self.keep * before + (1.0 - self.keep) * level
        return 2.0 * now, now

    def sequence(self, *args: Tensor) -> tuple[Tensor, ...]:
        return step_through(self, *args)


def test_a_network_becomes_a_model_folder(tmp_path: Path) -> None:
    network = write_network(
        Follower(),
        tmp_path,
        "follower",
        role="tracker",
        architecture="follower",
        config={"order": 1},
        latency_presets_ms=(5, 11),
        seed=3,
        recipe="rtsep-train follow --seed 3",
    )
    assert network.parameters == 1
    write_card(
        replace(find_model(DEFAULT_MODEL).card, name="mine", networks=(network,)), tmp_path / CARD_FILE
    )
    model = find_model(str(tmp_path))
    model.verify()
    assert model.card.networks == (network,)
    module = Follower()
    with torch.no_grad():
        module.keep.fill_(0.0)
    load_weights(module, tmp_path / network.weights)
    assert module.keep.item() == pytest.approx(0.9)
    step = OnnxStep(model.read(network.onnx))
    assert parity_error(module, step, 200) < 1e-5
    step.reset()
    step.inputs["level"][...] = 1.0
    for _ in range(200):
        step.run()
    np.testing.assert_allclose(step.outputs["followed"], 2.0, rtol=1e-5)


def test_a_network_whose_export_is_not_itself_is_refused(tmp_path: Path) -> None:
    class Fickle(Follower):
        """Its hop is another one every time: what was exported is not what runs."""

        calls = 0

        def forward(self, level: Tensor, before: Tensor) -> tuple[Tensor, ...]:
            type(self).calls += 1
            now = before + self.calls * self.keep * level
            return now, now

    with pytest.raises(RuntimeError, match="differs by"):
        write_network(
            Fickle(), tmp_path, "f", role="tracker", architecture="f", config={},
            latency_presets_ms=(11,), seed=1, recipe="",
        )  # fmt: skip
    assert not list(tmp_path.iterdir())

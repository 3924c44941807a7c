"""The networks of the recipes that the shipped models are better than, published beside them."""

from pathlib import Path

import numpy as np
import pytest

import rtsep.training
from rtsep import Separator
from rtsep.models.registry import find_model

WEIGHTS = Path(rtsep.training.__file__).parent / "weights"


@pytest.mark.parametrize("recipe", ["unsupervised", "solo"])
def test_they_separate_and_say_where_they_come_from(recipe: str) -> None:
    model = find_model(str(WEIGHTS / f"choir-{recipe}"))
    for network in model.card.networks:
        model.read(network.onnx)  # compared with the card
        model.read(network.weights)
    assert f"--recipe {recipe}" in model.card.networks[0].recipe
    assert model.card.credits == find_model("choir").card.credits
    separator = Separator.load(str(WEIGHTS / f"choir-{recipe}"), voices=2, samplerate=16000)
    seconds = np.arange(8000) / 16000
    tones = [sum(np.sin(2 * np.pi * k * f * seconds) / k for k in range(1, 6)) * 0.1 for f in (440.0, 262.0)]
    stems = separator.process((tones[0] + tones[1]).astype(np.float32)[:, None])[:, :, 0]
    late = separator.latency_samples
    for voice, tone in enumerate(tones):  # once heard, each output is nearer to its tone than to the mixture
        want, got = tone[4000:-late], stems[voice, 4000 + late :]
        assert np.sum((got - want) ** 2) < 0.1 * np.sum(want**2)

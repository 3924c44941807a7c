"""Weights to begin a run with: of another run, or of a model."""

from pathlib import Path

import safetensors.torch
from torch import Tensor

from rtsep.kernels.errors import RtsepError
from rtsep.models.card import TRACKER
from rtsep.models.networks.pitch_net import PitchNet
from rtsep.models.registry import find_model
from rtsep.training.loop.checkpoint import BEST, into, load

NEW_PART = "again."  # of `PitchNet`: a second look begins with hardly a say


def begin_with(net: PitchNet, start: Path) -> None:
    """Fills `net` with the best weights of a run's folder, or a model's; a second look they lack stays new.

    Raises:
        RtsepError: neither a run nor a model with a tracker, or the weights of another network.
    """
    if (start / BEST).exists():
        weights: dict[str, Tensor] = load(start / BEST)["weights"]
    else:
        model = find_model(str(start))
        trackers = [network for network in model.card.networks if network.role == TRACKER]
        if not trackers:
            raise RtsepError(f"model {model.card.name} has no tracker network", "name one that has: choir")
        weights = safetensors.torch.load(model.read(trackers[0].weights))
    new = {name: weight for name, weight in net.state_dict().items() if name.startswith(NEW_PART)}
    into(net, new | weights, start)

"""Weights of a smaller band network as the start of a larger one: it gives the same gains, and learns on
from there. Smaller is one without a memory for every pair of bands and partials beside every band, as models
were once, or one without looks along time and bands (`models/networks/dual_path.py`)."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from rtsep.kernels.errors import RtsepError

# What may be missing: a memory, whose output goes through `remembered`, and looks, whose output goes through
# `paths.narrow`, which both begin as zeros; a power.
NEW = ("local.", "remembered.", "power", "paths.")
# Layers that may have had fewer inputs: the new ones follow the old ones, and begin with weights of zero.
WIDER = ("to_half.weigh.weight", "judge.weigh.weight")


def grown(module: nn.Module, weights: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Weights for `module` that make it do what the smaller network did.

    Args:
        module: an encoder or a decoder, as it is made.
        weights: of the smaller network, or of one of the same size.
        name: where they are from, for the message.

    Raises:
        RtsepError: another network.
    """
    out = {}
    for key, own in module.state_dict().items():
        found = weights.get(key)
        if found is None and key.startswith(NEW):
            found = own
        elif found is not None and key in WIDER and found.shape[2:] == own.shape[2:]:
            missing = own.shape[1] - found.shape[1]
            if found.shape[0] == own.shape[0] and missing > 0:
                found = torch.cat([found, torch.zeros_like(own[:, :missing])], dim=1)
        if found is None or found.shape != own.shape:
            have = "nothing" if found is None else list(found.shape)
            raise RtsepError(
                f"weights {name}: {key} is {have}, the network needs {list(own.shape)}",
                "begin with a band model of this version or of the one before",
            )
        out[key] = found
    if strange := sorted(weights.keys() - out.keys()):
        raise RtsepError(f"weights {name}: the network has no {strange[0]}", "begin with a band model")
    return out

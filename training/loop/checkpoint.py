"""What training writes: `last.pt` to go on from, `best.pt` with the weights that validated best."""

import io
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rtsep.kernels.errors import RtsepError
from rtsep.training.files.atomic_write import place

LAST = "last.pt"
BEST = "best.pt"
FORMAT = 1


def save(file: Path, content: dict[str, Any]) -> None:
    """Writes tensors and plain values; the file is the old one or the new one, whenever the run is killed."""
    stream = io.BytesIO()
    torch.save({"format": FORMAT, **content}, stream)
    place(file, stream.getvalue())


def load(file: Path) -> dict[str, Any]:
    """Reads what `save` wrote, on the CPU, without running code of the file.

    Raises:
        RtsepError: not such a file, or of another format.
    """
    try:
        content: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
        found = content["format"]
    except FileNotFoundError:
        raise RtsepError(f"{file} is not there", "train first, or name another folder") from None
    except Exception as error:  # a zip, pickle or lookup error, by how it is broken
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RtsepError(f"{file} is no checkpoint ({reason})", "move it away or train anew") from None
    if found != FORMAT:
        raise RtsepError(f"{file} has format {found}, this is {FORMAT}", "train anew in another folder")
    return content


def load_best(module: nn.Module, folder: Path) -> dict[str, float]:
    """Puts the weights that validated best into `module`; gives their measures.

    Raises:
        RtsepError: there are none, or they are another network's.
    """
    content = load(folder / BEST)
    into(module, content["weights"], folder / BEST)
    measures: dict[str, float] = content["measures"]
    return measures


def into(module: nn.Module, weights: dict[str, torch.Tensor], file: Path) -> None:
    """`load_state_dict` with one line of error.

    Raises:
        RtsepError: names or shapes differ.
    """
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise RtsepError(f"{file} is of another network ({reason})", "name another folder") from None

"""One process or many: where a training run computes, and what its processes agree on."""

import atexit
import os
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor, nn

from rtsep.kernels.errors import RtsepError
from rtsep.training.loop.settings import FitSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric

T = TypeVar("T")


def start(settings: FitSettings) -> "Fabric":
    """Fabric on the devices asked for, all of its processes running.

    With several `devices` the program starts itself again for each of them; under `torchrun` that has
    happened already, and its numbers of processes and machines hold.

    Raises:
        RtsepError: no such device, or `batch` cannot be shared out evenly.
    """
    from lightning_fabric import Fabric  # seconds to import: not before it is needed

    devices, nodes = settings.devices, settings.nodes
    if "TORCHELASTIC_RUN_ID" in os.environ:
        devices, nodes = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["GROUP_WORLD_SIZE"])
    if settings.device == "cuda" and torch.cuda.device_count() < devices:
        raise RtsepError(
            f"device = 'cuda' with devices = {devices}, but torch sees {torch.cuda.device_count()}",
            "choose device = 'cpu' or fewer devices, or install torch for CUDA",
        )
    if settings.batch % (devices * nodes):
        raise RtsepError(
            f"batch = {settings.batch} cannot be shared by {devices * nodes} processes",
            f"choose a multiple of {devices * nodes}",
        )
    torch.set_num_threads(settings.threads)
    fabric = Fabric(
        accelerator=settings.device,
        devices=devices,
        num_nodes=nodes,
        strategy="ddp" if devices * nodes > 1 else "auto",
        precision=settings.precision,  # type: ignore[arg-type]  # checked against PRECISIONS
    )
    fabric.launch()
    if fabric.world_size > 1:
        atexit.register(_leave)
    return fabric


def _leave() -> None:
    """Fabric does so for NCCL alone: a process that ends with gloo's threads alive aborts now and then."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def beside(module: nn.Module, what: T) -> T:
    """Tensors, or tuples, lists, dicts and dataclasses of them, on the device of the module's weights.

    The loop moves what a step learns from; what a task makes for its own measures it moves itself.
    """
    from lightning_fabric.utilities import move_data_to_device

    moved: T = move_data_to_device(what, next(module.parameters()).device)
    return moved


def largest(fabric: "Fabric", *values: float) -> tuple[float, ...]:
    """Of each number the largest of all processes: what they decide by, they decide alike."""
    if fabric.world_size == 1:
        return values
    agreed = fabric.all_reduce(
        torch.tensor(values, dtype=torch.float64, device=fabric.device), reduce_op="max"
    )
    assert isinstance(agreed, Tensor)
    return tuple(agreed.tolist())


def all_streams(fabric: "Fabric", tensor: Tensor) -> Tensor:
    """Rows of all processes [batch, ...] from this process's."""
    if fabric.world_size == 1:
        return tensor
    gathered = fabric.all_gather(tensor)
    assert isinstance(gathered, Tensor)
    return gathered.flatten(0, 1)

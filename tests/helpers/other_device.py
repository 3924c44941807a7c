"""A device that is not the CPU and needs no GPU: tensors that say they are elsewhere and refuse company.

A tensor of it holds an ordinary one and says that it is on the `meta` device. Operations run on what
it holds, so that losses, gradients and choices by value are real; an operation that also gets a tensor of the
CPU fails as it would on a GPU, and so does `.numpy()`. As on a GPU, numbers (tensors without dimensions) may
come from the CPU.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing

ELSEWHERE = torch.device("meta")


class Elsewhere(Tensor):
    """A tensor that says it is on `ELSEWHERE` and holds its values in `held`, on the CPU."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> "Elsewhere":
        # `conj()` and the imaginary part of it only set a mark. A wrapper does not show the mark of what it
        # holds, so that torch would take the values for finished ones, above all in gradients of complex
        # products.
        held = held.resolve_conj().resolve_neg()
        made: Elsewhere = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, held.shape, strides=held.stride(), storage_offset=held.storage_offset(),
            dtype=held.dtype, device=ELSEWHERE, requires_grad=False,
        )  # fmt: skip
        made.held = held
        return made

    def __repr__(self) -> str:  # type: ignore[override]
        return f"Elsewhere({self.held})"

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return _run(func, args, kwargs or {})


class _Creating(TorchDispatchMode):
    """Operations that are told a device: `arange(..., device=...)`, `.to(...)`."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return _run(func, args, kwargs or {})


def _run(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    tensors = [t for t in pytree.tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
    strangers = [t for t in tensors if not isinstance(t, Elsewhere) and t.dim() > 0]
    copies = func in (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
    here = any(isinstance(t, Elsewhere) for t in tensors)
    if here and strangers and not copies:
        raise RuntimeError(f"{func}: expected all tensors to be on the same device, found cpu as well")
    target = kwargs.get("device")
    if target is not None:
        here = torch.device(target) == ELSEWHERE
        kwargs = {**kwargs, "device": torch.device("cpu")}
    elif func is torch.ops.aten.copy_.default:
        here = isinstance(args[0], Elsewhere)
    held = pytree.tree_map_only(Elsewhere, lambda t: t.held, (args, kwargs))
    out = func(*held[0], **held[1])
    if not here:
        return out
    wrapped = pytree.tree_map_only(Tensor, lambda t: t if isinstance(t, Elsewhere) else Elsewhere(t), out)
    return return_and_correct_aliasing(func, args, kwargs, wrapped)


@contextmanager
def other_device() -> Iterator[Callable[[Any], Any]]:
    """While entered, `ELSEWHERE` is a device; gives a function that moves tensors, modules and structures.

    A module is moved in place: what it does not register as parameter or buffer stays behind, as with `.to`.
    """
    with _Creating():
        yield _moved


def _moved(what: Any) -> Any:
    if isinstance(what, nn.Module):
        for module in what.modules():
            for name, parameter in module._parameters.items():
                if parameter is not None:
                    moved = nn.Parameter(Elsewhere(parameter.detach()), requires_grad=parameter.requires_grad)
                    module._parameters[name] = moved
            for name, buffer in module._buffers.items():
                if buffer is not None:
                    module._buffers[name] = Elsewhere(buffer)
        return what
    from lightning_fabric.utilities import move_data_to_device

    return move_data_to_device(what, ELSEWHERE)

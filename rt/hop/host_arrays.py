"""Arrays that a host gives to a separator: what is taken, and what is refused before anything changes."""

import numpy as np
from numpy.typing import NDArray


def require_hop(
    hop: NDArray[np.float32],
    out: NDArray[np.float32],
    hop_shape: tuple[int, ...],
    out_shape: tuple[int, ...],
) -> None:
    """Before anything changes: the kernels would refuse too, but halfway through a hop.

    Raises:
        ValueError: wrong shapes, or a read-only `out`; TypeError: no arrays, another type or memory layout.
    """
    if not (isinstance(hop, np.ndarray) and isinstance(out, np.ndarray)):
        raise TypeError(f"hop is {described(hop)} and out {described(out)}; expected NumPy arrays of float32")
    if hop.shape != hop_shape or out.shape != out_shape:
        raise ValueError(
            f"hop has shape {hop.shape} and out {out.shape}; expected {hop_shape} and {out_shape}"
        )
    if not (hop.dtype == out.dtype == np.float32 and hop.flags.c_contiguous and out.flags.c_contiguous):
        raise TypeError("hop and out must be C-contiguous float32 arrays")
    if not out.flags.writeable:
        raise ValueError("out is read-only; give an array that can be written")


def require_flags(heard: NDArray[np.bool_], stems: int) -> None:
    """Raises ValueError for anything but bool [stems], a flag for each stem."""
    if heard.shape != (stems,) or heard.dtype != np.bool_:
        raise ValueError(
            f"heard is {heard.dtype} of shape {heard.shape}; "
            f"expected bool of shape ({stems},), a flag for each of `stems`"
        )


def samples(block: object) -> NDArray[np.floating]:
    """An array of what a host calls a block.

    Raises:
        ValueError: no array of floating-point numbers.
    """
    remedy = "give a NumPy array of float32, full scale = 1; of a torch tensor, tensor.detach().cpu().numpy()"
    if not isinstance(block, np.ndarray):
        try:
            block = np.asarray(block)
        except Exception as error:  # whatever the foreign type's own conversion raises
            reason = " ".join(str(error).split())[:80]
            raise ValueError(f"block is {described(block)}, no array ({reason}); {remedy}") from None
    if not np.issubdtype(block.dtype, np.floating):
        raise ValueError(f"block has type {block.dtype}; scale samples to float32, full scale = 1")
    return block


def described(value: object) -> str:
    """What a host gave, in a message."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    return f"a {type(value).__module__}.{type(value).__name__}"

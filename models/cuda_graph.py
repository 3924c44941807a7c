"""One CUDA graph launch per hop: copies in, the whole hop program, copies out, and the state for the next
hop.

Nothing is allocated and nothing waits inside; the host waits once, for the results.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtsep.kernels.errors import RtsepError
from rtsep.models.hop_program import HopProgram

WARM_UP_HOPS = 3  # libraries plan and take memory in their first calls, which a capture must not see
OLDEST_CAPABILITY = (7, 5)  # of the GPUs that torch's CUDA 12 and 13 builds still serve


def require_gpu(backend: str = "cuda") -> str:
    """The GPU's name, for a backend that needs one.

    Raises:
        RtsepError: there is none that torch can use.
    """
    if not torch.cuda.is_available():
        built = "this torch is built without CUDA" if torch.version.cuda is None else "torch sees none"
        raise RtsepError(f"--backend {backend} needs an NVIDIA GPU, but {built}", "use --backend cpu")
    if torch.cuda.get_device_capability() < OLDEST_CAPABILITY:
        found = ".".join(map(str, torch.cuda.get_device_capability()))
        raise RtsepError(
            f"--backend {backend}: {torch.cuda.get_device_name()} has compute capability {found}, "
            "7.5 is needed",
            "use --backend cpu",
        )
    return torch.cuda.get_device_name()


class HopResult(NamedTuple):
    """Pinned arrays, written by every hop."""

    stems: NDArray[np.float32]  # [S, V + 1, H, C]
    f0_hz: NDArray[np.float32]  # [S, V]
    level_db: NDArray[np.float32]  # [S, V]
    merged: NDArray[np.bool_]  # [S, V]
    nonfinite: NDArray[np.int64]  # [S]


class GraphedHop:
    """A hop program of S streams, captured.

    Args:
        program: on the GPU, in `eval` mode.
        streams: S.
    """

    @torch.no_grad()
    def __init__(self, program: HopProgram, streams: int) -> None:
        require_gpu()
        self._program = program
        inputs = program.example_inputs(streams)
        self._host_in = tuple(torch.zeros_like(x, device="cpu").pin_memory() for x in inputs)
        self._inputs = inputs
        self.state = program.initial_state(streams)
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            for _ in range(WARM_UP_HOPS):
                results = program(*inputs, *self.state)
        self._stream.synchronize()
        outputs = results[: len(HopResult._fields)]
        self._host_out = tuple(torch.zeros_like(x, device="cpu").pin_memory() for x in outputs)
        self.result = HopResult(*(x.numpy() for x in self._host_out))
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, stream=self._stream):
            self._hop()

    def _hop(self) -> None:
        _copy(self._inputs, self._host_in)
        results = self._program(*self._inputs, *self.state)
        _copy(self._host_out, results[: len(self._host_out)])
        _copy(self.state, results[len(self._host_out) :])

    def step(
        self, hop: NDArray[np.float32], reset: NDArray[np.bool_], given_hz: NDArray[np.float32]
    ) -> HopResult:
        """One hop of all streams, see `HopProgram.forward`; the arrays are the same ones every time."""
        for host, given in zip(self._host_in, (hop, reset, given_hz), strict=True):
            host.numpy()[...] = given
        with torch.cuda.stream(self._stream):
            self._graph.replay()
        self._stream.synchronize()
        return self.result


def _copy(targets: tuple[Tensor, ...], sources: tuple[Tensor, ...]) -> None:
    for target, source in zip(targets, sources, strict=True):
        target.copy_(source, non_blocking=True)

"""One CUDA graph launch per hop: copies in, the whole hop program, copies out, and the state for the next
hop.

Nothing is allocated and nothing waits inside; the host waits once, for the results.
"""

import contextlib
import subprocess
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtsep.kernels.errors import GpuMissing
from rtsep.models.framing import Framing
from rtsep.models.gpu.build_program import Replace, build_program
from rtsep.models.gpu.hop_program import HopProgram
from rtsep.models.gpu.hop_runner import F32, WHOLE_BOUND, HopResult, one_line
from rtsep.models.mask_model import State

WARM_UP_HOPS = 3  # libraries plan and take memory in their first calls, which a capture must not see
OLDEST_CAPABILITY = (7, 5)  # of the GPUs that torch's CUDA 12 and 13 builds still serve


def require_gpu(backend: str = "cuda") -> str:
    """The GPU's name, for a backend that needs one.

    Raises:
        GpuMissing: there is none that torch can use.
    """
    if not torch.cuda.is_available():
        built = "this torch is built without CUDA" if torch.version.cuda is None else "torch sees none"
        raise GpuMissing(f"--backend {backend} needs an NVIDIA GPU, but {built}", "use --backend cpu")
    if torch.cuda.get_device_capability() < OLDEST_CAPABILITY:
        found = ".".join(map(str, torch.cuda.get_device_capability()))
        raise GpuMissing(
            f"--backend {backend}: {torch.cuda.get_device_name()} has compute capability {found}, "
            "7.5 is needed",
            "use --backend cpu",
        )
    return torch.cuda.get_device_name()


def describe_gpu(backend: str) -> dict[str, str]:
    """`device` and `driver` of a `PlanKey`.

    Raises:
        GpuMissing: there is none that torch can use.
    """
    name, capability = require_gpu(backend), torch.cuda.get_device_capability()
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        answer = ""  # the tool is missing in many containers; TensorRT itself refuses what does not fit then
    driver = (answer.splitlines() or [""])[0].strip()
    return {"device": f"{name} ({capability[0]}.{capability[1]})", "driver": driver}


@contextlib.contextmanager
def _whole_floats() -> Iterator[None]:
    """Convolutions and products with all 23 bits of mantissa.

    cuDNN takes 10 of its own accord (TF32), 1e-3 from the processor's numbers, and a graph keeps what was
    chosen when it was captured.
    """
    product = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        with torch.backends.cudnn.flags(allow_tf32=False):
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = product


class GraphedHop:
    """A hop program of S streams, captured.

    Args:
        program: on the GPU, in `eval` mode.
        streams: S.
        backend: what to call it in messages.
        bound: largest difference from the processor that its arithmetic explains, of full scale.
    """

    @torch.no_grad()
    def __init__(
        self, program: HopProgram, streams: int, *, backend: str = "cuda", bound: float = WHOLE_BOUND
    ) -> None:
        require_gpu(backend)
        self.backend, self.bound = backend, bound
        self._program = program
        inputs = program.example_inputs(streams)
        self._host_in = tuple(torch.zeros_like(x, device="cpu").pin_memory() for x in inputs)
        self._inputs = inputs
        self.state = program.initial_state(streams)
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._stream.wait_stream(torch.cuda.current_stream())
        with _whole_floats(), torch.cuda.stream(self._stream):
            for _ in range(WARM_UP_HOPS):
                results = program(*inputs, *self.state)
        self._stream.synchronize()
        self._told = len(results) - len(self.state)
        outputs = self._outputs(results)
        self._host_out = tuple(torch.zeros_like(x, device="cpu").pin_memory() for x in outputs)
        self.result = HopResult(*(x.numpy() for x in self._host_out))
        self._graph = torch.cuda.CUDAGraph()
        with _whole_floats(), torch.cuda.graph(self._graph, stream=self._stream):
            self._hop()

    def _hop(self) -> None:
        _copy(self._inputs, self._host_in)
        results = self._program(*self._inputs, *self.state)
        _copy(self._host_out, self._outputs(results))
        _copy(self.state, results[self._told :])

    def _outputs(self, results: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Of a `HopResult`: what is reported, and the two states that audio is in."""
        return results[: len(HopResult._fields)]

    def step(self, hop: F32, reset: NDArray[np.bool_], given_hz: F32) -> HopResult:
        """See `HopRunner`."""
        for host, given in zip(self._host_in, (hop, reset, given_hz), strict=True):
            host.numpy()[...] = given
        with torch.cuda.stream(self._stream):
            self._graph.replay()
        self._stream.synchronize()
        return self.result

    def restore(self, history: F32, tail: F32) -> None:
        """See `HopRunner`."""
        self._put(self.state[:2], (torch.from_numpy(history), torch.from_numpy(tail)))

    def reset(self) -> None:
        """See `HopRunner`."""
        with torch.cuda.stream(self._stream):  # made where it is read, or it may not be there yet
            fresh = self._program.initial_state(len(self.result.stems))
        self._put(self.state, fresh)

    def state_dict(self) -> State:
        """See `HopRunner`."""
        return {f"program.{place}": tensor.cpu().numpy() for place, tensor in enumerate(self.state)}

    def load_state_dict(self, state: State) -> None:
        """See `HopRunner`."""
        places = range(len(self.state))
        self._put(self.state, tuple(torch.from_numpy(state[f"program.{place}"]) for place in places))

    def _put(self, targets: tuple[Tensor, ...], sources: tuple[Tensor, ...]) -> None:
        """Between hops: the graph's own stream has come to rest by then, and must find what is put."""
        with torch.cuda.stream(self._stream):
            _copy(targets, sources)
        self._stream.synchronize()


def graphed_hop(
    model: str,
    *,
    voices: int,
    framing: Framing,
    channels: int,
    streams: int = 1,
    backend: str = "cuda",
    bound: float = WHOLE_BOUND,
    replace: Replace | None = None,
) -> GraphedHop:
    """A model's hop on the GPU, captured.

    Args:
        model, voices, framing, channels, replace: see `build_program`.
        streams, backend, bound: see `GraphedHop`.

    Raises:
        GpuMissing: there is none, or it has no room.
        RtsepError: a model that does not run as one program; what `replace` raises.
    """
    require_gpu(backend)
    program = build_program(model, voices=voices, framing=framing, channels=channels, replace=replace)
    try:
        return GraphedHop(program.cuda(), streams, backend=backend, bound=bound)
    except Exception as error:  # no memory, a driver that does not fit, a kernel that Triton cannot compile
        raise GpuMissing(
            f"--backend {backend}: the GPU refused the hop ({one_line(error)})", "use --backend cpu"
        ) from error


def _copy(targets: tuple[Tensor, ...], sources: tuple[Tensor, ...]) -> None:
    for target, source in zip(targets, sources, strict=True):
        target.copy_(source, non_blocking=True)

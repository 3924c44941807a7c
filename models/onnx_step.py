"""A network's hop on ONNX Runtime: no torch, one thread, no copies of state.

A graph as `rtsep.models.export` writes it: one hop, batch 1, float32, static shapes; a state `h` is an input
`h` and an output `next.h`. All arrays are bound once. States live in two buffers that change roles every
hop, so that what one hop wrote is what the next one reads.
"""

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from rtsep.kernels.errors import RtsepError
from rtsep.models.base import State

F32 = NDArray[np.float32]

NEXT = "next."  # before a state's name: what the hop leaves for the hop after it
ERRORS_ONLY = 3


class OnnxStep:
    """One hop of a network with the state it carries.

    Args:
        model: path of an ONNX file, or its content (when that has been compared with a card).
        name: what to call the model in messages; the path unless given.

    Attributes:
        inputs: float32 arrays by name; write the hop's inputs into them.
        outputs: float32 arrays by name; `run` writes them.

    Raises:
        RtsepError: no such file, or nothing that ONNX Runtime can run, or a graph that is no such hop.
    """

    def __init__(self, model: Path | bytes, name: str | None = None) -> None:
        self._name = name or (str(model) if isinstance(model, Path) else "network")
        self._session = _session(_content(model), self._name)
        given = {entry.name: self._zeros(entry) for entry in self._session.get_inputs()}
        found = {entry.name: self._zeros(entry) for entry in self._session.get_outputs()}
        after = {key.removeprefix(NEXT): value for key, value in found.items() if key.startswith(NEXT)}
        for key, value in after.items():
            if key not in given or given[key].shape != value.shape:
                raise RtsepError(
                    f"{self._name}: state {key!r} goes out as {list(value.shape)} and comes in as "
                    f"{list(given[key].shape) if key in given else 'nothing'}",
                    "export it with rtsep.models.export",
                )
        self.inputs: dict[str, F32] = {key: value for key, value in given.items() if key not in after}
        self.outputs: dict[str, F32] = {k: v for k, v in found.items() if not k.startswith(NEXT)}
        self._states: tuple[dict[str, F32], ...] = ({key: given[key] for key in after}, after)
        self._bindings = tuple(self._bind(self._states[side], self._states[1 - side]) for side in (0, 1))
        self._side = 0
        self._warm_up()

    def _warm_up(self) -> None:
        """The first run plans and takes all memory: not on stage."""
        for _ in self._bindings:
            self.run()
        self.reset()
        for array in self.outputs.values():
            array[...] = 0

    def _zeros(self, entry: onnxruntime.NodeArg) -> F32:
        if entry.type != "tensor(float)" or not all(isinstance(size, int) for size in entry.shape):
            raise RtsepError(
                f"{self._name}: {entry.name} is {entry.type} {entry.shape}, not float32 of a fixed shape",
                "export it with rtsep.models.export",
            )
        return np.zeros(entry.shape, np.float32)

    def _bind(self, before: dict[str, F32], after: dict[str, F32]) -> onnxruntime.IOBinding:
        """Every input and output to its array: pointers, so the arrays must never move."""
        binding = self._session.io_binding()
        for key, array in (self.inputs | before).items():
            binding.bind_input(key, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        for key, array in (self.outputs | {NEXT + k: v for k, v in after.items()}).items():
            binding.bind_output(key, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        return binding

    def run(self) -> None:
        """One hop: `inputs` and the state -> `outputs` and the next state."""
        self._session.run_with_iobinding(self._bindings[self._side])
        self._side = 1 - self._side

    def reset(self) -> None:
        """State of zeros, as before the first hop."""
        for array in self._states[self._side].values():
            array[...] = 0

    def state_dict(self) -> State:
        """Copies of all states by name."""
        return {key: array.copy() for key, array in self._states[self._side].items()}

    def load_state_dict(self, state: State) -> None:
        """Continues sample-exactly from `state_dict()` of the same network.

        Raises:
            ValueError: names, shapes or types that are not this network's, or NaN or Inf; nothing has
                changed then.
        """
        own = self._states[self._side]
        if state.keys() != own.keys():
            raise ValueError(f"states {sorted(state)}; {self._name} needs {sorted(own)}")
        for key, value in state.items():
            if value.shape != own[key].shape or value.dtype != np.float32:
                raise ValueError(
                    f"state {key!r} is {value.dtype} of shape {value.shape}; "
                    f"{self._name} needs float32 of shape {own[key].shape}"
                )
            if not np.isfinite(value).all():
                raise ValueError(f"state {key!r} holds NaN or Inf")
        for key, value in state.items():
            own[key][...] = value


def _content(model: Path | bytes) -> bytes:
    """The file's content: ONNX Runtime then never looks for other files beside it."""
    if isinstance(model, bytes):
        return model
    try:
        return model.read_bytes()
    except OSError as error:
        raise RtsepError(
            f"network {model} cannot be read ({error.strerror})", "check the path, or install rtsep again"
        ) from None


def _session(content: bytes, name: str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # More threads give tail spikes of milliseconds, and spinning ones take the device's core.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = ERRORS_ONLY
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no base of their own
        reason = str(error).splitlines()[0].removeprefix("[ONNXRuntimeError] : ")
        raise RtsepError(
            f"{name} is no network that ONNX Runtime {onnxruntime.__version__} can run ({reason})",
            "install rtsep again, or export the network again",
        ) from None

"""The hop program run operation by operation behind the interface of a GPU's graph."""

import numpy as np
import torch
from numpy.typing import NDArray

from rtsep.models.gpu.hop_program import HopProgram
from rtsep.models.gpu.hop_runner import F32, WHOLE_BOUND, HopResult
from rtsep.models.mask_model import State


class EagerHop:
    """A `HopRunner` without a GPU; `fails` makes every call fail as a lost one does."""

    def __init__(self, program: HopProgram, streams: int = 1) -> None:
        self._program, self._streams = program, streams
        self._state = program.initial_state(streams)
        self.backend, self.bound = "cuda", WHOLE_BOUND
        self.fails = False
        self.steps = 0

    def _ask(self) -> None:
        if self.fails:
            raise RuntimeError("CUDA error:\n unspecified launch failure")

    @torch.no_grad()
    def step(self, hop: F32, reset: NDArray[np.bool_], given_hz: F32) -> HopResult:
        self._ask()
        self.steps += 1
        given = (torch.from_numpy(array.copy()) for array in (hop, reset, given_hz))
        results = self._program(*given, *self._state)
        self._state = results[5:]
        return HopResult(*(tensor.numpy() for tensor in results[: len(HopResult._fields)]))

    def restore(self, history: F32, tail: F32) -> None:
        self._ask()
        audio = torch.from_numpy(history.copy()), torch.from_numpy(tail.copy())
        self._state = (*audio, *self._state[2:])

    def reset(self) -> None:
        self._ask()
        self._state = self._program.initial_state(self._streams)

    def state_dict(self) -> State:
        self._ask()
        return {f"program.{place}": tensor.numpy().copy() for place, tensor in enumerate(self._state)}

    def load_state_dict(self, state: State) -> None:
        self._ask()
        names = [f"program.{place}" for place in range(len(self._state))]
        self._state = tuple(torch.from_numpy(np.array(state[name])) for name in names)

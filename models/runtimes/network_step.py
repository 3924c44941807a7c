"""A network's hop with the state it carries, whatever computes it: fixed arrays in, fixed arrays out.

Networks come as `rtsep.models.networks.export` writes them: one hop, batch 1, float32, static shapes; a
state `h` is an input `h` and an output `next.h`. States live in two buffers that change
roles every hop, so that what one hop wrote is what the next one reads.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rtsep.kernels.errors import ModelRefused
from rtsep.models.mask_model import State, require_like

F32 = NDArray[np.float32]

MakeStep = Callable[[bytes, str], "NetworkStep"]  # from an ONNX file's content and a name for messages

NEXT = "next."  # before a state's name: what the hop leaves for the hop after it


class NetworkStep:
    """One hop of a network.

    Args:
        name: what to call it in messages.
        given, found: arrays of all inputs and all outputs of the graph, states among them. They never move.
        bind: makes the call that runs the graph once, from arrays of all inputs to arrays of all outputs;
            asked for twice, with the two buffers of the states changing roles.

    Attributes:
        inputs: float32 arrays by name; write the hop's inputs into them.
        outputs: float32 arrays by name; `run` writes them.

    Raises:
        ModelRefused: the graph is no such hop.
    """

    def __init__(
        self,
        name: str,
        given: dict[str, F32],
        found: dict[str, F32],
        bind: Callable[[dict[str, F32], dict[str, F32]], Callable[[], object]],
    ) -> None:
        self._name = name
        after = {key.removeprefix(NEXT): value for key, value in found.items() if key.startswith(NEXT)}
        for key, value in after.items():
            if key not in given or given[key].shape != value.shape:
                raise ModelRefused(
                    f"{self._name}: state {key!r} goes out as {list(value.shape)} and comes in as "
                    f"{list(given[key].shape) if key in given else 'nothing'}",
                    "export it with rtsep.models.networks.export",
                )
        self.inputs: dict[str, F32] = {key: value for key, value in given.items() if key not in after}
        self.outputs: dict[str, F32] = {k: v for k, v in found.items() if not k.startswith(NEXT)}
        self._states: tuple[dict[str, F32], ...] = ({key: given[key] for key in after}, after)
        self._runs = tuple(
            bind(
                self.inputs | self._states[side],
                self.outputs | {NEXT + key: value for key, value in self._states[1 - side].items()},
            )
            for side in (0, 1)
        )
        self._side = 0
        self._warm_up()

    def require(self, inputs: dict[str, tuple[int, ...]], outputs: dict[str, tuple[int, ...]]) -> None:
        """Is it the network that its user takes it for? A file's hash says that it is the file of the card,
        not that the card's author named the right one.

        Args:
            inputs: shapes of all inputs by name, states left out; -1 for a size from 1 up.
            outputs: shapes of the outputs that are read; there may be more.

        Raises:
            ModelRefused: names or shapes that differ.
        """
        for what, needed, found in (("input", inputs, self.inputs), ("output", outputs, self.outputs)):
            names = needed.keys() | (found.keys() if what == "input" else set())
            for name in sorted(names):
                have = found[name].shape if name in found else None
                want = needed.get(name)
                if have is None or want is None or not _fits(have, want):
                    raise ModelRefused(
                        f"{self._name}: {what} {name!r} is {_shape(have)}; expected {_shape(want)}",
                        "name the network that belongs to this architecture, or export it again",
                    )

    def _warm_up(self) -> None:
        """The first run plans and takes all memory: not on stage."""
        for _ in self._runs:
            self.run()
        self.reset()
        for array in self.outputs.values():
            array[...] = 0

    def run(self) -> None:
        """One hop: `inputs` and the state -> `outputs` and the next state."""
        self._runs[self._side]()
        self._side = 1 - self._side

    def take_back(self) -> None:
        """The last hop was a supposition: the next one begins with the state from before it.

        Once after each `run`: the state before that is overwritten.
        """
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
        require_like({**own}, state, self._name)
        for key, value in state.items():
            own[key][...] = value


def _fits(have: tuple[int, ...], want: tuple[int, ...]) -> bool:
    return len(have) == len(want) and all(w in (h, -1) for h, w in zip(have, want, strict=True))


def _shape(shape: tuple[int, ...] | None) -> str:
    return "none" if shape is None else str(["any" if size < 0 else size for size in shape]).replace("'", "")

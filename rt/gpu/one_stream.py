"""`HopPipeline` whose hops run on a GPU, with one on this processor that stands by and takes over."""

from collections.abc import Callable
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from rtsep.models.backends import gpu_hop
from rtsep.models.build import ModelChoice, build_model, require_gpu_family
from rtsep.models.framing import Framing
from rtsep.models.gpu.hop_runner import HopRunner, one_line
from rtsep.models.mask_model import MaskModel, State
from rtsep.rt.gpu.start_check import check_on_chord
from rtsep.rt.hop.pipeline import HopPipeline

F32 = NDArray[np.float32]
T = TypeVar("T")


class Pipeline(Protocol):
    """What `Separator` drives."""

    @property
    def model(self) -> MaskModel:
        """Of the masks; its report is read after every hop."""
        ...

    @property
    def nonfinite_samples(self) -> int:
        """Input samples replaced by zero."""
        ...

    def step(self, hop: F32, out: F32) -> None:
        """See `HopPipeline`."""
        ...

    def skip(self, hop: F32, out: F32) -> None:
        """See `HopPipeline`."""
        ...

    def reset(self) -> None:
        """See `HopPipeline`."""
        ...

    def state_dict(self) -> State:
        """See `HopPipeline`."""
        ...

    def load_state_dict(self, state: State) -> None:
        """See `HopPipeline`."""
        ...


class GraphedPipeline:
    """One stream on a `HopRunner`.

    The processor keeps the audio memories of every hop, so that a hop without the GPU (for want of time, or
    because the GPU is gone) joins without a click; from a lost GPU's next hop on it separates by itself.

    Args:
        runner: of one stream; its failures (RuntimeError) are taken as the loss of the GPU.
        standby: the same model on this processor. Its report is the one that is read.

    Raises:
        GpuMissing: the two do not agree on a chord: a GPU that computes something else is not used.
    """

    def __init__(self, runner: HopRunner, standby: HopPipeline) -> None:
        self._runner, self._standby = runner, standby
        self.lost = ""
        preset, channels = standby.preset, standby.audio_state[0].shape[0]
        self._hop = np.zeros((1, preset.hop, channels), np.float32)
        self._no_reset = np.zeros(1, np.bool_)
        self._nothing_given = np.zeros((1, len(standby.model.stems)), np.float32)
        check_on_chord(runner, standby)
        self._fresh = runner.state_dict()

    @property
    def model(self) -> MaskModel:
        """The standby's."""
        return self._standby.model

    @property
    def nonfinite_samples(self) -> int:
        """Input samples replaced by zero."""
        return self._standby.nonfinite_samples

    def step(self, hop: F32, out: F32) -> None:
        """See `HopPipeline.step`."""
        if self.lost:
            self._standby.step(hop, out)
            return
        self._hop[0] = hop
        try:
            result = self._runner.step(self._hop, self._no_reset, self._nothing_given)
        except RuntimeError as error:
            self._lose(error)
            self._standby.skip(hop, out)  # the mixture: nothing may be late because a GPU has gone
            return
        out[...] = result.stems[0]
        report = self.model.report
        report.f0_hz[...], report.level_db[...] = result.f0_hz[0], result.level_db[0]
        report.followed_hz[...] = report.f0_hz  # all that the program tells
        report.merged[...] = result.merged[0]
        self._standby.follow(self._hop[0], result.tail[0])  # `out` may lie over `hop`

    def skip(self, hop: F32, out: F32) -> None:
        """See `HopPipeline.skip`."""
        self._standby.skip(hop, out)
        if not self.lost:
            history, tail = self._standby.audio_state
            self._ask(lambda: self._runner.restore(history[None], tail[None]))

    def reset(self) -> None:
        """See `HopPipeline.reset`; a lost GPU stays lost."""
        self._standby.reset()
        if not self.lost:
            self._ask(self._runner.reset)

    def state_dict(self) -> State:
        """That of the standby, and the runner's beside it."""
        found = self._fresh
        if not self.lost:
            found = self._ask(self._runner.state_dict) or self._fresh
        return {**self._standby.state_dict(), **found, "gpu_lost": np.array(bool(self.lost))}

    def load_state_dict(self, state: State) -> None:
        """Continues from `state_dict()`; where the GPU was lost then, without it.

        Raises:
            ValueError: values that the model refuses; nothing has changed then.
        """
        self._standby.load_state_dict({name: state[name] for name in self._standby.state_dict()})
        if state["gpu_lost"] and not self.lost:
            self.lost = "the GPU was lost before"
        if not self.lost:
            self._ask(lambda: self._runner.load_state_dict({name: state[name] for name in self._fresh}))

    def _ask(self, ask: Callable[[], T]) -> T | None:
        try:
            return ask()
        except RuntimeError as error:
            self._lose(error)
            return None

    def _lose(self, error: RuntimeError) -> None:
        self.lost = one_line(error)


def model_on_gpu(
    choice: ModelChoice, backend: str, framing: Framing, channels: int
) -> tuple[MaskModel, HopRunner]:
    """A model on the processor that stands by, and what runs its whole hop on a GPU.

    Raises:
        GpuMissing: the GPU cannot be had, or the model's family does not run there.
    """
    require_gpu_family(choice, backend)
    count = len(choice.names())
    runner = gpu_hop(backend, choice.name, voices=count, framing=framing, channels=channels)
    return build_model(choice.name, voices=count, framing=framing), runner

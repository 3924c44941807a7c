"""`HopPipeline` whose hops run on a GPU, with one on this processor that stands by and takes over."""

from collections.abc import Callable
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from rtsep.models.base import MaskModel, State
from rtsep.models.hop_runner import GpuMissing, HopRunner, one_line
from rtsep.rt.pipeline import HopPipeline

F32 = NDArray[np.float32]
T = TypeVar("T")

CHECK_HOPS = 200  # a second at 11 ms: every recurrent state has moved
CHECK_HZ = (523.25, 329.63, 196.0, 130.81)  # a chord that no tracker doubts


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
        self._check()
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
        report.merged[...] = result.merged[0]
        self._standby.follow(hop, result.tail[0])

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
        self._standby.load_state_dict(state)
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

    def _check(self) -> None:
        """Both play a chord; also the first calls of everything, before anyone listens."""
        samples, channels = self._hop.shape[1], self._hop.shape[2]
        rate = self._standby.preset.samplerate
        seconds = np.arange(CHECK_HOPS * samples) / rate
        noise = np.random.default_rng(0).normal(0.0, 1e-3, seconds.size)
        chord = sum(np.sin(2 * np.pi * k * f * seconds) / k for f in CHECK_HZ for k in (1, 2, 3))
        sound = (0.05 * chord + noise).astype(np.float32)
        stems = len(self.model.stems) + 1
        here, there = (np.zeros((stems, samples, channels), np.float32) for _ in range(2))
        worst = 0.0
        for number in range(CHECK_HOPS):
            hop = np.repeat(sound[number * samples : (number + 1) * samples, None], channels, 1)
            self._hop[0] = hop
            try:
                there[...] = self._runner.step(self._hop, self._no_reset, self._nothing_given).stems[0]
            except RuntimeError as error:
                raise GpuMissing(
                    f"--backend {self._runner.backend}: the GPU failed ({one_line(error)})",
                    "use --backend cpu",
                ) from error
            self._standby.step(hop, here)
            worst = max(worst, float(np.nan_to_num(np.abs(here - there).max(), nan=np.inf)))
        if not worst < self._runner.bound:
            raise GpuMissing(
                f"--backend {self._runner.backend} differs from the processor by {worst:.2g} on a chord, "
                f"bound {self._runner.bound:g}",
                "use --backend cpu",
            )
        self._standby.reset()
        self._runner.reset()
